"""A history as text and as one HTML page: each watched figure over the runs, with intervals and shifts. Pure.

The page loads nothing; whatever came from a file is escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import pairwise

from bench import numbers
from bench.history.watch import Series, Watched

_BARS = "▁▂▃▄▅▆▇█"
_WIDTH, _HEIGHT, _LEFT, _TOP = 860, 180, 64, 14
_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --faint: #6b7280; --line: #2563eb; --shift: #c2410c; --ground: #fff }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e5e7eb; --faint: #9ca3af; --line: #60a5fa; --shift: #fb923c; --ground: #111418 } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--ground); margin: 2rem auto;
  max-width: 60rem; padding: 0 1rem }
svg { width: 100%; height: auto } svg text { fill: var(--faint); font: 11px system-ui, sans-serif }
h2 { font-size: 1rem; margin: 2rem 0 .3rem } li b { color: var(--shift) } .faint { color: var(--faint) }
"""


def sparkline(values: Sequence[float], *, width: int = 40) -> str:
    """The last `width` values as bars from their least to their greatest."""
    shown = values[-width:]
    if not shown:
        return ""
    low, high = min(shown), max(shown)
    scale = (len(_BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(_BARS[round((value - low) * scale)] for value in shown)


def number(metric: str, value: float | None) -> str:
    """`12.34 ms`, `0.12 %`."""
    if value is None:
        return numbers.DASH
    return numbers.percent(value) if metric == "error_rate" else f"{numbers.milliseconds(value)} ms"


def shift_lines(series: Series) -> list[str]:
    """One sentence a shift: how much, since which run and commit."""
    lines = []
    for point in series.shifts:
        first = series.entries[point.index]
        commit = f", commit {first.commit[:12]}" if first.commit else ""
        change = "from 0" if point.before == 0 else f"{point.change:+.1%}"
        lines.append(
            f"{series.name} {change}: {number(series.metric, point.before)} to {number(series.metric, point.after)}"
            f" since run {first.run_id}{commit} ({len(series.entries) - point.index} runs ago)"
        )
    return lines


def page(watched: Watched) -> str:
    """The whole page."""
    shifts = [line for series in watched.series for line in shift_lines(series)]
    items = "".join(f"<li><b>{escape(line)}</b></li>" for line in shifts) or "<li>no lasting shift</li>"
    left_out = f"<p class=faint>left out: {escape(', '.join(watched.left_out))}</p>" if watched.left_out else ""
    charts = "".join(
        f"<h2>{escape(series.name)}</h2>{_chart(series)}" for series in watched.series if len(series.entries) > 1
    )
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>History</title><style>{_STYLE}</style><h1>{len(watched.runs)} runs</h1>"
        f"<ul>{items}</ul>{left_out}{charts}"
    )


def _chart(series: Series) -> str:
    figures = [entry.figures[series.variant][series.metric] for entry in series.entries]
    every = [value for figure in figures for value in figure if value is not None]
    low, high = min(every), max(every)
    span = high - low or abs(high) or 1.0

    def x(n: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - 10) * (n + 0.5) / len(figures)

    def y(value: float) -> float:
        return _TOP + _HEIGHT * (high - value) / span

    parts = [
        f"<text x=4 y={y(value):.1f}>{escape(number(series.metric, value))}</text>"
        for value in dict.fromkeys((high, low))
    ]
    for n, (entry, (value, least, most)) in enumerate(zip(series.entries, figures, strict=True)):
        if value is None:
            continue
        if least is not None and most is not None:
            parts.append(f"<path d='M{x(n):.1f} {y(least):.1f}V{y(most):.1f}' stroke='var(--faint)'/>")
        title = escape(f"{entry.run_id} {entry.commit[:12]} {number(series.metric, value)}")
        parts.append(f"<circle cx={x(n):.1f} cy={y(value):.1f} r=3 fill='var(--line)'><title>{title}</title></circle>")
    edges = [0, *(point.index for point in series.shifts), len(figures)]
    for begin, end in pairwise(edges):
        values = [figure[0] for figure in figures[begin:end] if figure[0] is not None]
        mean = y(sum(values) / len(values))
        parts.append(f"<path d='M{x(begin):.1f} {mean:.1f}H{x(end - 1):.1f}' stroke='var(--line)' stroke-width=2 />")
    for point in series.shifts:
        at, commit = x(point.index - 0.5), escape(series.entries[point.index].commit[:12])
        parts += [
            f"<path d='M{at:.1f} {_TOP}v{_HEIGHT}' stroke='var(--shift)' stroke-dasharray='4 3'/>",
            f"<text x={at + 4:.1f} y={_TOP + 10}>{commit}</text>",
        ]
    label = escape(f"{series.name} over {len(figures)} runs")
    return f"<svg viewBox='0 0 {_WIDTH} {_HEIGHT + 2 * _TOP}' role=img aria-label='{label}'>{''.join(parts)}</svg>"
