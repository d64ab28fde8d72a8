"""The runs of a set one below the other, each with its own interval, and what they say together. Edge: matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench import metrics, numbers
from bench.report import hover
from bench.report.axes import legend
from bench.report.canvas import Plot, draw_style, finish, new_figure
from bench.report.palette import Stroke, light, strokes
from bench.report.words import comparisons

_QUANTILES = ("p50", "p99")
_TOGETHER = "together"


@dataclass(frozen=True, slots=True)
class _Mark:
    """A figure with its interval, or without; one that does not count is drawn hollow."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    counts: bool = True


def runs_plot(summary: Mapping[str, Any]) -> Plot | None:
    """Response times of every run, first tokens where it streamed, and below them each candidate's difference.

    None where no run has a figure.
    """
    variants = strokes({name: block["auth_mode"] for name, block in summary["variants"].items()})
    titles = {"response_time": "response time"}
    if any(block.get("streams") for block in summary["variants"].values()):
        titles[metrics.TIME_TO_FIRST_TOKEN] = "first token"
    rows = [_absolute(summary, variants, metric, title) for metric, title in titles.items()]
    rows += [
        _compared(summary, variants, one, metric, title)
        for one in comparisons(summary)
        for metric, title in titles.items()
        if f"{metric}_ms" in one
    ]
    if not any(mark.value is not None for row in rows for marks in row.marks for mark in marks.values()):
        return None
    counted_runs = numbers.plural(sum(not line["left_out"] for line in summary["runs"]), "run")
    with draw_style():
        places = len(summary["runs"]) + 1
        figure, axes = new_figure(heights_in=[0.26 * places + 0.2 for _ in rows], columns=2, share_x=False)
        for row, cells in zip(rows, axes, strict=True):
            for cell, title, marks in zip(cells, row.titles, row.marks, strict=True):
                _draw(cell, title, marks, row.strokes, places=places, from_zero=row.differences)
        legend(figure, variants)
        return finish(
            figure,
            name="runs",
            title="Run by run",
            caption="A line is the 95 % interval within a run, which knows nothing of other runs; the last row is the "
            "mean over runs with the interval between them, by which the set is judged. A hollow mark is of a run that "
            "is left out; it may lie beyond the axis.",
            alt=f"{counted_runs} that count, one below the other, with intervals; the report lists why others do not.",
        )


@dataclass(frozen=True, slots=True)
class _Row:
    """Two axes beside each other: by quantile what stands in them, variant by variant, a mark a run."""

    titles: Sequence[str]
    marks: Sequence[Mapping[tuple[str, int], _Mark]]
    strokes: Mapping[str, Stroke]
    differences: bool


def _absolute(summary: Mapping[str, Any], variants: Mapping[str, Stroke], metric: str, title: str) -> _Row:
    def marks(quantile: str) -> dict[tuple[str, int], _Mark]:
        found = {}
        for name, block in summary["variants"].items():
            for place, line in enumerate(summary["runs"]):
                figure = line["figures"].get(name, {}).get(f"{metric}.{quantile}")
                interval = line["intervals"].get(name, {}).get(f"{metric}.{quantile}", {})
                found[name, place] = _mark(line["run_id"], figure, interval, counts=not line["left_out"])
            own = block.get(f"{metric}_ms_interval", {}).get(quantile, {})
            value = block.get(f"{metric}_ms", {}).get(quantile)
            found[name, len(summary["runs"])] = _mark(_TOGETHER, value, own)
        return found

    titles = [f"{title} {quantile}, ms" for quantile in _QUANTILES]
    return _Row(titles, [marks(quantile) for quantile in _QUANTILES], variants, differences=False)


def _compared(
    summary: Mapping[str, Any], variants: Mapping[str, Stroke], comparison: Mapping[str, Any], metric: str, title: str
) -> _Row:
    def marks(quantile: str) -> dict[tuple[str, int], _Mark]:
        candidate, found = comparison["candidate"], {}
        for place, line in enumerate(summary["runs"]):
            difference = line["differences"].get(candidate, {}).get(f"{metric}.{quantile}", {})
            found[candidate, place] = _mark(
                line["run_id"], difference.get("estimate"), difference, counts=not line["left_out"]
            )
        own = comparison[f"{metric}_ms"].get(quantile, {})
        found[candidate, len(summary["runs"])] = _mark(_TOGETHER, own.get("estimate"), own)
        return found

    of = "" if metric == "response_time" else f"{title} of "
    titles = [f"{of}{comparison['candidate']} less {comparison['baseline']} at {q}, ms" for q in _QUANTILES]
    return _Row(titles, [marks(quantile) for quantile in _QUANTILES], variants, differences=True)


def _mark(name: str, value: float | None, interval: Mapping[str, Any], *, counts: bool = True) -> _Mark:
    return _Mark(name, value, interval.get("low"), interval.get("high"), counts)


def _draw(
    axes: Any,
    title: str,
    marks: Mapping[tuple[str, int], _Mark],
    variants: Mapping[str, Stroke],
    *,
    places: int,
    from_zero: bool,
) -> None:
    axes.set_title(title)
    axes.grid(visible=False, axis="y")
    axes.set_yticks(range(places), [*(f"run {place + 1}" for place in range(places - 1)), _TOGETHER])
    axes.set_ylim(places - 0.4, -0.6)
    axes.axhspan(places - 1.5, places - 0.4, color=light("panel"), zorder=0)
    if from_zero:
        axes.axvline(0, color=light("muted"), linewidth=0.9)
    names = list(dict.fromkeys(name for name, _ in marks))
    for (name, place), mark in marks.items():
        if mark.value is None:
            continue
        y = place + 0.36 * ((names.index(name) + 0.5) / len(names) - 0.5)
        colour, together = variants[name].light, place == places - 1
        if mark.low is not None and mark.high is not None:
            axes.plot([mark.low, mark.high], [y, y], color=colour, linewidth=2.4 if together else 1.4)
        axes.plot(
            mark.value,
            y,
            "D" if together else "o",
            markersize=6,
            color=colour,
            markerfacecolor=colour if mark.counts else light("page"),
        )
        low, high = (mark.value if end is None else end for end in (mark.low, mark.high))
        hover.say(axes, low, high, _hover_text(name, mark, difference=from_zero), low=y + 0.2, high=y - 0.2)
    axes.set_xlim(*_span([mark for mark in marks.values() if mark.counts], from_zero=from_zero))


def _span(counting: Sequence[_Mark], *, from_zero: bool) -> tuple[float, float]:
    """Around what counts: a run that is left out may be slow beyond all bounds."""
    values = [end for mark in counting for end in (mark.low, mark.value, mark.high) if end is not None]
    values += [0.0] if from_zero or not values else []
    low, high = min(values), max(values)
    room = 0.08 * (high - low) or 0.08 * abs(high) or 1.0
    return low - room, high + room


def _hover_text(name: str, mark: _Mark, *, difference: bool) -> str:
    ends = {"low": mark.low, "high": mark.high}
    figure = numbers.difference(mark.value) if difference else numbers.milliseconds(mark.value)
    interval = numbers.interval(ends) if difference else numbers.span(ends)
    return ", ".join(filter(None, (mark.name, name, f"{figure} ms", interval, "" if mark.counts else "left out")))
