"""How sure a share of counted things is: the exact binomial interval. Pure.

Clopper and Pearson, "The use of confidence or fiducial limits", Biometrika 26 (1934): the limits are
quantiles of beta distributions. It never covers less than its level, also where few or no events were
seen, which is where gates on error rates live. The regularised incomplete beta function is the continued
fraction of Lentz's method (Press et al., Numerical Recipes, section 6.4); tests hold it against exact sums.
"""

from __future__ import annotations

import math

_TINY = 1e-300
_PRECISION = 1e-14
_MOST_TERMS = 100_000
_HALVINGS = 100


def interval(events: int, trials: int, *, level: float = 0.95) -> tuple[float, float]:
    """(low, high) of the probability of an event after `events` in `trials`; `(0, 1)` after no trial."""
    if trials == 0:
        return 0.0, 1.0
    tail = (1 - level) / 2
    low = 0.0 if events == 0 else _beta_quantile(tail, events, trials - events + 1)
    high = 1.0 if events == trials else _beta_quantile(1 - tail, events + 1, trials - events)
    return low, high


def _beta_quantile(probability: float, a: int, b: int) -> float:
    """The x with I_x(a, b) = probability, by halving: the function grows with x, and 100 halvings exhaust a float."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if _beta_share(middle, a, b) < probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _beta_share(x: float, a: int, b: int) -> float:
    """I_x(a, b), the share of the beta distribution below x in (0, 1); the fraction converges on the smaller side."""
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    if x < (a + 1) / (a + b + 2):
        return math.exp(log_front) * _fraction(x, a, b) / a
    return 1 - math.exp(log_front) * _fraction(1 - x, b, a) / b


def _fraction(x: float, a: int, b: int) -> float:
    """The continued fraction of I_x(a, b); needs about sqrt(max(a, b)) terms."""
    c = 1.0
    d = 1 / _away_from_zero(1 - (a + b) * x / (a + 1))
    total = d
    for m in range(1, _MOST_TERMS):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / _away_from_zero(1 + term * d)
            c = _away_from_zero(1 + term / c)
            total *= d * c
        if abs(d * c - 1) < _PRECISION:
            break
    return total


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
