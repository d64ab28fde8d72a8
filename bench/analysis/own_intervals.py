"""A variant's own figures with their intervals, and what an interval rests on. Pure."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from bench.analysis import blocks, bootstrap
from bench.analysis.bootstrap import DEFAULT_SEED, Interval, Statistic
from bench.analysis.fold import Fold
from bench.analysis.quantiles import QuantileCurve, samples_needed
from bench.analysis.run import Floats
from bench.analysis.verdicts import ENOUGH_EPISODES, LEAST_EPISODES

GUIDE_Q = 0.9
"""The quantile whose autocorrelation guides the intervals of those beyond it."""
MIDDLE_Q = 0.5

_FAR_TAIL = 0.005
_FULL_TAIL = 100
_FULLER = (0.99, 0.95, 0.9)


def own_interval(side: Fold, q: float | None, *, seed: int = DEFAULT_SEED) -> Interval:
    """The interval in ms of a variant's own quantile `q`, or of its mean when `q` is None.

    Where requests without an answer decide, it reaches from the least that they can have taken to infinity.
    """
    missing = too_few(side, q=q)
    if missing:
        return Interval(low=math.nan, high=math.nan, more_needed=missing)
    if q is None:
        return _own(side, q, seed=seed)
    return resting_on(episodes_of(q, side), _own(side, q, seed=seed), tail=1 - q, samples=side.n)


def own_curve(side: Fold, *, seed: int = DEFAULT_SEED) -> QuantileCurve:
    """The percentile curve of a variant up to the last quantile with an answer beyond it, with its band."""
    q = side.q[(1.0 - side.q) * side.n >= 1]
    bands = [own_interval(side, float(one), seed=seed) for one in q]
    return QuantileCurve(
        q=q,
        value_ms=_finite([side.quantile_ms(float(one)) for one in q]),
        low_ms=np.array([band.low for band in bands]),
        high_ms=_finite([band.high for band in bands]),
    )


def figure_ms(side: Fold, *, q: float | None) -> float:
    """The quantile `q` of a variant, or its mean when `q` is None."""
    return side.mean_ms if q is None else side.quantile_ms(q)


def too_few(side: Fold, *, q: float | None) -> int:
    """Samples missing before the bootstrap is asked; a mean needs as many as a median. The minimum has no interval."""
    if q == 0.0:
        return 1
    return max(0, samples_needed(0.5 if q is None else q) - side.n)


def in_tail(q: float | None) -> bool:
    """Whether the autocorrelation of another quantile guides the interval of this one."""
    return q is not None and q > GUIDE_Q


def statistic(side: Fold, *, q: float | None) -> Statistic:
    """What the bootstrap resamples: the quantile `q`, or the mean when `q` is None."""
    return side.mean() if q is None else side.quantile(q)


def episodes_of(q: float, *sides: Fold) -> float:
    """About how many stretches of time the quantile `q` of all `sides` rests on."""
    n = min(side.n for side in sides)
    tail = min(q, 1 - q) * n
    exact = [side.quantile(q) for side in sides]
    folded = (one for one in _FULLER if one < q and all(one in side.q for side in sides))
    fuller = next((one for one in folded if (1 - one) * n >= _FULL_TAIL), None)
    if fuller is None or tail >= _FULL_TAIL:
        return bootstrap.episodes(exact, tail)
    others = [side.quantile(fuller) for side in sides]
    return bootstrap.episodes(exact, tail, fuller=others, fuller_tail=(1 - fuller) * n)


def resting_on(episodes: float, interval: Interval, *, tail: float, samples: int) -> Interval:
    """The interval with what it rests on; without ends where that is too little.

    Where a run is too short for what hangs together in it, the far tail is that of its worst stretch, and no more.
    """
    if not interval.known or (episodes >= LEAST_EPISODES and not (interval.too_long and tail < _FAR_TAIL)):
        return replace(interval, episodes=episodes)
    if episodes >= LEAST_EPISODES:
        more = math.ceil(samples * (interval.reach * blocks.CELLS / blocks.LONGEST))
        return Interval(low=math.nan, high=math.nan, more_needed=more, reach=interval.reach)
    more = math.ceil(samples * (ENOUGH_EPISODES / episodes - 1))
    return Interval(low=math.nan, high=math.nan, more_needed=more, reach=interval.reach, episodes=episodes)


def _own(side: Fold, q: float | None, *, seed: int) -> Interval:
    guide = side.quantile(GUIDE_Q) if in_tail(q) else None
    middle = None if q == MIDDLE_Q else side.quantile(MIDDLE_Q)
    least = bootstrap.own(statistic(side, q=q), guide=guide, middle=middle, seed=seed)
    if not least.known:
        return least
    if q is None:
        return least if side.answers is None else replace(least, high=math.inf)
    if side.clear(least.high):
        return least
    most = bootstrap.own(side.most(q), guide=guide, middle=middle, seed=seed)
    return Interval(low=least.low, high=most.high) if most.known else most


def _finite(values: list[float]) -> Floats:
    return np.array([value if math.isfinite(value) else math.nan for value in values], dtype=np.float64)
