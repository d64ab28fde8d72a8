"""How axes look in every plot: time, latency, quantiles, and the legend of the variants. Edge: matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.analysis.run import LoadedRun
from bench.numbers import MINUS
from bench.report.palette import Stroke, light

TICK_QUANTILES = (0.0, 0.5, 0.9, 0.99, 0.999, 0.9999)
MINUTES_FROM_S = 240.0

_TIME_STEPS_S = (30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400)
_LATENCY_TICKS = (
    (4.0, (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)),
    (12.0, (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)),
    (300.0, (1.0, 2.0, 5.0)),
    (float("inf"), (1.0,)),
)
"""(widest ratio of the axis' ends, mantissas of its ticks)"""


def tail_position(quantile: Any) -> Any:
    """Where a quantile lies on the axis: 0 for p0, 1 for p90, 2 for p99, ... : the logarithm of the tail, reversed."""
    return -np.log10(1.0 - np.asarray(quantile))


def quantile_name(quantile: float) -> str:
    """`p50`, `p99.9`."""
    return f"p{100 * quantile:.6g}"


def quantile_axis(axes: Any, *, last: float) -> None:
    """Ticks at p0, p50, p90, p99, ... and room up to the quantile `last`."""
    axes.set_xticks([tail_position(q) for q in TICK_QUANTILES], [quantile_name(q) for q in TICK_QUANTILES])
    axes.set_xlim(0, max(float(tail_position(last)), 1.0) * 1.02)


def time_axis(axes: Any, begin_s: float, until_s: float, *, wall_zero_s: float | None = None) -> None:
    """Time since the run's start on the lowest axes of a figure; minutes and seconds once a run is long.

    With the zero on the wall clock, the time of day stands below, for whoever has another log to look at.
    """
    from matplotlib.ticker import MaxNLocator, MultipleLocator

    axes.set_xlim(begin_s, max(until_s, begin_s + 0.1))
    is_long = until_s > MINUTES_FROM_S
    step_s = next((step for step in _TIME_STEPS_S if (until_s - begin_s) / step <= 10), until_s)
    axes.xaxis.set_major_locator(MultipleLocator(step_s) if is_long else MaxNLocator(8))

    def tick_label(t_s: float, _: int) -> str:
        since = f"{int(t_s // 60)}:{int(t_s % 60):02d}" if is_long else f"{t_s:g}"
        return since if wall_zero_s is None else f"{since}\n{time_of_day(wall_zero_s + t_s)}"

    axes.xaxis.set_major_formatter(tick_label)
    below = "" if wall_zero_s is None else "; below it the time of day, UTC"
    axes.set_xlabel(f"time since the run's start, {'min:s' if is_long else 's'}{below}", loc="left")


def time_of_day(wall_s: float) -> str:
    """`08:15:30`, UTC."""
    return f"{datetime.fromtimestamp(wall_s, UTC):%H:%M:%S}"


def at_time(t_s: float, wall_zero_s: float | None) -> str:
    """A moment of a run as a hover value says it: `12.5 s, 08:15:30 UTC`."""
    return f"{t_s:.2f} s" + ("" if wall_zero_s is None else f", {time_of_day(wall_zero_s + t_s)} UTC")


def wall_zero(runs: Sequence[LoadedRun]) -> float | None:
    """The zero of a single run on the wall clock; several have none in common."""
    return runs[0].wall_zero_s if len({id(run) for run in runs}) == 1 else None


def latency_axis(axes: Any, values_ms: Sequence[NDArray[Any]]) -> None:
    """A logarithmic axis in ms around all positive `values_ms`, with ticks one can read: 1, 2, 5, 10, ..."""
    from matplotlib.ticker import FixedLocator, NullLocator

    positive = np.concatenate([v[np.isfinite(v) & (v > 0)] for v in values_ms] or [np.empty(0)])
    low, high = (float(positive.min()), float(positive.max())) if len(positive) else (1.0, 10.0)
    high = max(high, 1.6 * low)
    mantissas = next(m for widest, m in _LATENCY_TICKS if high / low <= widest)
    low, high = low / 1.12, high * 1.12
    axes.set_ylim(low, high)
    axes.set_yscale("log")  # after its limits, or it looks for some in data that may be all zero
    ticks = [mantissa * 10.0**e for e in range(-4, 8) for mantissa in mantissas]
    axes.yaxis.set_major_locator(FixedLocator(_within(axes, ticks)))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.6g}")
    axes.yaxis.set_minor_locator(NullLocator())


def lonely(values: NDArray[Any]) -> dict[str, Any]:
    """Style for a line: a dot at every value without a neighbour, for a line through one point does not show."""
    known = np.pad(np.isfinite(np.asarray(values, dtype=np.float64)), 1)
    alone = known[1:-1] & ~known[:-2] & ~known[2:]
    return {"marker": "o", "markersize": 4, "markevery": np.flatnonzero(alone).tolist()}


def difference_axis(axes: Any, bounds_ms: Sequence[float], *, min_effect_ms: float) -> None:
    """Differences in ms, linear up to twice `min_effect_ms` and logarithmic beyond, so that p50 shows beside p99.9."""
    from matplotlib.ticker import FixedLocator, NullLocator

    low = min(1.3 * min(bounds_ms), -2 * min_effect_ms)
    high = max(1.6 * max(bounds_ms), 2 * min_effect_ms)
    steps = [m * 10.0**e for e in range(-4, 7) for m in (1, 2, 5) if min_effect_ms / 1.01 <= m * 10.0**e]
    steps = [step for step in steps if step <= max(high, -low)]
    steps = steps[:: 1 + len(steps) // 8]
    axes.set_yscale("symlog", linthresh=2 * min_effect_ms, linscale=0.7)
    axes.set_ylim(low, high)
    axes.yaxis.set_major_locator(FixedLocator(_within(axes, [*(-step for step in steps), 0.0, *steps])))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:+,.6g}".replace("-", MINUS) if value else "0")


def _within(axes: Any, ticks: Sequence[float]) -> list[float]:
    """Those that show: matplotlib makes, places and measures each tick it is given, a millisecond's work."""
    low, high = sorted(axes.get_ylim())
    return [tick for tick in ticks if low <= tick <= high]


def say_no_data(axes: Any, text: str) -> None:
    """One quiet line in the middle of empty axes."""
    axes.set_yticks([])
    axes.grid(visible=False)
    axes.text(0.01, 0.5, text, transform=axes.transAxes, ha="left", va="center", color=light("muted"))


def legend(figure: Any, strokes: Mapping[str, Stroke]) -> None:
    """The variants above the plot, in their strokes."""
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=stroke.light, linestyle=stroke.dash, linewidth=2.2, label=label)
        for label, stroke in strokes.items()
    ]
    columns = 4 if max(map(len, strokes), default=0) < 20 else 2
    figure.legend(handles=handles, loc="outside upper left", ncols=columns, handlelength=1.6)
