"""A step in load over time: what was due and answered, p99, and when it was taken. Edge: matplotlib."""

from __future__ import annotations

from bench.capacity.step import Recovery, Windows
from bench.report.axes import latency_axis
from bench.report.canvas import Plot, draw_style, finish, new_figure
from bench.report.palette import light


def step_plot(found: Windows, recovery: Recovery, *, said: str) -> Plot:
    """Requests a second above, p99 below; the time until the load was taken is shaded."""
    at, per_s = found.begins_s + found.width_s / 2, 1 / found.width_s
    with draw_style():
        figure, [[above], [below]] = new_figure(heights_in=[2.4, 2.4])
        above.plot(at, found.due * per_s, color=light("muted"), label="due", drawstyle="steps-mid")
        for counts, colour, name in (
            (found.answered, "blue", "answered"),
            (found.throttled, "orange", "429"),
            (found.failed, "vermillion", "failed"),
        ):
            above.plot(at, counts * per_s, color=light(colour), label=name)
        above.set_title("requests a second")
        above.legend(loc="upper left", ncols=4)
        below.plot(at, found.p99_ms, color=light("vermillion"))
        below.axhline(recovery.bound_ms, color=light("muted"), linestyle="dashed")
        latency_axis(below, [found.p99_ms[found.p99_ms > 0]])
        below.set_title("response time p99, ms")
        below.set_xlabel("seconds after the step")
        end = recovery.after_s if recovery.after_s is not None else float(at[-1])
        for axes in (above, below):
            axes.axvspan(0, end, color=light("zone"), alpha=0.5, zorder=0)
        return finish(figure, name="scale", title="A step in load", caption=f"{said}.", alt=f"{said}.")
