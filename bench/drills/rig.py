"""The processes of a drill: an emulator that takes orders, and a Locust that runs. Edge.

Against the emulator Locust gets what a user's would: its workspace as options, its environment as variables; nothing of
the caller's own Azure settings reaches it. What a run leaves behind is read here as a drill looks at it.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench import schemas
from bench.clock import monotonic_ns
from bench.drills.drill import Drill
from bench.drills.evidence import Attempt, Flight
from bench.errors import BenchError, RunInvalid
from bench.launch.locust_process import LocustProcess
from bench.rundir import RunDir
from bench.runreader import load_manifest
from bench.samples import stream

_FOREIGN = ("AZURE", "BENCH_", "IDENTITY_", "LOCUST_", "MSI_", "ARM_")
_LOOK_EVERY_S = 0.02
_START_WITHIN_S = 60.0


class LocustRun:
    """One headless Locust on its way. Its output is kept for when it fails."""

    def __init__(
        self,
        locustfile: Path,
        values: Mapping[str, Any],
        *,
        environment: Mapping[str, str] | None = None,
        extra: Sequence[str] = (),
    ) -> None:
        self._said = tempfile.TemporaryFile(prefix="bench-drill-")  # noqa: SIM115
        self._locust = LocustProcess(locustfile, values, extra=extra, environment=environment, output=self._said)
        self.process = self._locust.process

    def folder(self) -> RunDir | None:
        """The run's folder, once it has one."""
        return self._locust.folder()

    def zero_ns(self) -> int | None:
        """The run's zero on the monotonic clock, once it is known."""
        folder = self.folder()
        if folder is None:
            return None
        manifest = load_manifest(folder)
        return int(manifest["clock"]["monotonic_ns"]) if manifest["workers"] else None

    def agent_pid(self) -> int | None:
        """The credential agent of Locust's first process."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text(encoding="ascii")
        for pid in map(int, children.split()):
            if b"bench.credentials.agent" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
        return None

    def said(self) -> str:
        """What it has written on stdout and stderr."""
        self._said.seek(0)
        return self._said.read().decode("utf-8", "replace")

    def finish(self, timeout_s: float) -> RunDir:
        """Wait for its end. BenchError with what it said when there is no run to look at."""
        try:
            code = self.process.wait(timeout=timeout_s)
        except subprocess.TimeoutExpired as exc:
            raise BenchError(f"the drill's Locust did not end within {timeout_s:g} s", hint=self._last_line()) from exc
        folder = self.folder()
        if folder is None or code not in {0, 1}:
            raise BenchError(f"the drill's Locust failed (exit code {code})", hint=self._last_line())
        return folder

    def close(self) -> None:
        """End it, whatever it is at."""
        self._locust.close()
        self._said.close()

    def _last_line(self) -> str:
        lines = self.said().strip().splitlines()
        return lines[-1] if lines else "it said nothing"


def values_for(drill: Drill, *, facts: Mapping[str, Any], out: Path, processes: int) -> dict[str, str]:
    """The options of a drill's run."""
    place = facts["workspace"]
    return {
        "endpoint": facts["endpoints"][drill.auth_mode],
        "auth_mode": drill.auth_mode,
        "subscription_id": place["subscription_id"],
        "resource_group": place["resource_group"],
        "workspace": place["workspace_name"],
        "users": str(drill.users),
        "processes": str(processes),
        "arrival_rate": f"{drill.rate:g}",
        "duration": f"{drill.duration_s:g}s",
        "warm_up": "0s",
        "out": str(out),
    }


def environment_for(facts: Mapping[str, Any]) -> dict[str, str]:
    """This process's environment without anything that would point elsewhere, and the emulator's instead."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    return {**kept, **facts["env"]}


def await_zero(locust: LocustRun) -> int:
    """The run's zero, once it has begun. BenchError when it ends before that."""
    deadline_ns = monotonic_ns() + round(_START_WITHIN_S * 1e9)
    while (zero_ns := locust.zero_ns()) is None:
        if locust.process.poll() is not None or monotonic_ns() > deadline_ns:
            locust.finish(0.1)
            raise BenchError("the drill's run ended before it began", hint="try the same with `bench run`")
        time.sleep(_LOOK_EVERY_S)
    return zero_ns


def attempts_of(folder: RunDir) -> tuple[Attempt, ...]:
    """Every sample of the run. RunInvalid when a file is damaged."""
    return tuple(attempt for file in sorted(folder.samples.glob("*.arrows")) for attempt in _attempts(folder, file))


def flights_of(folder: RunDir) -> tuple[Flight, ...]:
    """Its credential fetches. RunInvalid when the file is damaged."""
    records, fault = schemas.load_lines(folder.flights, schemas.Flight, cut=False)
    if fault:
        raise RunInvalid(f"flights.jsonl {fault}", hint="run the drill again")
    return tuple(
        Flight(
            started_ns=record["started_ns"],
            ended_ns=record["ended_ns"],
            attempts=record["attempts"],
            ok=record["outcome"] == "ok",
            error=record["error"],
        )
        for record in records
    )


def _attempts(folder: RunDir, file: Path) -> Iterator[Attempt]:
    """Every sample of one worker, with the id its request had (`x-ms-client-request-id`)."""
    found = stream.inspect(file)
    if found.fault:
        raise RunInvalid(f"samples/{file.name} {found.fault}", hint="run the drill again")
    names = ("intended_ns", "began_ns", "sent_ns", "done_ns", "attempt", "status", "outcome", "cause", "sequence")
    for batch in stream.batches(found, names):
        for intended, began, sent, done, number, status, outcome, cause, sequence in zip(
            *(batch.column(name) for name in names), strict=True
        ):
            yield Attempt(
                intended_ns=intended,
                began_ns=began,
                sent_ns=sent,
                done_ns=done,
                number=number,
                status=status,
                outcome=outcome,
                cause=cause,
                request_id=f"{folder.run_id}-{file.stem}-{sequence:08x}",
            )
