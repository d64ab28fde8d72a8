"""Response times stacked from their parts, and in which part the candidate differs. Edge: matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench import numbers
from bench.report import hover
from bench.report.axes import say_no_data
from bench.report.canvas import new_figure
from bench.report.palette import Stroke, light
from bench.report.parts import NAMES, Stack

_COLOURS = {
    "schedule_lag": "ink",
    "lease_wait": "purple",
    "connect": "yellow",
    "server_time": "slate",
    "service_time": "slate",
    "network": "sky",
    "front_end": "muted",
    "rest": "muted",
}


def decomposition(stacks: Sequence[Stack], strokes: Mapping[str, Stroke]) -> Any:
    """A row a point of the distribution: a bar a variant, and the difference in each part with its interval."""
    compared = any(stack.differences for stack in stacks)
    heights_in = [0.34 * max(len(stack.bars), len(stack.differences), 1) + 0.2 for stack in stacks] or [0.6]
    figure, rows = new_figure(heights_in=heights_in, columns=2 if compared else 1, share_x=False)
    for row, stack in zip(rows, stacks, strict=False):
        _draw_bars(row[0], stack)
        if compared:
            _draw_differences(row[1], stack, strokes)
    if stacks:
        _explain_parts(figure, stacks)
    else:
        say_no_data(rows[0][0], "no sample")
    return figure


def _draw_bars(axes: Any, stack: Stack) -> None:
    axes.set_title("mean response time, ms" if stack.point == "mean" else f"response time around {stack.point}, ms")
    axes.grid(visible=False, axis="y")
    axes.set_yticks(range(len(stack.bars)), list(stack.bars))
    axes.set_ylim(len(stack.bars) - 0.4, -0.6)
    for y, parts in enumerate(stack.bars.values()):
        left_ms = 0.0
        for name, value_ms in parts.items():
            axes.barh(
                y, value_ms, 0.62, left=left_ms, color=light(_COLOURS[name]), edgecolor=light("page"), linewidth=0.6
            )
            hover_text = f"{NAMES[name]}: {numbers.milliseconds(value_ms)} ms"
            hover.say(axes, left_ms, left_ms + value_ms, hover_text, low=y + 0.3, high=y - 0.3)
            left_ms += value_ms
        axes.annotate(
            numbers.milliseconds(left_ms), (left_ms, y), xytext=(5, 0), textcoords="offset points", va="center"
        )
    axes.margins(x=0.14)
    axes.set_xlim(left=0)


def _draw_differences(axes: Any, stack: Stack, strokes: Mapping[str, Stroke]) -> None:
    baseline, candidate = stack.bars
    axes.set_title(f"{candidate} less {baseline}, ms")
    axes.grid(visible=False, axis="y")
    axes.axvline(0, color=light("muted"), linewidth=0.9)
    axes.set_yticks(range(len(stack.differences)), [NAMES[name] for name in stack.differences])
    axes.set_ylim(len(stack.differences) - 0.4, -0.6)
    for y, found in enumerate(stack.differences.values()):
        low, value, high = (found[key] for key in ("low", "estimate", "high"))
        if low is not None:
            axes.plot([low, high], [y, y], color=strokes[candidate].light, linewidth=2.0)
        axes.plot(value, y, "o", markersize=6, color=strokes[candidate].light)
        axes.annotate(
            numbers.difference(value),
            (value if high is None else high, y),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
        )
    axes.margins(x=0.2)


def _explain_parts(figure: Any, stacks: Sequence[Stack]) -> None:
    from matplotlib.patches import Patch

    used = {part for stack in stacks for parts in stack.bars.values() for part in parts}
    handles = [
        Patch(color=light(_COLOURS[name]), linewidth=0, label=title) for name, title in NAMES.items() if name in used
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=len(handles), handlelength=1.0, handleheight=1.0)
