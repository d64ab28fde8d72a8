"""The events of a run on its time axis: faults, credential fetches, hub stalls and stages, a lane each.

Edge: matplotlib.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.analysis import series
from bench.analysis.parts import stage_spans
from bench.analysis.run import LoadedRun
from bench.numbers import milliseconds
from bench.report import hover
from bench.report.axes import at_time
from bench.report.palette import light
from bench.report.side import Side

_MOST_LINES = 40
_MOST_MARKS = 500
"""Marks in a lane: more of them would lie on one another, and a saturated client has a hundred thousand stalls."""
_MOST_FAULTS = 8
_LANE_IN = 0.24


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One row of marks; `texts` are written to the right of theirs, `details` (from, to, what) shown at the pointer."""

    name: str
    colour: str
    ok_s: tuple[float, ...] = ()
    failed_s: tuple[float, ...] = ()
    spans_s: tuple[tuple[float, float], ...] = ()
    texts: tuple[str, ...] = ()
    details: tuple[tuple[float, float, str], ...] = ()


def lanes(sides: Sequence[Side]) -> tuple[Lane, ...]:
    """A lane a scripted fault and a variant that fetched anything in the measured time, then hub stalls and stages."""
    runs = {id(side.run): side.run for side in sides}.values()
    found = [lane for run in runs for lane in _fault_lanes(run)]
    for side in sides:
        begin_s = side.run.window_ns[0] / 1e9
        flights = [mark for mark in series.flights(side.run, side.variant) if mark.start_s >= begin_s]
        if flights:
            found.append(
                Lane(
                    name=f"{side.variant} refresh",
                    colour=side.stroke.light,
                    ok_s=tuple(mark.start_s for mark in flights if mark.outcome == "ok"),
                    failed_s=tuple(mark.start_s for mark in flights if mark.outcome != "ok"),
                    details=tuple((mark.start_s, mark.end_s, _of_flight(mark, side.run)) for mark in flights),
                )
            )
    stalls = {at_s for run in runs for at_s in _stalls_apart(run)}
    if stalls:
        found.append(Lane(name="harness stall", colour=light("ink"), ok_s=tuple(sorted(stalls))))
    for run in runs:
        if spans := stage_spans(run):
            begin_s = run.window_ns[0] / 1e9
            edges_s = tuple(max(span.from_s, begin_s) for span in spans)
            texts = tuple(span.name for span in spans)
            name = "stage" if len(runs) == 1 else f"stage of {run.run_id}"
            found.append(Lane(name=name, colour=light("muted"), ok_s=edges_s, texts=texts))
    return tuple(found)


def _fault_lanes(run: LoadedRun) -> list[Lane]:
    """What was scripted, by name, as far as it lies in the measured time."""
    begin_s, until_s = (time_ns / 1e9 for time_ns in run.window_ns)
    named: dict[str, list[series.FaultMark]] = {}
    for fault in series.faults(run):
        if fault.from_s < until_s and fault.to_s >= begin_s:
            named.setdefault(fault.name, []).append(fault)
    return [
        Lane(
            name=f"fault: {name}",
            colour=light("bad"),
            ok_s=tuple(max(fault.from_s, begin_s) for fault in faults),
            spans_s=tuple((max(fault.from_s, begin_s), min(fault.to_s, until_s)) for fault in faults),
            details=tuple((fault.from_s, min(fault.to_s, until_s), _of_fault(fault, run)) for fault in faults),
        )
        for name, faults in list(named.items())[:_MOST_FAULTS]
    ]


def _of_fault(fault: series.FaultMark, run: LoadedRun) -> str:
    until = f" to {at_time(fault.to_s, run.wall_zero_s)}" if fault.to_s > fault.from_s else ""
    return f"scripted fault {fault.name}: {at_time(fault.from_s, run.wall_zero_s)}{until}"


def _of_flight(mark: series.FlightMark, run: LoadedRun) -> str:
    took_ms = 1000 * (mark.end_s - mark.start_s)
    ended = mark.outcome if mark.outcome == "ok" else f"{mark.outcome} {mark.error}"
    return f"{at_time(mark.start_s, run.wall_zero_s)}: {mark.cause}, {milliseconds(took_ms)} ms, {ended}"


def _stalls_apart(run: LoadedRun) -> list[float]:
    """The measured stalls of a run, of those that would share a mark the first."""
    begin_s, until_s = (time_ns / 1e9 for time_ns in run.window_ns)
    least_s = max(run.span_s, 1e-9) / _MOST_MARKS
    marks: dict[int, float] = {}
    for stall in series.stalls(run):
        if begin_s <= stall.at_s <= until_s:
            marks.setdefault(int((stall.at_s - begin_s) / least_s), stall.at_s)
    return list(marks.values())


def height_in(rows: Sequence[Lane]) -> float:
    """What the lanes need of the figure's height."""
    return _LANE_IN * len(rows) + 0.05


def draw(axes: Any, rows: Sequence[Lane]) -> None:
    """All lanes, the first on top."""
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_yticks(range(len(rows)), [lane.name for lane in rows])
    axes.grid(visible=False, axis="x")
    axes.spines["bottom"].set_visible(False)
    axes.tick_params(axis="x", length=0, labelbottom=False)
    for y, lane in enumerate(rows):
        for from_s, to_s in lane.spans_s:
            axes.plot([from_s, to_s], [y, y], linewidth=6, color=lane.colour, alpha=0.45, solid_capstyle="butt")
        _draw_marks(axes, y, lane.ok_s, marker="|", markersize=9, color=lane.colour)
        _draw_marks(axes, y, lane.failed_s, marker="x", markersize=7, color=light("bad"))
        for from_s, to_s, what in lane.details[:_MOST_MARKS]:
            hover.say(axes, from_s, to_s, what, low=y + 0.5, high=y - 0.5)
        for at_s, text in zip(lane.ok_s, lane.texts, strict=False):
            axes.annotate(text, (at_s, y), xytext=(5, 0), textcoords="offset points", va="center", color=lane.colour)


def _draw_marks(axes: Any, y: int, times_s: Sequence[float], **style: Any) -> None:
    if times_s:  # an empty line that is not clipped would lie at the figure's corner and upset the layout
        axes.plot(times_s, [y] * len(times_s), linestyle="none", markeredgewidth=2, clip_on=False, **style)


def mark_refreshes(axes: Any, sides: Sequence[Side]) -> None:
    """A hairline through `axes` at every refresh, unless there are too many to tell apart."""
    for side in sides:
        times_s = [mark.start_s for mark in series.flights(side.run, side.variant)]
        for at_s in times_s if len(times_s) <= _MOST_LINES else ():
            axes.axvline(at_s, color=side.stroke.light, linewidth=0.7, alpha=0.45)


def mark_stalls(axes: Any, run: LoadedRun) -> None:
    """A dotted line through `axes` at every stall, unless there are too many to tell apart."""
    stalls = series.stalls(run)
    for stall in stalls if len(stalls) <= _MOST_LINES else ():
        axes.axvline(stall.at_s, color=light("muted"), linewidth=0.8, linestyle="dotted")
