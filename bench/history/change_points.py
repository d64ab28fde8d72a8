"""Where a series of runs shifted for good. Pure (numpy).

E-divisive (Matteson and James, "A Nonparametric Approach for Multiple Change Point Analysis of Multivariate Data",
JASA 2014, arXiv 1306.4933) finds the place where the runs before and after differ most; a t test says whether they
really do; places that are weak once their neighbours are known are merged away. The two steps, the windows and the
significance rule are those of Hunter (Fleming et al., ICPE 2023, doi 10.1145/3578244.3583719), which is Apache Otava.
Unlike Otava a place moves to where its neighbours' means differ most, and the test allows for runs that resemble the
one before (`shift_test`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bench.history.shift_test import likeness, p_value

WINDOW = 50
"""Runs looked at together; a shift is looked for between neighbours, not against last year."""

WEAK = 10.0
"""How much likelier a chance place may be in the first step, before its neighbours are known."""

LEAST_RUNS = 3
"""Runs on either side before a shift is called lasting."""

FEW_RUNS = 5
MOST_ROOM = 4.0
"""A stretch of few runs comes by chance at many places and looks, a long one at few: beyond `FEW_RUNS` on either side a
shift may be likelier by chance in proportion, up to so much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePoint:
    """`index` is the first run after the shift. `p_value` is of no shift; the means are of the runs up to the next."""

    index: int
    p_value: float
    before: float
    after: float

    @property
    def change(self) -> float:
        """Relative to what was before; infinite from 0."""
        if self.before == 0:
            return math.copysign(math.inf, self.after) if self.after else 0.0
        return self.after / self.before - 1


def change_points(values: Sequence[float], *, max_p_value: float) -> tuple[ChangePoint, ...]:
    """The lasting shifts of a series, in order. ValueError for a value that is no number.

    `max_p_value` is for a shift with `FEW_RUNS` on a side.
    """
    series = np.asarray(values, dtype=float)
    if not np.isfinite(series).all():
        raise ValueError("a history's series must be of numbers")
    if len(series) < 2 * LEAST_RUNS:
        return ()
    places = _split(series, max_p_value=min(max_p_value * WEAK, 0.5))
    return _merge(series, places, max_p_value=max_p_value)


def _split(series: NDArray[np.float64], *, max_p_value: float) -> list[int]:
    """Places that may be shifts, window by window; each window begins at the last one's last shift, or half a window
    on."""
    found: set[int] = set()
    start = 0
    while start < len(series):
        end = min(start + WINDOW, len(series))
        places = _divide(series[start:end], max_p_value=max_p_value)
        found |= {start + place for place in places}
        start = max(start + (places[-1] if places else 0), start + WINDOW // 2)
    return sorted(found)


def _divide(window: NDArray[np.float64], *, max_p_value: float) -> list[int]:
    """One place after the other, the strongest first, until one could be chance."""
    places: list[int] = []
    while True:
        edges = [0, *places, len(window)]
        candidates = [
            (strength, place)
            for low, high in pairwise(edges)
            for strength, place in [_strongest(window, low, high)]
            if place
        ]
        if not candidates:
            return places
        _, place = max(candidates)
        low = max(edge for edge in edges if edge < place)
        high = min(edge for edge in edges if edge > place)
        if p_value(window[low:place], window[place:high]) > max_p_value:
            return places
        places = sorted([*places, place])


def _strongest(window: NDArray[np.float64], low: int, high: int) -> tuple[float, int]:
    """The place between `low` and `high` where the energy statistic is largest, and that statistic; place 0 for none.

    For runs X before and Y after: 2mn/(m+n) times (mean |x-y| - mean |x-x'|/2 - mean |y-y'|/2), as in Matteson and
    James, where the right side may end before `high`: a second shift there must not hide this one.
    """
    part = window[low:high]
    n = len(part)
    if n < 2 * LEAST_RUNS:
        return -math.inf, 0
    distances = np.abs(part[:, None] - part[None, :])
    sums = np.zeros((n + 1, n + 1))
    sums[1:, 1:] = distances.cumsum(axis=0).cumsum(axis=1)
    places = np.arange(LEAST_RUNS, n - LEAST_RUNS + 1)[:, None]
    ends = np.arange(2 * LEAST_RUNS, n + 1)[None, :]
    left, right = places, np.maximum(ends - places, LEAST_RUNS)
    own, of_ends, across = sums[places, places], sums[ends, ends], sums[places, ends]
    strength = (
        2 / (left + right) * (across - own)
        - right / ((left + right) * (left - 1)) * own
        - left / ((left + right) * (right - 1)) * (of_ends - 2 * across + own)
    )
    strength[ends < places + LEAST_RUNS] = -math.inf
    place = int(strength.max(axis=1).argmax())
    return float(strength[place].max()), low + LEAST_RUNS + place


def _merge(series: NDArray[np.float64], places: list[int], *, max_p_value: float) -> tuple[ChangePoint, ...]:
    """Drop the weakest place until all that are left stand against their own neighbours."""
    rho = likeness(series, places)
    while places:
        places = _moved(series, places)
        edges = [0, *places, len(series)]
        points = [
            ChangePoint(
                index=place,
                p_value=p_value(series[edges[n] : place], series[place : edges[n + 2]], likeness=rho),
                before=float(series[edges[n] : place].mean()),
                after=float(series[place : edges[n + 2]].mean()),
            )
            for n, place in enumerate(places)
        ]
        shorter = [min(place - edges[n], edges[n + 2] - place) for n, place in enumerate(places)]
        chances = [point.p_value / _room(runs) for point, runs in zip(points, shorter, strict=True)]
        if max(chances) <= max_p_value:
            return tuple(points)
        del places[chances.index(max(chances))]
    return ()


def _room(runs: int) -> float:
    """How much likelier than with `FEW_RUNS` a shift may be, with so many on its shorter side."""
    return min(max(runs / FEW_RUNS, 1.0), MOST_ROOM)


def _moved(series: NDArray[np.float64], places: list[int]) -> list[int]:
    """Each place where the squares around the means of its two sides are least, between its neighbours."""
    moved = list(places)
    for n in range(len(moved)):
        low, *_, high = [0, *moved, len(series)][n : n + 3]
        candidates = np.arange(low + LEAST_RUNS, high - LEAST_RUNS + 1)
        sums = series[low:high].cumsum()
        left, right = candidates - low, high - candidates
        before = sums[left - 1]
        gaps = (before / left - (sums[-1] - before) / right) ** 2 * left * right
        if len(gaps):
            moved[n] = int(candidates[gaps.argmax()])
    return moved
