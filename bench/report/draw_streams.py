"""The plots of streamed answers over time: first tokens, gaps and tokens a second, and a few answers token by token.

Edge: matplotlib.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.analysis.run import Floats
from bench.analysis.stream_series import Timeline, TokenSeries
from bench.metrics import kind_of_failure
from bench.numbers import milliseconds, plural
from bench.report import hover
from bench.report.axes import at_time, legend, lonely, say_no_data, time_axis, wall_zero
from bench.report.canvas import new_figure
from bench.report.lines_over_time import draw, window_s
from bench.report.palette import light
from bench.report.side import Side
from bench.sample import Outcome

_LANE_IN = 0.34
_MOST_LANES = 16
_MOST_TICKS = 600
"""In the width of the plot: closer together they are one band, and a long answer has a hundred thousand."""


def over_time(sides: Sequence[Side], tokens: Sequence[TokenSeries]) -> Any:
    """p50 and p99 of the time to the first token and of the gaps, and tokens a second, on one time axis."""
    figure, rows = new_figure(heights_in=[2.3, 1.8, 1.1])
    first, gap, rate = (row[0] for row in rows)
    runs = [side.run for side in sides]
    time_axis(rate, *window_s(runs), wall_zero_s=wall_zero(runs))
    draw(first, "time to first token, ms", sides, tokens, [one.first_token for one in tokens])
    draw(gap, "between tokens, ms", sides, tokens, [one.gap for one in tokens])
    rate.set_title("tokens a second")
    for side, one in zip(sides, tokens, strict=True):
        style = {"color": side.stroke.light, "linestyle": side.stroke.dash, **lonely(one.tokens_per_s)}
        rate.plot(one.t_s, one.tokens_per_s, linewidth=1.6, **style)
    rate.set_ylim(0, max(1.1 * max(one.tokens_per_s.max(initial=0.0) for one in tokens), 1.0))
    legend(figure, {side.label: side.stroke for side in sides})
    return figure


def timelines(sides: Sequence[Side], chosen: Sequence[Sequence[Timeline]]) -> Any:
    """A lane an answer: a thin line until its first token, a mark for each token, a cross where it ended early."""
    most = max(_MOST_LANES // max(len(sides), 1), 1)
    lanes = [(side, one) for side, some in zip(sides, chosen, strict=True) for one in some[:most]]
    figure, rows = new_figure(heights_in=[max(_LANE_IN * len(lanes), 0.55)])
    axes = rows[0][0]
    axes.set_title("answers token by token")
    axes.set_xlabel("ms since the request was due", loc="left")
    if not lanes:
        say_no_data(axes, "no answer had a token")
        return figure
    end_ms = max(1e-3, *(one.done_ms for _, one in lanes))
    axes.set_xlim(0, end_ms * 1.01)
    axes.set_ylim(len(lanes) - 0.4, -0.6)
    axes.set_yticks(range(len(lanes)), [f"{side.label}: {one.why}" for side, one in lanes])
    axes.grid(visible=False, axis="y")
    for y, (side, one) in enumerate(lanes):
        _draw_lane(axes, y, side, one, apart_ms=end_ms / _MOST_TICKS)
    return figure


def _draw_lane(axes: Any, y: int, side: Side, one: Timeline, *, apart_ms: float) -> None:
    colour = side.stroke.light
    axes.plot([0, one.token_ms[0]], [y, y], linewidth=1.0, color=light("muted"), linestyle="dotted")
    axes.plot([one.token_ms[0], one.done_ms], [y, y], linewidth=1.0, color=colour, alpha=0.5)
    marks = _apart(one.token_ms, apart_ms)
    axes.plot(marks, [y] * len(marks), linestyle="none", marker="|", markersize=10, markeredgewidth=1.0, color=colour)
    ended_well = one.ended[0] == Outcome.OK
    if not ended_well:
        axes.plot([one.done_ms], [y], linestyle="none", marker="x", markersize=7, markeredgewidth=2, color=light("bad"))
    longest = f", longest gap {milliseconds(float(np.diff(one.token_ms).max()))} ms" if len(one.token_ms) > 1 else ""
    ended = "ended" if ended_well else f"{kind_of_failure(*one.ended)},"
    said = (
        f"{side.label}, due at {at_time(one.due_s, side.run.wall_zero_s)}: first token after "
        f"{milliseconds(float(one.token_ms[0]))} ms, {plural(len(one.token_ms), 'token')}{longest}, "
        f"{ended} after {milliseconds(one.done_ms)} ms"
    )
    hover.say(axes, 0, one.done_ms, said, low=y + 0.5, high=y - 0.5)


def _apart(times_ms: Floats, apart_ms: float) -> Floats:
    """Those of the times that do not lie on another, the first of each."""
    _, first = np.unique((times_ms / apart_ms).astype(np.int64), return_index=True)
    kept: Floats = times_ms[first]
    return kept
