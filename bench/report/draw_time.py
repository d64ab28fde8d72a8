"""The plots over time: latency with its events and auth failures, and the harness's own state. Edge: matplotlib.

Every figure is drawn from bins (`analysis.series`), never from single samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.analysis import series
from bench.analysis.run import LoadedRun
from bench.analysis.series import AuthFailureSeries, LatencySeries, ScheduleLagSeries
from bench.analysis.trust import LIMITS
from bench.numbers import milliseconds, percent
from bench.report import draw_events, hover
from bench.report.axes import at_time, latency_axis, legend, lonely, say_no_data, time_axis, wall_zero
from bench.report.canvas import new_figure
from bench.report.lines_over_time import draw, window_s
from bench.report.palette import CAUSE_COLOURS, light
from bench.report.side import Side

_LAG_FLOOR_MS = 0.001
_LAG_LINES: dict[str, dict[str, Any]] = {
    "p50": {"color": light("ink"), "linewidth": 2.0},
    "p99": {"color": light("ink"), "linewidth": 1.0},
    "max": {"color": light("muted"), "linewidth": 0.8, "linestyle": "dashed"},
    "limit of p99": {"color": light("bad"), "linewidth": 1.2, "linestyle": "dashdot"},
}


def latency_over_time(
    sides: Sequence[Side], latencies: Sequence[LatencySeries], failures: Sequence[AuthFailureSeries]
) -> Any:
    """p50 and p99 of response and service time; events above, auth failures by cause below, on one time axis."""
    failing = [(side, failed) for side, failed in zip(sides, failures, strict=True) if failed.by_cause]
    lanes = draw_events.lanes(sides)
    heights_in = [draw_events.height_in(lanes)] * bool(lanes) + [2.5, 2.0] + ([1.05] * len(failing) or [0.55])
    figure, rows = new_figure(heights_in=heights_in)
    axes = [row[0] for row in rows]
    runs = [side.run for side in sides]
    time_axis(axes[-1], *window_s(runs), wall_zero_s=wall_zero(runs))
    if lanes:
        draw_events.draw(axes.pop(0), lanes)
    draw(axes[0], "response time, ms", sides, latencies, [one.response_time for one in latencies])
    draw(axes[1], "service time, ms", sides, latencies, [one.service_time for one in latencies])
    for target, (side, failed) in zip(axes[2:], failing, strict=False):
        _draw_auth_failures(target, side, failed)
        draw_events.mark_refreshes(target, [side])
    if not failing:
        axes[2].set_title("auth failures, % of requests")
        say_no_data(axes[2], "none")
    legend(figure, {side.label: side.stroke for side in sides})
    return figure


def harness_over_time(run: LoadedRun, lag: ScheduleLagSeries) -> Any:
    """What the harness did to itself: schedule lag, requests in flight and overdue, and the CPU of its workers."""
    from matplotlib.lines import Line2D

    figure, rows = new_figure(heights_in=[2.0, 0.9, 0.9])
    lagging, flying, cpu = (row[0] for row in rows)
    time_axis(cpu, *window_s([run]), wall_zero_s=run.wall_zero_s)
    _draw_schedule_lag(lagging, run, lag)
    for target in (flying, cpu):
        _say_workers(target, run, lag.edges_s)
    flying.set_title("requests in flight (thin) and overdue (thick), per worker")
    cpu.set_title("CPU, % of one core, per worker")
    for worker in series.health(run):
        style = {"color": light("ink"), **lonely(worker.t_s)}
        flying.plot(worker.t_s, worker.in_flight, linewidth=0.8, **style)
        flying.plot(worker.t_s, worker.backlog, linewidth=2.0, **style)
        cpu.plot(worker.t_s, 100 * worker.cpu, linewidth=1.2, **style)
    if not any(len(worker.t_s) for worker in series.health(run)):
        say_no_data(flying, "no health record")
        say_no_data(cpu, "no health record")
    flying.set_ylim(0, max(flying.get_ylim()[1], 1.0))
    cpu.set_ylim(0, 105)
    handles = [Line2D([], [], label=name, **style) for name, style in _LAG_LINES.items()]
    figure.legend(handles=handles, loc="outside upper left", ncols=len(handles), handlelength=1.6)
    return figure


def _draw_schedule_lag(axes: Any, run: LoadedRun, lag: ScheduleLagSeries) -> None:
    axes.set_title("schedule lag, ms")
    if not run.open_model or not run.measured.any():
        say_no_data(axes, "no sample" if run.open_model else "closed model: no request was scheduled")
        return
    values_ms = {"p50": lag.lag.p50_ms, "p99": lag.lag.p99_ms, "max": lag.lag.max_ms}
    drawn = {name: np.maximum(values, _LAG_FLOOR_MS) for name, values in values_ms.items()}
    for name, values in drawn.items():
        axes.plot(lag.t_s, values, **_LAG_LINES[name], **lonely(values))
    limit_ms = LIMITS["lag_p99_suspect_ms"]
    axes.axhline(limit_ms, **_LAG_LINES["limit of p99"])
    latency_axis(axes, [*drawn.values(), np.array([limit_ms])])
    draw_events.mark_stalls(axes, run)
    for i in np.flatnonzero(np.isfinite(lag.lag.p50_ms)):
        figures = ", ".join(f"{name} {milliseconds(float(values[i]))} ms" for name, values in values_ms.items())
        hover.say(axes, lag.edges_s[i], lag.edges_s[i + 1], f"{at_time(lag.t_s[i], run.wall_zero_s)}: {figures}")


def _say_workers(axes: Any, run: LoadedRun, edges_s: NDArray[Any]) -> None:
    """The most that each worker said of itself in each stretch of time."""
    workers = series.health(run)
    for begin_s, until_s in pairwise(edges_s):
        texts = []
        for worker in workers:
            inside = (worker.t_s >= begin_s) & (worker.t_s < until_s)
            if inside.any():
                flying, overdue = worker.in_flight[inside].max(), worker.backlog[inside].max()
                busy = percent(float(worker.cpu[inside].max()))
                texts.append(f"{worker.worker}: in flight {flying:,.0f}, overdue {overdue:,.0f}, CPU {busy}")
        if texts:
            hover.say(axes, begin_s, until_s, "; ".join((at_time(begin_s, run.wall_zero_s), *texts)))


def _draw_auth_failures(axes: Any, side: Side, failed: AuthFailureSeries) -> None:
    axes.set_title(f"auth failures of {side.label}, % of requests")
    below = np.zeros(len(failed.t_s))
    for cause, share in failed.by_cause:
        percent = 100 * np.nan_to_num(share)
        colour = light(CAUSE_COLOURS.get(cause, "muted"))
        axes.stairs(below + percent, failed.edges_s, baseline=below, fill=True, color=colour, label=cause)
        below += percent
    axes.set_ylim(0, max(1.0, float(below.max(initial=0.0)) * 1.1))
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=4, handlelength=0.9, handleheight=0.9)
