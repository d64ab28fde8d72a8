"""The heat map of response time over time, one panel a variant. Edge: matplotlib.

Cells are vector shapes in a few steps of opacity, so that they follow the page's theme and print sharp.
A step is one path around all cells of at least its number of requests, drawn over the steps before it, so that no
seam shows between cells and the file stays small.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.analysis.series import HeatMap
from bench.numbers import milliseconds, plural
from bench.report import hover
from bench.report.axes import at_time, latency_axis, say_no_data, time_axis, wall_zero
from bench.report.canvas import CRISP, new_figure
from bench.report.palette import light
from bench.report.side import Side

_STEPS = 6
_OPACITY = 0.25


def heat_maps(sides: Sequence[Side], maps: Sequence[HeatMap]) -> Any:
    """How many requests took how long, when; the legend tells the numbers of requests in a cell."""
    from matplotlib.patches import Patch

    figure, rows = new_figure(heights_in=[2.3] * max(len(maps), 1), share_y=True)
    axes = [row[0] for row in rows]
    steps = _steps(max((int(one.counts.max(initial=0)) for one in maps), default=0))
    if maps:
        begin_s, until_s = min(float(m.edges_s[0]) for m in maps), max(float(m.edges_s[-1]) for m in maps)
        time_axis(axes[-1], begin_s, until_s, wall_zero_s=wall_zero([side.run for side in sides]))
    for target, side, one in zip(axes, sides, maps, strict=False):
        target.set_title(f"response time of {side.label}, ms")
        if not one.counts.any():
            say_no_data(target, "no sample")
            continue
        latency_axis(target, [one.latency_edges_ms for one in maps if one.counts.any()])
        for fewest in steps[:-1]:
            _draw_cells(target, one, one.counts >= fewest, side.stroke.light)
        _say_columns(target, side, one)
    handles = [
        Patch(color=light("ink"), alpha=1 - (1 - _OPACITY) ** layers, linewidth=0, label=_range(fewest, most - 1))
        for layers, (fewest, most) in enumerate(pairwise(steps), start=1)
    ]
    if handles:
        figure.legend(
            handles=handles,
            loc="outside upper left",
            ncols=len(handles),
            title="requests in a cell",
            alignment="left",
            handlelength=1.2,
            handleheight=1.0,
        )
    return figure


def _steps(most: int) -> list[int]:
    """Rising limits [1, ..., most + 1], evenly spaced on a logarithm, for at most `_STEPS` steps."""
    if most < 1:
        return []
    limits = np.geomspace(1, most + 1, _STEPS + 1)
    return sorted({round(float(limit)) for limit in limits})


def _range(fewest: int, most: int) -> str:
    return f"{fewest:,}" if fewest == most else f"{fewest:,} to {most:,}"


def _say_columns(axes: Any, side: Side, one: HeatMap) -> None:
    """How many requests each stretch of time has, and between which times they lie."""
    for column in np.flatnonzero(one.counts.any(axis=1)):
        cells = np.flatnonzero(one.counts[column])
        low, high = (milliseconds(float(one.latency_edges_ms[i])) for i in (cells[0], cells[-1] + 1))
        left, right = one.edges_s[column], one.edges_s[column + 1]
        many = plural(int(one.counts[column].sum()), "request")
        hover.say(axes, left, right, f"{at_time(left, side.run.wall_zero_s)}: {many}, {low} to {high} ms")


def _draw_cells(axes: Any, one: HeatMap, mask: NDArray[Any], colour: str) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    corners = list(_rectangles(one, mask))
    if corners:
        path = Path(
            np.concatenate(corners), [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY] * len(corners)
        )
        axes.add_patch(PathPatch(path, facecolor=colour, alpha=_OPACITY, linewidth=0, antialiased=False, gid=CRISP))


def _rectangles(one: HeatMap, mask: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """The corners of every stretch of neighbouring cells in a time step."""
    edges = np.diff(np.pad(mask.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    starts, ends = np.argwhere(edges == 1), np.argwhere(edges == -1)
    for (column, low), (_, high) in zip(starts, ends, strict=True):
        left, right = one.edges_s[column], one.edges_s[column + 1]
        bottom, top = one.latency_edges_ms[low], one.latency_edges_ms[high]
        yield np.array([(left, bottom), (right, bottom), (right, top), (left, top), (left, bottom)])
