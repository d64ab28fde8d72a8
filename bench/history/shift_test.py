"""Do the means of two neighbouring stretches of runs differ, where runs may resemble the one before? Pure (numpy).

Student's t test with the unbiased pooled variance (with a handful of runs on one side the biased one is a false alarm),
corrected for a first-order autoregression: the variance of a mean, that of the runs around it, and the degrees of
freedom (Zwiers and von Storch, "Taking Serial Correlation into Account in Tests of the Mean", J. Climate 1995).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

MOST_ALIKE = 0.9
_LAGS = (2, 3, 4, 5)
_LEAST_PAIRS = 3
_ROUNDS = 50


def likeness(series: NDArray[np.float64], places: Sequence[int]) -> float:
    """How much a run is like the one before: the autocorrelation between the shifts at `places`, 0 to `MOST_ALIKE`.

    From squared differences of pairs of runs that no shift separates: 1 - r of neighbours over 1 - r^k of those k
    apart. An estimate around means would call every shift likeness, and after a shift too many, likeness none.
    """
    stretches = [series[low:high] for low, high in pairwise([0, *places, len(series)])]
    near = _squares(stretches, 1)
    far = [_squares(stretches, lag) for lag in _LAGS]
    apart = np.concatenate(far)
    if min(len(near), len(apart)) < _LEAST_PAIRS or not apart.any():
        return 0.0
    ratio = float(near.mean() / apart.mean())
    shares = [len(squares) / len(apart) for squares in far]
    rho = 0.0
    for _ in range(_ROUNDS):
        rest = sum(share * rho**lag for share, lag in zip(shares, _LAGS, strict=True))
        rho = min(max(1 - ratio * (1 - rest), 0.0), MOST_ALIKE)
    return rho


def p_value(left: NDArray[np.float64], right: NDArray[np.float64], *, likeness: float = 0.0) -> float:
    """Two-sided, of no difference of the means. 1 where there is nothing to compare."""
    if min(len(left), len(right)) < 2:
        return 1.0
    gap = abs(float(left.mean() - right.mean()))
    squares = float(((left - left.mean()) ** 2).sum() + ((right - right.mean()) ** 2).sum())
    if squares == 0:
        return 1.0 if gap == 0 else 0.0
    of_left, of_right = _variance_of_mean(len(left), likeness), _variance_of_mean(len(right), likeness)
    variance = squares / (len(left) * (1 - of_left) + len(right) * (1 - of_right))
    t = gap / math.sqrt(variance * (of_left + of_right))
    df = max((len(left) + len(right) - 2) * (1 - likeness**2) / (1 + likeness**2), 1.0)
    return beta_share(df / (df + t * t), df / 2, 0.5)


def _squares(stretches: Sequence[NDArray[np.float64]], lag: int) -> NDArray[np.float64]:
    return np.concatenate([(stretch[lag:] - stretch[:-lag]) ** 2 for stretch in stretches])


def _variance_of_mean(runs: int, likeness: float) -> float:
    """In variances of one run."""
    lags = np.arange(1, runs)
    return (1 + 2 * float(((1 - lags / runs) * likeness**lags).sum())) / runs


def beta_share(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b), by Lentz's continued fraction (Numerical Recipes 6.4)."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    if x > (a + 1) / (a + b + 2):
        return 1 - front * _fraction(1 - x, b, a) / b
    return front * _fraction(x, a, b) / a


def _fraction(x: float, a: float, b: float) -> float:
    tiny = 1e-300
    c, d = 1.0, 1 / max(abs(1 - (a + b) * x / (a + 1)), tiny) * math.copysign(1, 1 - (a + b) * x / (a + 1))
    total = d
    for m in range(1, 300):
        for numerator in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / (1 + numerator * d or tiny)
            c = 1 + numerator / c or tiny
            total *= c * d
        if abs(c * d - 1) < 1e-13:
            break
    return total
