"""Intervals by a block bootstrap of exceedances. Pure; called by compare, decompose and summary.

A figure is seen as a function of one ratio of sums over time: a mean of itself, a quantile of the share of samples
above it. Blocks of time are drawn with replacement, jointly for both variants of a run, and the deviation of that
share in a draw is turned back into a value by the variant's own quantile function (the interval of Woodruff 1952,
with a block bootstrap for its variance). Unlike a bootstrap of the quantile itself it needs no look at the samples
per draw, and its coverage holds with ten samples in the tail. Why and how well: docs/decisions/030.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.analysis import blocks
from bench.analysis.blocks import Blocks
from bench.analysis.run import Floats
from bench.analysis.student import t_quantile, z_quantile

LEVEL = 0.95

_TAILS = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
_LEAST_DEGREES = 3.0
_TAIL_USED = 0.8
"""Share of the tail an interval may reach over when `more_needed` is asked for."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Statistic:
    """A figure of one variant that is a function of `sum(hits) / sum(count)`, both arrays of one value a cell.

    `value(d)` gives the figures for an array of deviations of that ratio; `value(0)` is the estimate.
    `room` is how far the ratio can deviate (down, up) before there is no sample left to tell the figure from.
    """

    hits: NDArray[Any]
    count: NDArray[Any]
    value: Callable[[Floats], Any]
    room: tuple[float, float] = (math.inf, math.inf)

    @property
    def n(self) -> int:
        return int(self.count.sum())

    @property
    def estimate(self) -> float:
        return float(self.value(np.zeros(1))[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Both ends of a 95 % interval, or NaN and about how many more samples it takes to tell it."""

    low: float
    high: float
    more_needed: int = 0


def own(figure: Statistic, *, seed: int) -> Interval:
    """The interval of one variant's figure."""
    chosen = blocks.choose(_influence(figure, figure.hits, figure.count))
    deviation = _deviations([figure], [1.0], chosen, seed)[0]
    return _ends(figure.value(deviation), [(figure, deviation)])


def paired(baseline: Statistic, candidate: Statistic, *, seed: int) -> Interval:
    """The interval of candidate - baseline in one run: both see the same blocks, so shared drift cancels."""
    sides = [baseline, candidate]
    slopes = [-_slope(baseline), _slope(candidate)]
    influence = sum(slope * _influence(side, side.hits, side.count) for side, slope in zip(sides, slopes, strict=True))
    chosen = blocks.choose(np.asarray(influence))
    ours, theirs = _deviations(sides, slopes, chosen, seed)
    difference = _paired_difference(baseline, candidate, ours, theirs)
    apart = (theirs - ours) / math.sqrt(2)  # what each side deviates by itself; what both share cancels
    return _ends(difference, [(baseline, -apart), (candidate, apart)])


def independent(baseline: Statistic, candidate: Statistic, *, seed: int) -> Interval:
    """The interval of candidate - baseline from two runs: each has blocks of its own, nothing cancels."""
    deviations = []
    for side, own_seed in ((baseline, seed), (candidate, seed + 1)):
        chosen = blocks.choose(_influence(side, side.hits, side.count))
        deviations.append(_deviations([side], [1.0], chosen, own_seed)[0])
    ours, theirs = deviations
    return _ends(candidate.value(theirs) - baseline.value(ours), [(baseline, ours), (candidate, theirs)])


def _influence(figure: Statistic, hits: NDArray[Any], count: NDArray[Any]) -> Floats:
    """What each cell or block adds to the deviation of the ratio; sums to 0."""
    total = max(count.sum(), 1)
    return np.asarray((hits - figure.hits.sum() / total * count) / total, dtype=np.float64)


def _slope(figure: Statistic) -> float:
    """How much the figure moves with its ratio, as a secant over about two standard deviations to either side."""
    coarse = Blocks(blocks.MOST_BLOCKS, 0.0)
    influence = _influence(figure, coarse.sums(figure.hits), coarse.sums(figure.count))
    reach = max(2 * math.sqrt(float(influence @ influence)), 2 / max(figure.n, 1))
    down, up = min(reach, figure.room[0]), min(reach, figure.room[1])
    ends = figure.value(np.array([-down, up]))
    return float((ends[1] - ends[0]) / (down + up))


def _deviations(sides: list[Statistic], slopes: list[float], chosen: Blocks, seed: int) -> list[Floats]:
    """Deviations of each side's ratio in every resample of the blocks, widened for how few blocks there are."""
    weights = blocks.weights(chosen.count, seed)
    deviations = []
    influence = np.zeros(chosen.count)
    for side, slope in zip(sides, slopes, strict=True):
        hits, count = chosen.sums(side.hits), chosen.sums(side.count)
        drawn = weights @ count
        ratio = np.divide(weights @ hits, drawn, out=np.full(len(drawn), np.nan), where=drawn > 0)
        deviations.append(np.nan_to_num(ratio - hits.sum() / max(count.sum(), 1)))
        influence += slope * _influence(side, hits, count)
    widening = _widening(influence, chosen)
    return [deviation * widening for deviation in deviations]


def _widening(influence: Floats, chosen: Blocks) -> float:
    """From normal to t, from n to n - 1, and for the variance the blocks are known to miss.

    The degrees of freedom are those of a variance estimated from blocks with this kurtosis: when a few bursts carry
    the tail, the variance itself is poorly known.
    """
    n = chosen.count
    degrees = n - 1.0
    power = float(np.mean(influence**2))
    if power > 0:
        kurtosis = float(np.mean(influence**4)) / power**2
        excess = (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * (kurtosis - 3) + 6)
        degrees = float(np.clip(2 / (excess / n + 2 / (n - 1)), _LEAST_DEGREES, n - 1))
    student = t_quantile(_TAILS[1], degrees) / z_quantile(_TAILS[1])
    return student * math.sqrt(n / (n - 1) / (1 - chosen.bias))


def _paired_difference(baseline: Statistic, candidate: Statistic, ours: Floats, theirs: Floats) -> Floats:
    """candidate.value(theirs) - baseline.value(ours), without the noise of the two curves that pairing cannot cancel.

    Where drift moves both ratios far but together, the difference of the two empirical curves wanders along the way
    by their own noise, which is already counted. So the part both deviations share acts only by its linear trend.
    """
    cand_theirs, cand_ours = candidate.value(theirs), candidate.value(ours)
    base_theirs, base_ours = baseline.value(theirs), baseline.value(ours)
    apart = 0.5 * ((cand_theirs - cand_ours) + (base_theirs - base_ours))
    along = 0.5 * ((cand_theirs - base_theirs) + (cand_ours - base_ours))
    shared = 0.5 * (ours + theirs)
    centred = shared - shared.mean()
    power = float(centred @ centred)
    trend = float(centred @ along) / power if power > 0 else 0.0
    return np.asarray(candidate.estimate - baseline.estimate + apart + trend * shared)


def _ends(figures: Floats, reached: list[tuple[Statistic, Floats]]) -> Interval:
    """The interval, unless a side's deviations reach beyond its last sample."""
    missing = max(_missing(side, deviation) for side, deviation in reached)
    if missing:
        return Interval(low=math.nan, high=math.nan, more_needed=missing)
    low, high = np.quantile(figures, _TAILS)
    return Interval(low=float(low), high=float(high))


def _missing(side: Statistic, deviation: Floats) -> int:
    """About how many samples more it takes until the interval ends within the samples; 0 when it does."""
    low, high = np.quantile(deviation, _TAILS)
    needed = 0.0
    for reach, room in ((-low, side.room[0]), (high, side.room[1])):
        if reach > room - 1 / max(side.n, 1):
            needed = max(needed, side.n * ((reach / (_TAIL_USED * room)) ** 2 - 1), 1)
    return math.ceil(needed)
