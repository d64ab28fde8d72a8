"""p50 and p99 of a time over the run, for every variant, with the figures shown at the pointer. Edge: matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bench.analysis.run import Floats, Ints, LoadedRun
from bench.analysis.time_bins import QuantileLines
from bench.numbers import milliseconds, plural
from bench.report import draw_events, hover
from bench.report.axes import at_time, latency_axis, lonely, say_no_data
from bench.report.palette import light
from bench.report.side import Side

_MOST_BANDS = 2
_FLOOR_MS = 0.001
"""The axis is logarithmic, and all tokens that come at once have gaps of 0."""


class Binned(Protocol):
    """Anything in bins of time; `count` is how many answers each holds."""

    @property
    def t_s(self) -> Floats: ...
    @property
    def edges_s(self) -> Floats: ...
    @property
    def count(self) -> Ints: ...


def draw(
    axes: Any, title: str, sides: Sequence[Side], binned: Sequence[Binned], lines: Sequence[QuantileLines]
) -> None:
    """p50 thick and p99 thin in the stroke of each side, refreshes as hairlines; the axis fits what is drawn."""
    axes.set_title(title)
    shown = [[np.maximum(values, _FLOOR_MS) for values in (line.p50_ms, line.p99_ms)] for line in lines]
    for side, one, (p50_ms, p99_ms) in zip(sides, binned, shown, strict=True):
        style = {"color": side.stroke.light, "linestyle": side.stroke.dash, **lonely(p50_ms)}
        if len(sides) <= _MOST_BANDS:
            axes.fill_between(one.t_s, p50_ms, p99_ms, color=side.stroke.light, alpha=0.1, linewidth=0)
        axes.plot(one.t_s, p99_ms, linewidth=1.0, **style)
        axes.plot(one.t_s, p50_ms, linewidth=2.0, **style)
    latency_axis(axes, [values for pair in shown for values in pair])
    if any(np.count_nonzero(one.count) > 1 for one in binned):
        _name_line(axes, [p50_ms for p50_ms, _ in shown], "p50")
        _name_line(axes, [p99_ms for _, p99_ms in shown], "p99")
    elif not any(one.count.any() for one in binned):
        say_no_data(axes, "no sample")
    draw_events.mark_refreshes(axes, sides)
    _say_bins(axes, sides, binned, lines)


def _say_bins(axes: Any, sides: Sequence[Side], binned: Sequence[Binned], lines: Sequence[QuantileLines]) -> None:
    """The figures of each stretch of time, of all sides that have the same one."""
    texts_at: dict[tuple[float, float], list[str]] = {}
    for side, one, line in zip(sides, binned, lines, strict=True):
        for i in np.flatnonzero(np.isfinite(line.p50_ms)):
            texts = texts_at.setdefault(
                (one.edges_s[i], one.edges_s[i + 1]), [at_time(one.t_s[i], side.run.wall_zero_s)]
            )
            p50, p99 = (milliseconds(float(values[i])) for values in (line.p50_ms, line.p99_ms))
            texts.append(f"{side.label}: p50 {p50} ms, p99 {p99} ms of {plural(int(one.count[i]), 'answer')}")
    for (left, right), texts in texts_at.items():
        hover.say(axes, left, right, "; ".join(texts))


def _name_line(axes: Any, lines_ms: Sequence[NDArray[Any]], name: str) -> None:
    """Write `name` at the right end of the lines, in the middle of where they end."""
    ends = [line[np.isfinite(line)][-1] for line in lines_ms if np.isfinite(line).any()]
    if ends:
        place = (1.0, float(np.exp(np.mean(np.log(ends)))))
        axes.annotate(
            name,
            place,
            xycoords=axes.get_yaxis_transform(),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            color=light("muted"),
            annotation_clip=False,
        )


def window_s(runs: Sequence[LoadedRun]) -> tuple[float, float]:
    """The measured stretch of all runs together."""
    windows = [run.window_ns for run in runs]
    return min(begin for begin, _ in windows) / 1e9, max(until for _, until in windows) / 1e9
