"""Intervals by a block bootstrap of exceedances. Pure.

A figure is seen as a function of one ratio of sums over time: a mean of itself, a quantile of the share of samples
above it. Blocks of time are drawn with replacement, jointly for both variants of a run, and the deviation of that
share in a draw is turned back into a value by the variant's own quantile function (the interval of Woodruff 1952,
with a block bootstrap for its variance). Unlike a bootstrap of the quantile itself it needs no look at the samples
per draw, and its coverage holds with ten samples in the tail. Why and how well: docs/decisions/statistics.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.analysis import blocks
from bench.analysis.blocks import CELLS, Blocks
from bench.analysis.run import Floats
from bench.analysis.student import t_quantile, z_quantile

LEVEL = 0.95
DEFAULT_SEED = 20_260_101
LEAST_TAIL = 10
"""Samples there must be on either side of a quantile before it gets an interval."""

_TAILS = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
_LEAST_DEGREES = 3.0
_MOSTLY = 0.35
_ENOUGH = CELLS * blocks.LONG_BIAS / blocks.ENOUGH_BLOCKS
_LONG = 24.0
"""From how many cells on the middle of the distribution counts for its tail: a fortieth of the run."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Statistic:
    """A figure of one variant that is a function of `sum(hits) / sum(count)`, both arrays of one value a cell.

    `value(d)` gives the figures for an array of deviations of that ratio; `value(0)` is the estimate. `pieces` are the
    cells in which a stage of the load begins; `fitted` counts what a trend that was taken out of `hits` was fitted by.
    """

    hits: NDArray[Any]
    count: NDArray[Any]
    value: Callable[[Floats], Any]
    pieces: tuple[int, ...] = ()
    fitted: int = 0
    memo: dict[str, Any] = field(default_factory=dict, repr=False)
    """What is wanted of it more than once."""

    @property
    def n(self) -> int:
        return int(self.count.sum())

    @property
    def estimate(self) -> float:
        return float(self.value(np.zeros(1))[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Both ends of a 95 % interval; or NaN for both, and about how many more samples an interval needs.

    `reach` is for how long the figure hangs together in time, as a share of the run; where it is too long for a run of
    this length the interval is so wide that it holds all the same. `episodes` is on how many stretches of time that
    have nothing to do with each other a quantile rests; infinite for what is no quantile.
    """

    low: float
    high: float
    more_needed: int = 0
    reach: float = 0.0
    episodes: float = math.inf

    @property
    def known(self) -> bool:
        return not (math.isnan(self.low) or math.isnan(self.high))

    @property
    def too_long(self) -> bool:
        """Whether what hangs together does so for too long."""
        return self.reach * CELLS > blocks.LONGEST


def own(figure: Statistic, *, guide: Statistic | None = None, middle: Statistic | None = None, seed: int) -> Interval:
    """The interval of one variant's figure.

    `guide` is a quantile nearer to the middle for a figure of the tail: what hangs together for long shows there, where
    samples are many, and with it how long the blocks must be. `middle`, the median, shows what hangs together for so
    long that even `guide` sees only a part of it.
    """
    figure = _steady(figure)
    contrast = _Contrast.of(figure)
    seen = _Dependence.of(contrast, *(_Contrast.of(_steady(one)) if one else None for one in (guide, middle)))
    chosen = blocks.of_length(seen.blocks_reach)
    variance, degrees = _spread(contrast.influence(chosen))
    finest = contrast.influence(blocks.FINEST)  # shows bursts that ten long blocks even out
    widening = _student((variance, min(degrees, _degrees(finest)))) * seen.widening
    (deviations,) = _deviations(contrast, chosen, seed)
    low, high = np.sort(figure.value(np.quantile(widening * deviations, _TAILS)))  # it only grows, or only falls
    return Interval(low=float(low), high=float(high), reach=seen.reach / CELLS)


def paired(
    baseline: Statistic,
    candidate: Statistic,
    *,
    guides: tuple[Statistic, Statistic] | None = None,
    middles: tuple[Statistic, Statistic] | None = None,
    seed: int,
) -> Interval:
    """The interval of candidate - baseline in one run: both see the same blocks, so shared drift cancels."""
    contrast = _Contrast.between(baseline, candidate)
    seen = _Dependence.of(contrast, *(_Contrast.between(*pair) if pair else None for pair in (guides, middles)))
    chosen = blocks.of_length(seen.blocks_reach)
    widening = _student(_spread(contrast.influence(chosen))) * seen.widening
    ours, theirs = (widening * deviations for deviations in _deviations(contrast, chosen, seed))
    return _ends(_paired_difference(baseline, candidate, ours, theirs), seen.reach)


def independent(
    baseline: Statistic,
    candidate: Statistic,
    *,
    guides: tuple[Statistic, Statistic] | None = None,
    middles: tuple[Statistic, Statistic] | None = None,
    seed: int,
) -> Interval:
    """The interval of candidate - baseline from two runs: each has blocks of its own, nothing cancels."""
    contrasts = [_Contrast((side,), (_slope(side),)) for side in map(_steady, (baseline, candidate))]
    helping = [[_Contrast.of(_steady(one)) for one in pair] if pair else [None, None] for pair in (guides, middles)]
    seen = [_Dependence.of(*three) for three in zip(contrasts, *helping, strict=True)]
    chosen = [blocks.of_length(one.blocks_reach) for one in seen]
    widening = _student(*(_spread(contrast.influence(own)) for contrast, own in zip(contrasts, chosen, strict=True)))
    ours, theirs = (
        widening * one.widening * _deviations(contrast, own, seed + i)[0]
        for i, (contrast, own, one) in enumerate(zip(contrasts, chosen, seen, strict=True))
    )
    return _ends(candidate.value(theirs) - baseline.value(ours), max(one.reach for one in seen))


def episodes(
    sides: Sequence[Statistic], tail: float, *, fuller: Sequence[Statistic] = (), fuller_tail: float = math.inf
) -> float:
    """On how many stretches of time that have nothing to do with each other a quantile, or a difference of two, rests.

    `tail` samples beyond it, over how many of them come together: by how much the variance of blocks is larger than
    that of independent samples. Where the tail is short, `fuller`, a quantile with `fuller_tail` samples beyond it,
    shows better how many would: their excess over one is taken to grow with the root of the tail.
    """
    together = _clustering(sides)
    if fuller:
        together = max(together, 1 + (_clustering(fuller) - 1) * math.sqrt(min(tail / fuller_tail, 1)))
    return tail / max(together, 1.0)


def _clustering(figures: Sequence[Statistic]) -> float:
    """How many times the variance of one share, or of the difference of two, is that of independent samples."""
    sides = [_steady(figure) for figure in figures]
    contrast = _Contrast.of(sides[0]) if len(sides) == 1 else _Contrast.between(sides[0], sides[1])
    variance, _ = _spread(contrast.influence(blocks.FINEST))
    shares = [float(side.hits.sum()) / max(side.n, 1) for side in sides]
    independent = sum(
        slope**2 * share * (1 - share) / max(side.n, 1)
        for side, slope, share in zip(sides, contrast.slopes, shares, strict=True)
    )
    return variance * blocks.FINEST.correction() / independent if independent > 0 else 1.0


@dataclass(frozen=True, slots=True, eq=False)
class _Contrast:
    """What is estimated, linearised: the sum of `slopes` times the deviations of the sides' ratios."""

    sides: tuple[Statistic, ...]
    slopes: tuple[float, ...]

    @classmethod
    def of(cls, figure: Statistic) -> _Contrast:
        return cls((figure,), (1.0,))

    @classmethod
    def between(cls, baseline: Statistic, candidate: Statistic) -> _Contrast:
        return cls((baseline, candidate), (-_slope(baseline), _slope(candidate)))

    def influence(self, chosen: Blocks | None = None) -> Floats:
        """What each cell, or each of the blocks, adds to the deviation; sums to 0."""
        sides = zip(self.sides, self.slopes, strict=True)
        return np.asarray(sum(slope * _influence(side, chosen) for side, slope in sides), dtype=np.float64)


def _steady(figure: Statistic) -> Statistic:
    """The figure without what a trend or the stages of the load do to it: they are no chance."""
    if "steady" not in figure.memo:
        trend, fitted = blocks.trend(_influence(figure), figure.pieces)
        hits = figure.hits - trend * max(figure.n, 1)
        figure.memo["steady"] = replace(figure, hits=hits, fitted=fitted, memo={}) if fitted else None
    return figure.memo["steady"] or figure


@dataclass(frozen=True, slots=True)
class _Dependence:
    """For how many cells a figure hangs together, what its blocks must reach, and how much wider it gets by that."""

    reach: float
    blocks_reach: float
    widening: float

    @classmethod
    def of(cls, contrast: _Contrast, guide: _Contrast | None, middle: _Contrast | None) -> _Dependence:
        """From the figure itself, and from what lies nearer to the middle of the distribution.

        There correlation shows that the few samples of a tail cannot show. How much of the tail goes along with it is
        seen in the blocks of both: a tail may be all noise though the middle drifts.
        """
        others = [one for one in (guide, middle) if one is not None]
        own, *reached = (blocks.correlation_cells(one.influence()) for one in (contrast, *others))
        near = max([own, *reached[:1]] if guide is not None else [own])
        longest = max((own, *reached))
        if own > blocks.LONGEST:
            return cls(longest, longest, blocks.WIDER)
        long = [one for one, reach in zip(others, reached, strict=True) if reach > blocks.LONGEST]
        shared = max((_shared(contrast, one) for one in long), default=0.0)
        widening = math.sqrt(1 + (blocks.WIDER**2 - 1) * shared)
        if shared > _MOSTLY:
            return cls(longest, longest, widening)
        reach = max(near, longest if longest > _LONG else 0.0)
        figure_reach = longest if long else min(reach, blocks.LONGEST)
        return cls(figure_reach, min(reach, _ENOUGH if long else blocks.LONGEST), widening)


def _shared(one: _Contrast, other: _Contrast) -> float:
    """The share of the variance of one that goes along with the other, from block to block; 0 where it is chance."""
    ours, theirs = one.influence(blocks.FINEST), other.influence(blocks.FINEST)
    power = float((ours @ ours) * (theirs @ theirs))
    count = blocks.FINEST.count
    return max(0.0, (float(ours @ theirs) ** 2 / power * (count - 1) - 1) / (count - 2)) if power > 0 else 0.0


def _influence(figure: Statistic, chosen: Blocks | None = None) -> Floats:
    hits, count = (
        (figure.hits, figure.count) if chosen is None else (chosen.sums(figure.hits), chosen.sums(figure.count))
    )
    total = max(count.sum(), 1)
    return np.asarray((hits - hits.sum() / total * count) / total, dtype=np.float64)


def _slope(figure: Statistic) -> float:
    """How much the figure moves with its ratio, as a secant over about two standard deviations to either side."""
    influence = _influence(figure, blocks.FINEST)
    reach = max(2 * math.sqrt(float(influence @ influence)), 2 / max(figure.n, 1))
    ends = figure.value(np.array([-reach, reach]))
    return float((ends[1] - ends[0]) / (2 * reach))


def _deviations(contrast: _Contrast, chosen: Blocks, seed: int) -> list[Floats]:
    """Deviations of each side's ratio in every resample of the blocks, from n to n - 1, and for what blocks miss."""
    weights = blocks.weights(chosen.count, seed)
    deviations = []
    for side in contrast.sides:
        corrected = math.sqrt(chosen.correction(side.fitted))
        hits, count = chosen.sums(side.hits), chosen.sums(side.count)
        drawn = weights @ count
        ratio = np.divide(weights @ hits, drawn, out=np.full(len(drawn), np.nan), where=drawn > 0)
        deviations.append(np.nan_to_num(ratio - hits.sum() / max(count.sum(), 1)) * corrected)
    return deviations


def _spread(influence: Floats) -> tuple[float, float]:
    """(variance, its degrees of freedom) of a figure, from what each block adds to it."""
    return float(influence @ influence), _degrees(influence)


def _degrees(influence: Floats) -> float:
    """Degrees of freedom of a variance estimated from values with this kurtosis.

    When a few bursts carry the tail, the variance itself is poorly known.
    """
    n = len(influence)
    power = float(np.mean(influence**2))
    if power == 0:
        return n - 1.0
    kurtosis = float(np.mean(influence**4)) / power**2
    excess = (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * (kurtosis - 3) + 6)
    return float(np.clip(2 / (excess / n + 2 / (n - 1)), _LEAST_DEGREES, n - 1))


def _student(*spreads: tuple[float, float]) -> float:
    """How much wider than normal Student's t is, for the sum of independent figures (Welch and Satterthwaite)."""
    total = sum(variance for variance, _ in spreads)
    if total == 0:
        return 1.0
    degrees = total**2 / sum(variance**2 / degrees for variance, degrees in spreads)
    return t_quantile(_TAILS[1], degrees) / z_quantile(_TAILS[1])


def _paired_difference(baseline: Statistic, candidate: Statistic, ours: Floats, theirs: Floats) -> Floats:
    """candidate.value(theirs) - baseline.value(ours), without the noise of the two curves that pairing cannot cancel.

    Where drift or bursts move both ratios far but together, the difference of the two empirical curves wanders along
    the way by their own noise, which is already counted. So the part both deviations share acts only by its linear
    trend: their mean, as far as the two are correlated.
    """
    mean = 0.5 * (ours + theirs)
    along = candidate.value(mean) - baseline.value(mean)
    shared = _correlation(ours, theirs) * mean
    apart = candidate.value(theirs - shared) - baseline.value(ours - shared)
    return np.asarray(apart + _trend(mean, along) * shared)


def _correlation(one: Floats, other: Floats) -> float:
    """Of two arrays, from 0 to 1; 0 where they move against each other or not at all."""
    spread = float(one.std() * other.std())
    return float(np.clip(np.mean((one - one.mean()) * (other - other.mean())) / spread, 0, 1)) if spread > 0 else 0.0


def _trend(at: Floats, values: Floats) -> float:
    """The slope of the straight line through `values` over `at`."""
    centred = at - at.mean()
    power = float(centred @ centred)
    return float(centred @ values) / power if power > 0 else 0.0


def _ends(figures: Floats, reach: float) -> Interval:
    low, high = np.quantile(figures, _TAILS)
    return Interval(low=float(low), high=float(high), reach=reach / CELLS)
