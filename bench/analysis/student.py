"""Quantiles of Student's t distribution, without scipy. Pure."""

from __future__ import annotations

import math
from statistics import NormalDist

_STANDARD = NormalDist()


def z_quantile(p: float) -> float:
    """The value a standard normal variable stays below with probability `p`, 0 < p < 1."""
    return _STANDARD.inv_cdf(p)


def t_quantile(p: float, df: float) -> float:
    """The value Student's t with `df` degrees of freedom stays below with probability `p`, 0.5 <= p < 0.9999.

    Exact for df 1 and 2; from 3 on the expansion of Abramowitz and Stegun 26.7.5, good to 0.3 % at p 0.975, and from 9
    on to 0.1 % at p 0.9999.
    ValueError for other df below 3.
    """
    if df == 1:
        return math.tan(math.pi * (p - 0.5))
    if df == 2:
        return (2 * p - 1) * math.sqrt(2 / (4 * p * (1 - p)))
    if df < 3:
        raise ValueError(f"no t quantile for {df} degrees of freedom")
    z = z_quantile(p)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / df**power for power, term in enumerate(terms, start=1))
