"""Exact quantiles, and the percentile curve with its confidence band. Pure.

A quantile is the linear interpolation between order statistics at rank q * (n - 1): numpy's default,
Hyndman and Fan's definition 7. Nothing is rounded or bucketed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.analysis.bootstrap import LEAST_TAIL
from bench.analysis.run import Floats
from bench.analysis.student import z_quantile
from bench.metrics import PRINTED

CURVE_Q: Floats = np.unique(np.round(np.concatenate(([*PRINTED.values()], 1.0 - np.logspace(0, -4, 97))), 9))
"""The points of a percentile curve: q from 0 to 0.9999, evenly spaced on the logarithm of the tail 1 - q."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class QuantileCurve:
    """Latency by quantile. Four arrays of one length; a band that is not known is NaN.

    Draw `value_ms` over `1 / (1 - q)` on a logarithmic axis, the band between `low_ms` and `high_ms` (95 %).
    """

    q: Floats
    value_ms: Floats
    low_ms: Floats
    high_ms: Floats


def at(ordered: NDArray[Any], q: Any) -> Any:
    """The quantile(s) `q` (scalar or array) of values that are sorted already; NaN when there are none."""
    if len(ordered) == 0:
        return np.full(np.shape(q), np.nan)
    rank = np.clip(q, 0.0, 1.0) * (len(ordered) - 1)
    below = np.floor(rank).astype(np.int64)
    above = np.minimum(below + 1, len(ordered) - 1)
    low = ordered[below].astype(np.float64)
    return low + (rank - below) * (ordered[above] - low)


def among(ordered: NDArray[Any], n: int, q: Any) -> Any:
    """The quantile(s) `q` of `n` values of which only `ordered` are known, and the rest are larger; infinite there."""
    if n == 0:
        return np.full(np.shape(q), np.nan)
    rank = np.clip(q, 0.0, 1.0) * (n - 1)
    if len(ordered) == 0:
        return np.full(np.shape(q), np.inf)
    below = np.floor(rank).astype(np.int64)
    above = np.ceil(rank).astype(np.int64)
    last = len(ordered) - 1
    low = ordered[np.minimum(below, last)].astype(np.float64)
    value = low + (rank - below) * (ordered[np.minimum(above, last)] - low)
    return np.where(above > last, np.inf, value)


def of_unsorted(values: NDArray[Any], q: tuple[float, ...]) -> tuple[float, ...]:
    """A few quantiles of values in any order, without sorting them all; NaN when there are none."""
    if len(values) == 0:
        return tuple(math.nan for _ in q)
    ranks = np.array(q) * (len(values) - 1)
    wanted = np.unique(np.concatenate((np.floor(ranks), np.ceil(ranks)))).astype(np.int64)
    return tuple(float(found) for found in at(np.partition(values, wanted), np.array(q)))


def samples_needed(q: float) -> int:
    """Samples it takes before the quantile `q` gets an interval: `LEAST_TAIL` on its emptier side."""
    tail = min(q, 1.0 - q)
    return math.ceil(round(LEAST_TAIL / tail, 6)) if tail > 0 else 0


def curve(values_ns: NDArray[Any], *, q: Floats = CURVE_Q) -> QuantileCurve:
    """The percentile curve of durations in ns whose times are not known, taken to be independent of each other.

    Samples of a run have times, and resemble their neighbours: `series.quantile_curve` is right for them.
    It ends with the last quantile that has a sample beyond it.
    """
    ordered = np.sort(values_ns)
    kept = q[(1.0 - q) * len(ordered) >= 1]
    spread = z_quantile(0.975) * np.sqrt(kept * (1.0 - kept) / max(len(ordered), 1))
    known = np.minimum(kept, 1.0 - kept) * len(ordered) >= LEAST_TAIL
    return QuantileCurve(
        q=kept,
        value_ms=at(ordered, kept) / 1e6,
        low_ms=np.where(known, at(ordered, kept - spread) / 1e6, np.nan),
        high_ms=np.where(known, at(ordered, kept + spread) / 1e6, np.nan),
    )
