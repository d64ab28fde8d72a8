"""What a plot says where the pointer rests: a `<title>` over each mark or stretch of time, which no script needs.

Edge: asks a finished figure where its axes lie. Titles are part of the page only; a PNG has none.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any
from weakref import WeakKeyDictionary

from bench.plain_text import printable

_LEAST_PT = 7.0
"""How wide a place is at least: a mark is a line, and nobody hits a line."""
_POINTS_PER_INCH = 72


@dataclass(frozen=True, slots=True)
class _Place:
    """Between two x of `axes`, and between two y or all of its height, all in data."""

    axes: Any
    left: float
    right: float
    low: float | None
    high: float | None
    text: str


_PLACES: WeakKeyDictionary[Any, list[_Place]] = WeakKeyDictionary()


def say(
    axes: Any, left: float, right: float, text: str, *, low: float | None = None, high: float | None = None
) -> None:
    """Say `text` there once the figure is saved as SVG; a later place lies above an earlier one."""
    _PLACES.setdefault(axes.figure, []).append(_Place(axes, float(left), float(right), low, high, text))


def svg(figure: Any) -> str:
    """The places of a figure that has been laid out, as SVG in points from its upper left corner."""
    return "".join(_rectangle(figure, place) for place in _PLACES.pop(figure, ()))


def _rectangle(figure: Any, place: _Place) -> str:
    scale, height_pt = _POINTS_PER_INCH / figure.dpi, figure.get_figheight() * _POINTS_PER_INCH
    frame = place.axes.get_window_extent()
    below, above = place.axes.get_ylim()
    low, high = (below if place.low is None else place.low), (above if place.high is None else place.high)
    corners = place.axes.transData.transform([(place.left, low), (place.right, high)])
    xs = sorted(min(max(float(x), frame.x0), frame.x1) * scale for x in corners[:, 0])
    ys = sorted(height_pt - min(max(float(y), frame.y0), frame.y1) * scale for y in corners[:, 1])
    wider = max(_LEAST_PT - (xs[1] - xs[0]), 0) / 2
    return (
        f'<rect x="{xs[0] - wider:.1f}" y="{ys[0]:.1f}" width="{xs[1] - xs[0] + 2 * wider:.1f}" '
        f'height="{ys[1] - ys[0]:.1f}" fill="none" pointer-events="all"><title>{escape(printable(place.text))}</title>'
        "</rect>"
    )
