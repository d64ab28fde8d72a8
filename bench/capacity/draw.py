"""Latency against rate, with the highest rate that holds. Edge: matplotlib."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.capacity.search import Probe
from bench.report.axes import latency_axis
from bench.report.canvas import Plot, draw_style, finish, new_figure
from bench.report.palette import light

_LINES = (("p50", "blue"), ("p99", "vermillion"))


def knee(probes: Sequence[Probe], *, best: float | None, objective: str) -> Plot:
    """Response time p50 and p99 of every probe by its rate; probes that held are full, others hollow."""
    ordered = sorted(probes, key=lambda probe: probe.rate)
    with draw_style():
        figure, [[axes]] = new_figure(heights_in=[3.6])
        for name, colour in _LINES:
            points = [
                (probe.rate, probe.figures[name], probe.holds is True) for probe in ordered if probe.figures.get(name)
            ]
            axes.plot([x for x, _, _ in points], [y for _, y, _ in points], color=light(colour), label=name, zorder=2)
            for x, y, held in points:
                face = light(colour) if held else light("page")
                axes.plot([x], [y], "o", color=light(colour), markerfacecolor=face, zorder=3)
        if best is not None:
            axes.axvline(best, color=light("muted"), linestyle="dashed", zorder=1)
            axes.annotate(
                f" {best:,.0f}/s", (best, 1), xycoords=("data", "axes fraction"), va="top", color=light("ink")
            )
        times = [probe.figures.get(name) for probe in ordered for name, _ in _LINES]
        latency_axis(axes, [np.array([value for value in times if value is not None])])
        axes.set_xlabel("arrival rate, requests/s")
        axes.set_title("response time, ms")
        axes.legend(loc="upper left", ncols=2)
        return finish(
            figure,
            name="capacity",
            title="Latency against rate",
            caption=f"Full points held {objective}, hollow ones did not.",
            alt=f"Response time p50 and p99 by arrival rate; the objective {objective} holds up to {best}.",
        )
