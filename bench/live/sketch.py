"""Quantiles of many times in little room, mergeable over seconds and workers. Pure (numpy).

A DDSketch (Masson, Rim and Lee, VLDB 2019): counts in buckets whose bounds grow by 2 %, so that a quantile is at
most 1 % off, whatever was merged. The figures of reports and gates are exact and never come from here.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

RELATIVE_ERROR = 0.01
_GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_LEAST_NS = 1_000
"""Anything shorter than a microsecond is one."""


class Sketch:
    """Counts of durations in ns."""

    __slots__ = ("counts",)

    def __init__(self, counts: Iterable[tuple[int, int]] = ()) -> None:
        self.counts: Counter[int] = Counter()
        for bucket, count in counts:
            self.counts[bucket] += count

    def add(self, durations_ns: NDArray[Any]) -> None:
        """Count them all, in one go."""
        if not len(durations_ns):
            return
        logs = np.log(np.maximum(durations_ns, _LEAST_NS)) / math.log(_GAMMA)
        buckets, counts = np.unique(np.ceil(logs).astype(np.int64), return_counts=True)
        for bucket, count in zip(buckets.tolist(), counts.tolist(), strict=True):
            self.counts[bucket] += count

    def merge(self, other: Sketch) -> None:
        self.counts.update(other.counts)

    @property
    def total(self) -> int:
        return self.counts.total()

    def quantile_ms(self, q: float) -> float | None:
        """Within 1 % of the q-quantile; None of nothing."""
        rank = q * (self.total - 1)
        seen = 0
        for bucket in sorted(self.counts):
            seen += self.counts[bucket]
            if seen > rank:
                return 2 * _GAMMA**bucket / (_GAMMA + 1) / 1e6
        return None

    def sum_ms(self) -> float:
        """Of all of them, within 1 %."""
        return sum(value_ms * count for value_ms, count in self.values_ms())

    def values_ms(self) -> list[tuple[float, int]]:
        """What each bucket stands for, which is within 1 % of all in it, and its count."""
        return [(2 * _GAMMA**bucket / (_GAMMA + 1) / 1e6, count) for bucket, count in self.counts.items()]

    def at_most_ms(self, bound_ms: float) -> int:
        """How many were at most so long, within the sketch's error."""
        return sum(count for bucket, count in self.counts.items() if _GAMMA**bucket / 1e6 <= bound_ms)

    def as_pairs(self) -> list[tuple[int, int]]:
        """For a message."""
        return sorted(self.counts.items())
