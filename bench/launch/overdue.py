"""How long a run may take, as whoever waits for it sees it. Edge: reads the run's manifest and the clock.

The run itself has a time, a time-out and a grace; this is the second judge, for a Locust that can no longer judge
(stopped, spinning, stuck in a system call).
"""

from __future__ import annotations

import time
from typing import Any

from bench import clock, schemas
from bench.errors import BenchError
from bench.process.orphans import state_of
from bench.rundir import RunDir

_START_WITHIN_S = 180.0
_GRACE_S = 20.0
_STOPPED_FOR_S = 12.0


class Overdue:
    """Says why a Locust that still runs must be killed, if it must."""

    def __init__(self, pid: int, *, start_s: float = 0.0) -> None:
        """`start_s` is how long the start may wait for others, beyond what processes take to start."""
        self._pid = pid
        self._began_s = time.monotonic()
        self._end_s: float | None = self._began_s + _START_WITHIN_S + start_s
        self._timeout_s = 0.0
        self._knows_the_clock = False
        self._stopped_since_s: float | None = None

    def asked_to_end(self) -> None:
        """A signal was passed on: what is under way may be awaited, and no more."""
        end_s = time.monotonic() + self._timeout_s + _GRACE_S
        self._end_s = end_s if self._end_s is None else min(self._end_s, end_s)

    def why(self, folder: RunDir | None) -> str:
        """Why it has had its time; empty while it has not."""
        now_s = time.monotonic()
        self._stopped_since_s = (self._stopped_since_s or now_s) if state_of(self._pid) in {"T", "t"} else None
        if self._stopped_since_s is not None and now_s - self._stopped_since_s > _STOPPED_FOR_S:
            return f"Locust has been stopped (SIGSTOP) for {_STOPPED_FOR_S:g} s"
        if folder is not None and not self._knows_the_clock:
            self._read_clock(folder)
        if self._end_s is None or now_s <= self._end_s:
            return ""
        return "Locust did not end in time" if self._knows_the_clock else "the run did not begin in time"

    def _read_clock(self, folder: RunDir) -> None:
        try:
            manifest = schemas.load(folder.manifest, schemas.Manifest)
        except BenchError:
            return  # the disk may be full
        if not manifest.get("workers"):
            return
        self._knows_the_clock = True
        self._end_s = self._end_of(manifest)

    def _end_of(self, manifest: dict[str, Any]) -> float | None:
        plan = manifest["plan"]
        self._timeout_s = float(plan["timeout_s"])
        if plan["duration_s"] is None:
            return None
        lasts_s = plan["warm_up_s"] + plan["duration_s"] + self._timeout_s + _GRACE_S
        return float(manifest["clock"]["monotonic_ns"] / 1e9 + lasts_s - clock.monotonic_ns() / 1e9 + time.monotonic())
