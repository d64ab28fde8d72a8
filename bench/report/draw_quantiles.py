"""The plots by quantile: percentile curves, and the candidate's difference to the baseline. Edge: matplotlib.

The x axis is the logarithm of the tail 1 - q, so that p99.9 has as much room as p90. Response and service time stand
side by side on one y axis.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bench import numbers
from bench.metrics import PRINTED
from bench.report import hover
from bench.report.axes import (
    difference_axis,
    latency_axis,
    legend,
    quantile_axis,
    quantile_name,
    say_no_data,
    tail_position,
)
from bench.report.canvas import new_figure
from bench.report.palette import Stroke, light

_TITLES = {"response_time_ms": "response time, ms", "service_time_ms": "service time, ms"}
_TOKEN_TITLES = {"time_to_first_token_ms": "time to first token, ms", "inter_token_latency_ms": "between tokens, ms"}
_AROUND = 0.1
"""How far from a quantile, on the axis of the tail, its figures are still said."""
_MARKERS = {"WORSE": "^", "BETTER": "v", "EQUIVALENT": "o", "INCONCLUSIVE": "o"}


def percentile_curves(variants: Mapping[str, Any], strokes: Mapping[str, Stroke]) -> Any:
    """Every variant's latency at each quantile it has samples for; thick, with a band, where an interval is known."""
    figure, (row,) = new_figure(heights_in=[3.6], columns=2, share_y=True)
    shown_ms: list[Any] = []
    last = 0.0
    for axes, (metric, title) in zip(row, _TITLES.items(), strict=True):
        axes.set_title(title)
        curves = {name: (v["distribution"]["q"], v["distribution"][metric]) for name, v in variants.items()}
        drawn_ms, last_q = _draw_curves(axes, curves, strokes)
        last, shown_ms = max(last, last_q), [*shown_ms, *drawn_ms]
        _say_quantiles(axes, metric, variants)
        quantile_axis(axes, last=last)
        if not last:
            say_no_data(axes, "too few samples")
    if last:
        latency_axis(row[0], shown_ms)
    legend(figure, strokes)
    return figure


def token_curves(variants: Mapping[str, Any], strokes: Mapping[str, Stroke]) -> Any:
    """The same of streamed answers: the time to the first token, and every gap between tokens, each on its own axis."""
    figure, (row,) = new_figure(heights_in=[3.4], columns=2)
    for axes, (metric, title) in zip(row, _TOKEN_TITLES.items(), strict=True):
        axes.set_title(title)
        found = {name: v["streams"]["distribution"][metric] for name, v in variants.items() if v.get("streams")}
        shown_ms, last = _draw_curves(axes, {name: (curve["q"], curve) for name, curve in found.items()}, strokes)
        quantile_axis(axes, last=last)
        if last:
            latency_axis(axes, shown_ms)
        else:
            say_no_data(axes, "too few samples")
    legend(figure, strokes)
    return figure


def _draw_curves(
    axes: Any, curves: Mapping[str, tuple[Sequence[float], Mapping[str, Any]]], strokes: Mapping[str, Stroke]
) -> tuple[list[Any], float]:
    """Draw (q, curve) of each variant; the values that were drawn, and the last quantile."""
    shown_ms, last = [], 0.0
    for name, (q, curve) in curves.items():
        x = tail_position(np.array(q, float))
        value, low, high = (np.array(curve[key], float) for key in ("value", "low", "high"))
        style = {"color": strokes[name].light, "linestyle": strokes[name].dash}
        axes.fill_between(x, low, high, color=strokes[name].light, alpha=0.18, linewidth=0)
        axes.plot(x, value, linewidth=1.0, **style)
        axes.plot(x, np.where(np.isfinite(low), value, np.nan), linewidth=2.2, **style)
        last = max(last, *q, 0.0)
        shown_ms += [value, low, high]
    return shown_ms, last


def _say_quantiles(axes: Any, metric: str, variants: Mapping[str, Any]) -> None:
    """The figures of all variants around each printed quantile."""
    for name, q in PRINTED.items():
        figures = [
            f"{variant} {numbers.at_least(block[metric][name], block.get(f'{metric}_censored', {}).get(name))} ms"
            + (f" ({span})" if (span := numbers.span(block[f"{metric}_interval"].get(name, {}))) else "")
            for variant, block in variants.items()
        ]
        x = float(tail_position(q))
        hover.say(axes, x - _AROUND, x + _AROUND, f"{name}: {', '.join(figures)}")


def differences(comparisons: Sequence[Mapping[str, Any]], strokes: Mapping[str, Stroke]) -> Any:
    """Candidate less baseline at each quantile with its interval; what lies in the grey zone does not matter."""
    figure, (row,) = new_figure(heights_in=[3.4], columns=2, share_y=True)
    min_effect_ms = float(comparisons[0]["min_effect_ms"])
    bounds_ms, last = [], 0.0
    for axes, (metric, title) in zip(row, _TITLES.items(), strict=True):
        axes.set_title(f"difference in {title}")
        axes.axhspan(-min_effect_ms, min_effect_ms, color=light("zone"), alpha=0.55, linewidth=0)
        axes.axhline(0, color=light("muted"), linewidth=0.9)
        for comparison in comparisons:
            curve, stroke = comparison["per_quantile"][metric], strokes[comparison["candidate"]]
            x = tail_position(np.array(curve["q"], float))
            axes.fill_between(x, curve["low"], curve["high"], color=stroke.light, alpha=0.2, linewidth=0)
            axes.plot(x, curve["estimate"], color=stroke.light, linestyle=stroke.dash, linewidth=1.8)
            last = max(last, *curve["q"], 0.0)
            bounds_ms += [*curve["low"], *curve["high"]]
            for name, found in comparison[metric].items():
                if name in PRINTED and found["low"] is not None:
                    _mark(axes, PRINTED[name], found, stroke, numbered=len(comparisons) == 1)
        quantile_axis(axes, last=last)
        if not last:
            say_no_data(axes, "too few samples to tell a difference")
    if last:
        difference_axis(row[0], bounds_ms, min_effect_ms=min_effect_ms)
    _explain_marks(figure, [strokes[comparison["candidate"]] for comparison in comparisons], comparisons, min_effect_ms)
    return figure


def _mark(axes: Any, q: float, found: Mapping[str, Any], stroke: Stroke, *, numbered: bool) -> None:
    """A marker whose shape is the verdict, and the number beside it: p95's below, for p90's is near."""
    x, y = float(tail_position(q)), found["estimate"]
    axes.plot(x, y, **_marker(found["verdict"], stroke.light))
    hover_text = f"{quantile_name(q)}: {numbers.estimate(found)} ms, {found['verdict']}"
    hover.say(axes, x - _AROUND / 2, x + _AROUND / 2, hover_text)
    if numbered:
        number = numbers.difference(y)
        below = q == PRINTED["p95"]
        place = {"xytext": (0, -9 if below else 9), "va": "top" if below else "bottom"}
        axes.annotate(number, (x, y), textcoords="offset points", ha="center", fontsize=9, **place)


def _marker(verdict: str, colour: str) -> dict[str, Any]:
    return {
        "marker": _MARKERS[verdict],
        "markersize": 7,
        "markeredgewidth": 1.4,
        "markerfacecolor": light("page") if verdict == "INCONCLUSIVE" else colour,
        "color": colour,
        "linestyle": "none",
    }


def _pair(comparison: Mapping[str, Any]) -> str:
    return f"{comparison['candidate']} less {comparison['baseline']}"


def _explain_marks(
    figure: Any, strokes: Sequence[Stroke], comparisons: Sequence[Mapping[str, Any]], min_effect_ms: float
) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    colour = strokes[0].light if len(strokes) == 1 else light("muted")
    sides = [
        Line2D([], [], color=stroke.light, linestyle=stroke.dash, linewidth=2.2, label=_pair(comparison))
        for stroke, comparison in zip(strokes, comparisons, strict=True)
    ]
    marks = [Line2D([], [], label=verdict.lower(), **_marker(verdict, colour)) for verdict in _MARKERS]
    zone = Patch(color=light("zone"), alpha=0.55, linewidth=0, label=f"does not matter (within {min_effect_ms:g} ms)")
    figure.legend(handles=[*sides, *marks, zone], loc="outside upper left", ncols=6, handlelength=1.3)
