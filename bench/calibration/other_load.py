"""How much of the machine others used while something was measured. Edge: reads /proc/stat.

A table measured on a busy machine is about the machine. Whoever reads it must see that, and of several runs the one
that met the least other load is kept: a choice that does not look at the outcome. See docs/decisions/calibration.md.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

COLUMN = "others' CPU"
"""Cores that other processes used on average; 0.05 is a twentieth of one."""

_STAT = Path("/proc/stat")
_COUNTED = ("user", "nice", "system", None, None, None, None, "steal")
"""Columns of /proc/stat that count: idle is nobody's, interrupts are mostly our own network's."""


class OtherLoad:
    """Within a `with`: all CPU time but that of this process and of the children that ended within it."""

    def __init__(self) -> None:
        self.cores: float | None = None
        """None where the system does not report it."""
        self._before = (0.0, 0.0)

    def __enter__(self) -> Self:
        self._before = time.monotonic(), _now_s()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        began_s, others_s = self._before
        if _STAT.exists():
            self.cores = max(_now_s() - others_s, 0.0) / max(time.monotonic() - began_s, 1e-9)


def quietest(measure: Callable[[], dict[str, Any] | None], *, repeat: int) -> dict[str, Any] | None:
    """The row of `repeat` measurements that met the least other load, with that load in it; None when one is None."""
    found = []
    for _ in range(repeat):
        with OtherLoad() as others:
            row = measure()
        if row is None:
            return None
        found.append({**row, COLUMN: others.cores})
    return min(found, key=lambda row: row[COLUMN] or 0.0)


def others_s(stat: str, own: Sequence[float], *, ticks_per_s: int) -> float:
    """CPU seconds of everybody else since boot: `stat` is /proc/stat, `own` os.times() with the ended children's."""
    ticks = stat.partition("\n")[0].split()[1:]
    busy = sum(int(count) for count, name in zip(ticks, _COUNTED, strict=False) if name)
    return busy / ticks_per_s - sum(own[:4])


def _now_s() -> float:
    if not _STAT.exists():
        return 0.0
    return others_s(_STAT.read_text(encoding="ascii"), os.times(), ticks_per_s=os.sysconf("SC_CLK_TCK"))
