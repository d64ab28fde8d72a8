"""Intervals for shares such as the auth-failure rate. Pure.

Wilson's score interval on the number of independent samples the clustering in time leaves (Korn and Graubard 1998),
and Newcombe's hybrid of two of them for a difference. Both stay honest at 0 failures, where a bootstrap says [0, 0].
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from bench.analysis import blocks
from bench.analysis.bootstrap import LEVEL, Interval
from bench.analysis.student import t_quantile


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Share:
    """`hits` of `count` requests, both arrays with one value a cell (`blocks.CELLS`)."""

    hits: NDArray[Any]
    count: NDArray[Any]

    @property
    def n(self) -> int:
        return int(self.count.sum())

    @property
    def rate(self) -> float:
        return float(self.hits.sum() / self.n) if self.n else math.nan


def own(share: Share) -> Interval:
    """The interval of a share, within 0..1."""
    if share.n == 0:
        return Interval(low=math.nan, high=math.nan, more_needed=1)
    chosen, effective = _clustering(share)
    z = t_quantile((1 + LEVEL) / 2, chosen - 1)
    return _wilson(share.rate, effective, z)


def difference(baseline: Share, candidate: Share) -> Interval:
    """The interval of candidate - baseline; failures of both sides at the same time are not taken to cancel."""
    ours, theirs = own(baseline), own(candidate)
    if ours.more_needed or theirs.more_needed:
        return Interval(low=math.nan, high=math.nan, more_needed=1)
    gap = candidate.rate - baseline.rate
    return Interval(
        low=gap - math.hypot(candidate.rate - theirs.low, ours.high - baseline.rate),
        high=gap + math.hypot(theirs.high - candidate.rate, baseline.rate - ours.low),
    )


def _clustering(share: Share) -> tuple[int, float]:
    """Blocks used, and how many independent requests the requests are worth."""
    rate = share.rate
    if rate in (0.0, 1.0):
        return blocks.MOST_BLOCKS, float(share.n)
    chosen = blocks.choose((share.hits - rate * share.count) / share.n)
    residual = chosen.sums(share.hits) - rate * chosen.sums(share.count)
    spread = float(residual @ residual) * chosen.correction / share.n**2
    design_effect = max(1.0, spread / (rate * (1 - rate) / share.n))
    return chosen.count, share.n / design_effect


def _wilson(rate: float, n: float, z: float) -> Interval:
    centre = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    return Interval(
        low=max(0.0, centre - half) if rate > 0 else 0.0,
        high=min(1.0, centre + half) if rate < 1 else 1.0,
    )
