"""How requests ended over time, by outcome and cause; what was sent, answered and under way. Edge: matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.analysis.outcome_series import OutcomeSeries
from bench.metrics import OUTCOMES
from bench.numbers import rate
from bench.report import hover
from bench.report.axes import at_time, legend, lonely, say_no_data, time_axis, wall_zero
from bench.report.canvas import CRISP, new_figure
from bench.report.palette import light
from bench.report.side import Side
from bench.sample import Outcome

_FAILURES = ("bad", "purple", "orange", "yellow", "sky", "slate", "ink")
_OK = OUTCOMES[Outcome.OK].title


def outcomes_over_time(sides: Sequence[Side], found: Sequence[OutcomeSeries]) -> Any:
    """A row a side: requests a second by how they ended, with what was sent and answered as lines; then in flight."""
    figure, rows = new_figure(heights_in=[1.5] * len(sides) + [0.9])
    axes = [row[0] for row in rows]
    edges = [edge for one in found for edge in (one.edges_s[0], one.edges_s[-1])]
    time_axis(axes[-1], min(edges), max(edges), wall_zero_s=wall_zero([side.run for side in sides]))
    names = list(dict.fromkeys(name for one in found for name, _ in one.bands if name != _OK))
    colours = {name: light(_FAILURES[i % len(_FAILURES)]) for i, name in enumerate(names)} | {_OK: light("zone")}
    for target, side, one in zip(axes, sides, found, strict=False):
        _draw(target, side, one, colours)
    axes[-1].set_title("requests in flight")
    for side, one in zip(sides, found, strict=True):
        style = {"color": side.stroke.light, "linestyle": side.stroke.dash, **lonely(one.in_flight)}
        axes[-1].plot(one.t_s, one.in_flight, linewidth=1.4, **style)
    axes[-1].set_ylim(0, max(axes[-1].get_ylim()[1], 1.0))
    legend(figure, {side.label: side.stroke for side in sides})
    return figure


def _draw(axes: Any, side: Side, one: OutcomeSeries, colours: dict[str, str]) -> None:
    axes.set_title(f"{side.label}, requests/s")
    below = np.zeros(len(one.t_s))
    for i, t_s in enumerate(one.t_s):
        rates = ", ".join(f"{name} {rate(values[i])}" for name, values in one.bands if values[i])
        when = at_time(t_s, side.run.wall_zero_s)
        sent, answered = rate(one.sent[i]), rate(one.answered[i])
        hover_text = f"{when}: {rates or 'nothing due'}; sent {sent}, answered {answered}"
        hover.say(axes, one.edges_s[i], one.edges_s[i + 1], hover_text)
    for name, band in one.bands:
        drawn = axes.stairs(
            below + band, one.edges_s, baseline=below, fill=True, color=colours[name], label=name, linewidth=0
        )
        drawn.set_gid(CRISP)
        below = below + band
    axes.plot(one.t_s, one.sent, linewidth=1.0, linestyle="dotted", color=light("ink"), label="sent")
    axes.plot(one.t_s, one.answered, linewidth=1.0, color=light("ink"), label="answered")
    axes.set_ylim(0, max(1.0, float(max(below.max(initial=0.0), one.answered.max(initial=0.0))) * 1.15))
    if not one.bands:
        say_no_data(axes, "no sample")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=5, handlelength=0.9, handleheight=0.9)
