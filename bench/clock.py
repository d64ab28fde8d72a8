"""Time, owned here. Everything that measures reads the monotonic clock through this module.

`perf_counter_ns`, `monotonic_ns` and `timerfd` all read CLOCK_MONOTONIC on Linux, so their numbers
agree across the processes of one host.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

monotonic_ns = time.monotonic_ns


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockAnchor:
    """A run's zero: the same instant on the monotonic and the wall clock of one host."""

    monotonic_ns: int
    wall_ns: int

    @classmethod
    def now(cls) -> ClockAnchor:
        return cls(monotonic_ns=time.monotonic_ns(), wall_ns=time.time_ns())


def wall_s() -> float:
    """Seconds since the epoch, as Azure counts them."""
    return time.time()


def utc_stamp(wall_ns: int) -> str:
    """`20261124-081530-123`, which sorts by time."""
    whole = time.strftime("%Y%m%d-%H%M%S", time.gmtime(wall_ns // 1_000_000_000))
    return f"{whole}-{wall_ns // 1_000_000 % 1000:03d}"
