"""Quantiles of many times in little room, mergeable over seconds and workers. Pure (numpy).

A DDSketch (Masson, Rim and Lee, VLDB 2019): counts in buckets whose bounds grow by 2 %, so that a quantile is at
most 1 % off, whatever was merged. The figures of reports and gates are exact and never come from here.

The counts lie in one array of 10 kB, so that adding a thousand times and merging are a few calls of numpy: it is done
while requests are due.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

RELATIVE_ERROR = 0.01
_GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_LEAST_NS = 1_000
"""Anything shorter than a microsecond is one."""
_MOST_NS = 86_400_000_000_000
"""Anything longer than a day is one."""
_LOG_GAMMA = math.log(_GAMMA)
_FIRST = math.ceil(math.log(_LEAST_NS) / _LOG_GAMMA)
_BUCKETS = math.ceil(math.log(_MOST_NS) / _LOG_GAMMA) - _FIRST + 1
_VALUES_MS = 2 * _GAMMA ** np.arange(_FIRST, _FIRST + _BUCKETS) / (_GAMMA + 1) / 1e6
_BOUNDS_MS = _GAMMA ** np.arange(_FIRST, _FIRST + _BUCKETS) / 1e6


class Sketch:
    """Counts of durations in ns."""

    __slots__ = ("_counts",)

    def __init__(self, pairs: Iterable[tuple[int, int]] = ()) -> None:
        """`pairs` are other sketches' (`as_pairs`)."""
        self._counts = np.zeros(_BUCKETS, np.int64)
        for bucket, count in pairs:
            self._counts[min(max(bucket - _FIRST, 0), _BUCKETS - 1)] += count

    def add(self, durations_ns: NDArray[Any]) -> None:
        """Count them all, in one go."""
        if not len(durations_ns):
            return
        logs = np.log(np.clip(durations_ns, _LEAST_NS, _MOST_NS)) / _LOG_GAMMA
        self._counts += np.bincount(np.ceil(logs).astype(np.int64) - _FIRST, minlength=_BUCKETS)

    def merge(self, other: Sketch) -> None:
        self._counts += other._counts

    @property
    def total(self) -> int:
        return int(self._counts.sum())

    def quantile_ms(self, q: float) -> float | None:
        """Within 1 % of the q-quantile; None of nothing."""
        total = self.total
        if not total:
            return None
        bucket = int(np.searchsorted(np.cumsum(self._counts), q * (total - 1), side="right"))
        return float(_VALUES_MS[bucket])

    def sum_ms(self) -> float:
        """Of all of them, within 1 %."""
        return float(self._counts @ _VALUES_MS)

    def values_ms(self) -> list[tuple[float, int]]:
        """What each bucket stands for, which is within 1 % of all in it, and its count."""
        filled = np.flatnonzero(self._counts)
        return list(zip(_VALUES_MS[filled].tolist(), self._counts[filled].tolist(), strict=True))

    def at_most_ms(self, bound_ms: float) -> int:
        """How many were at most so long, within the sketch's error."""
        return int(self._counts[bound_ms >= _BOUNDS_MS].sum())

    def as_pairs(self) -> list[tuple[int, int]]:
        """For a message."""
        filled = np.flatnonzero(self._counts)
        return list(zip((filled + _FIRST).tolist(), self._counts[filled].tolist(), strict=True))
