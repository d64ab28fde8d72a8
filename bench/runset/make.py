"""Making what was asked for: one run, one that is confirmed, or a set. Edge: starts Locust, writes on stderr."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import schemas
from bench.errors import BenchError, GateFailed, GateInconclusive, RunInvalid, first_of
from bench.gates.arguments import Gates
from bench.launch.run import run_locust
from bench.launch.watch import Watch
from bench.plain_text import write_line
from bench.rundir import RunDir
from bench.runset.arguments import Asked
from bench.voice import PLAIN, Voice


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """Runs of one plan. `extra` are words for Locust; each run of several has a seed of its own."""

    locustfile: Path
    values: Mapping[str, Any]
    extra: tuple[str, ...]
    gates: Gates
    watch: Watch | None = None
    voice: Voice = PLAIN

    def once(self, *, confirm: bool) -> tuple[Path | None, int]:
        """One run, reported and judged: its folder, if it began, and the exit code.

        With `confirm` a run that fails is made again: FAIL twice is 10, anything else after a FAIL is 11.
        """
        folder, code = self._judged(0, self._aside if confirm else self.voice)
        path = None if folder is None else folder.path
        if not confirm or code != GateFailed.exit_code:
            if confirm and folder is not None:
                self.voice.answer(code, folder=str(path))
            return path, code
        write_line(sys.stderr, "a gate failed: the run is made again to confirm it")
        again, second = self._judged(1, self._aside)
        confirmed = second == GateFailed.exit_code
        said = (
            "confirmed: the second run failed too"
            if confirmed
            else f"not confirmed: the second run ended with {second}"
        )
        self.voice.say(f"{said}; runs: {', '.join(str(one.path) for one in (folder, again) if one)}", bad=True)
        code = GateFailed.exit_code if confirmed else GateInconclusive.exit_code
        self.voice.answer(code, folder=str(path), error=said)
        return path, code

    @property
    def _aside(self) -> Voice:
        """For a run that is a part of the answer: what people read, and no object of its own."""
        return _Aside(quiet=self.voice.quiet, verbose=self.voice.verbose, json=self.voice.json)

    def as_set(self, asked: Asked) -> tuple[Path | None, int]:
        """A set of runs, reported and judged as a whole: its folder, if a run of it counts, and the exit code."""
        from bench.runset.folder import SetDir
        from bench.runset.judge import finish_set
        from bench.runset.loop import run_all

        until = asked.precision.text if asked.precision else ""
        folder = SetDir.create(Path(self.values["out"]), runs=asked.runs, pause_s=asked.pause_s, until=until)

        def measure(number: int) -> tuple[RunDir | None, int]:
            made, code = self._made(number, out=folder.runs)
            if made is not None:
                code = first_of(code, self._reported(made))
            return made, code

        ended = run_all(asked, folder, measure=measure, pause=time.sleep, tell=self._tell)
        if not folder.folders():
            _remove(folder.asked_file, folder.runs, folder.path)
            return None, self._nothing(ended.code)
        code = ended.code
        if asked.precision is not None and ended.reason == "completed":
            self.voice.say(f"INCONCLUSIVE {asked.precision.text}: not reached in {asked.runs} runs", bad=True)
            code = first_of(code, GateInconclusive.exit_code)
        return folder.path, finish_set(folder.path, gates=self.gates, code=code, reported=True, voice=self.voice)

    def _judged(self, number: int, voice: Voice) -> tuple[RunDir | None, int]:
        folder, code = self._made(number, out=Path(self.values["out"]))
        if folder is None:
            return None, self._nothing(code)
        from bench.launch.finish import finish  # numpy, pyarrow, matplotlib: not before there is something to report

        return folder, finish(folder, gates=self.gates, voice=voice, ended_with=code)

    def _tell(self, line: str) -> None:
        """How far the set is, which -q holds back."""
        if not self.voice.quiet:
            write_line(sys.stderr, line)

    def _nothing(self, code: int) -> int:
        self.voice.answer(code, error="the run did not begin: standard error says why")
        return code

    def _reported(self, folder: RunDir) -> int:
        """A run of a set has its report, with what the set's gates count, and no verdict of its own."""
        from bench.launch.finish import finish

        return finish(folder, gates=Gates(), deadlines_ms=self.gates.deadlines_ms, voice=self._aside)

    def _made(self, number: int, *, out: Path) -> tuple[RunDir | None, int]:
        """The run's folder, if its clock has started, and the exit code so far."""
        seed = int(self.values.get("seed") or 0) + number
        values = {**self.values, "out": str(out), "seed": str(seed)}
        enough = self.watch.enough if self.watch else None
        folder, code = run_locust(self.locustfile, values, extra=self.extra, enough=enough, voice=self.voice)
        if folder is None or not _has_begun(folder):
            return None, code or RunInvalid.exit_code
        return folder, code


class _Aside(Voice):
    """With --json, of a part of what is answered: standard error only."""

    def answer(self, exit_code: int, **values: Any) -> None:
        """The whole answers."""


def _has_begun(folder: RunDir) -> bool:
    """Its clock has started: before that Locust has said what was wrong, and there is nothing to report."""
    try:
        return bool(schemas.load(folder.manifest, schemas.Manifest)["workers"])
    except BenchError:
        return False  # there was no room for it, which Locust has said


def _remove(*paths: Path) -> None:
    """What was made for a set of which no run began."""
    for path in paths:
        with contextlib.suppress(OSError):
            path.rmdir() if path.is_dir() else path.unlink()
