"""A history in an MLflow experiment: add a line as a run of it, read all lines. Edge: asks the tracking server.

A run is made with its line, then given its figures and files, and finished last: one that was left half-way does not
count, and adding again makes another. Every try begins with looking, so that one whose answer was lost is not made
twice; two jobs that add the same run at the same instant make two of it, and the first is read.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench import clock
from bench.errors import UsageError
from bench.history.lines import Added, Entries, entries_of
from bench.history.mlflow import messages
from bench.history.mlflow.messages import Run
from bench.history.mlflow.server import Refused, TrackingServer
from bench.rundir import RunDir
from bench.schemas.history import HistoryEntry

_TRIES = 3
_PER_PAGE = 100
_MOST_PAGES = 100
_LARGEST_FILE = 64 << 20
_NAME = re.compile(r"[\w./@ +:-]{1,200}", re.ASCII)
_AZURE_NAME = re.compile(r"[A-Za-z0-9][\w-]{0,199}", re.ASCII)
_PROXIED = re.compile(r"mlflow-artifacts:/((?:[\w-][\w.-]*/)*[\w-]+)", re.ASCII)
"""A place for files that the server itself keeps: no other host's, and no way up."""


class MlflowExperiment:
    """The experiment `name` on `server`. UsageError for a name that cannot be one."""

    def __init__(self, name: str, server: TrackingServer, *, sleep: Callable[[float], None] = time.sleep) -> None:
        azure = server.address.workspace is not None
        if not (_AZURE_NAME if azure else _NAME).fullmatch(name):
            raise UsageError(
                f"--history mlflow:{name[:60]} names no experiment",
                hint="write mlflow:NAME, of letters, digits, - and _",
            )
        self._name = name
        self._server = server
        self._sleep = sleep

    @property
    def shown(self) -> str:
        return f"the experiment {self._name} at {self._server.address.host}"

    def check(self) -> None:
        """Before anything is measured: the server is there, knows us, and has no deleted experiment of that name."""
        self._id()

    def read(self) -> Entries:
        """The runs that count, in the order they were made. UsageError when there is no such experiment."""
        found = self._id()
        if found is None:
            raise UsageError(
                f"{self.shown} does not exist",
                hint=f"make it with `bench history add RUN --history mlflow:{self._name}`",
            )
        return entries_of(
            (f"{self.shown}, run {run.info.run_id}", messages.line_of(run.tags))
            for run in reversed(list(self._runs(found)))
            if run.counts
        )

    def add(self, entry: HistoryEntry, *, run: Path) -> Added:
        """A run for it, unless it is there already. Raises Refused.

        `run` is the folder whose report and summary go along.
        """
        mine: list[messages.RunInfo] = []
        for number in range(1, _TRIES + 1):
            try:
                return self._add(entry, RunDir(run), mine)
            except Refused as exc:
                if not exc.unwell or number == _TRIES:
                    self._give_up(mine)
                    raise
                self._sleep(2.0**number)
        raise AssertionError("unreachable")

    def _add(self, entry: HistoryEntry, files: RunDir, mine: list[messages.RunInfo]) -> Added:
        """One try. `mine` is the run that an earlier one has begun: it is gone on with."""
        experiment = self._id() or self._made()
        for there in self._runs(experiment, run_id=entry.run_id):
            if there.counts and there.tags[messages.RUN_TAG] == entry.run_id:
                return Added(new=bool(mine) and mine[0].run_id == there.info.run_id)
        now_ms = int(clock.wall_s() * 1000)
        if not mine:
            wanted = messages.creation(entry, experiment, now_ms=now_ms)
            mine.append(self._server.ask("POST", "runs/create", wanted, messages.CreatedRun).run.info)
        info = mine[0]
        self._server.ask("POST", "runs/log-batch", messages.batch(entry, info.run_id, now_ms=now_ms), messages.Nothing)
        missing = self._keep(info, files)
        self._end(info, "FINISHED")
        return Added(new=True, missing=missing)

    def _keep(self, info: messages.RunInfo, files: RunDir) -> str:
        """Put report and summary beside the run; why that could not be. The line is kept all the same."""
        place = _PROXIED.fullmatch(info.artifact_uri)
        if place is None:
            return "the server takes no files itself"
        for file, kind in ((files.report, "text/html"), (files.summary, "application/json")):
            try:
                if file.stat().st_size > _LARGEST_FILE:
                    return f"{file.name} has more than {_LARGEST_FILE:,} bytes"
                self._server.upload(f"{place[1]}/{file.name}", file, kind)
            except OSError as exc:
                return f"{file.name} cannot be read: {exc.strerror}"
            except Refused as exc:
                return exc.describe()
        return ""

    def _give_up(self, mine: list[messages.RunInfo]) -> None:
        """Whoever looks at the experiment shall not take it for one that goes on."""
        for info in mine:
            with contextlib.suppress(Refused):
                self._end(info, "FAILED")

    def _end(self, info: messages.RunInfo, status: str) -> None:
        ended = {"run_id": info.run_id, "status": status, "end_time": int(clock.wall_s() * 1000)}
        self._server.ask("POST", "runs/update", ended, messages.Nothing)

    def _id(self) -> str | None:
        """The experiment's, or None when there is none. UsageError for one that was deleted."""
        try:
            found = self._server.ask(
                "GET", "experiments/get-by-name", {"experiment_name": self._name}, messages.FoundExperiment
            ).experiment
        except Refused as exc:
            if exc.code == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise
        if found.lifecycle_stage == "deleted":
            raise UsageError(f"{self.shown} was deleted", hint="restore it there, or name another")
        return found.experiment_id

    def _made(self) -> str:
        """A new one; that of another job that was faster."""
        try:
            return self._server.ask(
                "POST", "experiments/create", {"name": self._name}, messages.CreatedExperiment
            ).experiment_id
        except Refused as exc:
            if exc.code == "RESOURCE_ALREADY_EXISTS" and (found := self._id()):
                return found
            raise

    def _runs(self, experiment: str, *, run_id: str = "") -> Iterator[Run]:
        """Those of the experiment, the newest first, page by page. What they are is still to be looked at.

        An Azure ML workspace filters by tags, and not by a run's status.
        """
        wanted = {
            "experiment_ids": [experiment],
            "max_results": _PER_PAGE,
            "run_view_type": "ACTIVE_ONLY",
            "order_by": ["start_time DESC"],
            **({"filter": f"tags.{messages.RUN_TAG} = '{run_id}'"} if run_id else {}),
        }
        seen = {""}
        while len(seen) <= _MOST_PAGES:
            page = self._server.ask("POST", "runs/search", wanted, messages.Page)
            yield from page.runs
            if not page.next_page_token:
                return
            if page.next_page_token in seen:
                break
            seen.add(page.next_page_token)
            wanted["page_token"] = page.next_page_token
        raise Refused(self._server.address, 200, why="does not come to the end of its list of runs")
