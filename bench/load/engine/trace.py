"""When the requests of a recorded trace are due: times from a file, as a schedule. Edge: reads the file.

The true times are what is sent. For whoever compares the rate asked for with what was achieved, and for the end of the
run, `stages` shows the same as a rate over time, in steps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from bench.errors import UsageError
from bench.load.engine.bodies import read_regular
from bench.load.engine.body_checks import as_utf8
from bench.plan.run_plan import Stage

_STEP_S = 1.0
_MOST_STEPS = 600


def read_times_s(path: str) -> tuple[float, ...]:
    """The first column of a CSV file (a heading is skipped): seconds since the start, in any order.

    UsageError names the line that holds no time.
    """
    raw = as_utf8(read_regular(path, option="--arrivals-from"), where=f"--arrivals-from {path}")
    times: list[float] = []
    for number, line in enumerate(raw.decode("utf-8", "replace").splitlines(), start=1):
        word = line.replace(";", ",").partition(",")[0].strip().strip('"')
        if not word:
            continue
        try:
            time_s = float(word)
        except ValueError as exc:
            if number == 1:
                continue
            raise UsageError(
                f"--arrivals-from {path}, line {number}: {word[:40]!r} is not a time", hint="seconds since the start"
            ) from exc
        if not 0 <= time_s <= 366 * 86_400:
            raise UsageError(f"--arrivals-from {path}, line {number}: {word} s is out of range", hint="0 to a year")
        times.append(time_s)
    if not times:
        raise UsageError(f"--arrivals-from {path} holds no time", hint="give seconds since the start, one a line")
    return tuple(times)


def dues_ns(times_s: Sequence[float], *, speed: float) -> list[int]:
    """Due times in order, `speed` times as fast as recorded."""
    return sorted(round(time_s / speed * 1e9) for time_s in times_s)


def order_of(times_s: Sequence[float]) -> list[int]:
    """Which line is due first, second, ...: of those due together the first in the file goes first."""
    return [int(index) for index in np.argsort(np.asarray(times_s), kind="stable")]


def stages(dues: Sequence[int]) -> tuple[Stage, ...]:
    """The trace as steps of one second or longer, the last of which ends just after the last arrival."""
    last_s = dues[-1] / 1e9
    step_s = max(_STEP_S, math.ceil(last_s / _MOST_STEPS))
    steps = math.floor(last_s / step_s) + 1
    counts = np.bincount(np.asarray(dues) // round(step_s * 1e9), minlength=steps)
    return tuple(
        Stage(duration_s=step_s, start_rate=float(count) / step_s, end_rate=float(count) / step_s) for count in counts
    )
