"""Intervals for shares such as the auth-failure rate. Pure.

Wilson's score interval on the number of independent samples the clustering in time leaves (Korn and Graubard 1998),
and Newcombe's hybrid of two of them for a difference. Both stay honest at 0 failures, where a bootstrap says [0, 0].

Failures come in bursts, and a run that saw none of them, or one, does not know how long the next one lasts: the limit
of a share itself is then the rule of three with a second as its unit, 3 in the number of seconds (3 in 40 blocks of a
run of less than 40 s), and not 3 in the number of requests; see docs/guides/statistics.md. A difference is of what both
sides of a run saw, and is left as it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from bench.analysis import blocks
from bench.analysis.bootstrap import LEVEL, Interval
from bench.analysis.student import t_quantile

_KNOWN_EPISODES = 1.5
"""With fewer, none or one burst was seen."""
_RULE_OF_THREE = 3.0
_BURST_S = 1.0
"""How long the burst is taken to last that a run did not see."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Share:
    """`hits` of `count` requests in `span_s`, both arrays with one value a cell (`blocks.CELLS`).

    Where only some answers were looked at, `hits` and `misses` are the requests of which it is known all the same, and
    `sampled` is the share among the answers that were looked at: it speaks for all others.
    """

    hits: NDArray[Any]
    count: NDArray[Any]
    span_s: float
    sampled: Share | None = None
    misses: NDArray[Any] | None = None

    @property
    def n(self) -> int:
        return int(self.count.sum())

    @property
    def rate(self) -> float:
        own = float(self.hits.sum() / self.count.sum()) if self.n else math.nan
        return own if self.sampled is None else own + self.left * self.sampled.rate

    @property
    def left(self) -> float:
        """The share of the requests that `sampled` speaks for."""
        checked = self.hits.sum() + (self.misses.sum() if self.misses is not None else 0)
        return 1 - float(checked / self.count.sum())

    def known(self, hits: NDArray[Any]) -> Share:
        """`hits` of all requests, of which nothing is left to a sample."""
        return Share(hits=hits, count=self.count, span_s=self.span_s)


def own(share: Share) -> Interval:
    """The interval of a share, within 0..1; `episodes` are the bursts that its hits, or what missed, are worth."""
    if share.sampled is not None:
        return _together(share, share.sampled, own)
    seen, episodes = _seen(share)
    if episodes >= _KNOWN_EPISODES or not seen.known:
        return replace(seen, episodes=episodes)
    unseen = _RULE_OF_THREE / max(min(max(share.span_s / _BURST_S, blocks.MOST_BLOCKS), share.n), _RULE_OF_THREE)
    if share.rate <= 0.5:
        return replace(seen, high=max(seen.high, unseen), episodes=episodes)
    return replace(seen, low=min(seen.low, 1 - unseen), episodes=episodes)


def difference(baseline: Share, candidate: Share) -> Interval:
    """The interval of candidate - baseline; failures of both sides at the same time are not taken to cancel."""
    (ours, _), (theirs, _) = _seen(baseline), _seen(candidate)
    if ours.more_needed or theirs.more_needed:
        return Interval(low=math.nan, high=math.nan, more_needed=1)
    gap = candidate.rate - baseline.rate
    return Interval(
        low=gap - math.hypot(candidate.rate - theirs.low, ours.high - baseline.rate),
        high=gap + math.hypot(theirs.high - candidate.rate, baseline.rate - ours.low),
    )


def _seen(share: Share) -> tuple[Interval, float]:
    """What the failures that were seen say, and how many bursts they are worth."""
    if share.sampled is not None:
        found = _together(share, share.sampled, lambda part: _seen(part)[0])
        return found, found.episodes
    if share.n == 0:
        return Interval(low=math.nan, high=math.nan, more_needed=1), 0.0
    chosen, effective = _clustering(share)
    z = t_quantile((1 + LEVEL) / 2, chosen - 1)
    return _wilson(share.rate, effective, z), effective * min(share.rate, 1 - share.rate)


def _together(share: Share, sampled: Share, interval: Callable[[Share], Interval]) -> Interval:
    """That of hits + left x sampled, from the intervals of the three (Zou and Donner 2008)."""
    among = interval(sampled)
    if not share.n or among.more_needed:
        return Interval(low=math.nan, high=math.nan, more_needed=1)
    below, above = [share.left * (sampled.rate - among.low)], [share.left * (among.high - sampled.rate)]
    if share.misses is None or share.hits.any():  # else nothing can be a hit but what a look at the body shows
        known = share.known(share.hits)
        hits = interval(known)
        below.append((1 - sampled.rate) * (known.rate - hits.low))
        above.append((1 - sampled.rate) * (hits.high - known.rate))
    if share.misses is not None:
        known = share.known(share.misses)
        misses = interval(known)
        below.append(sampled.rate * (misses.high - known.rate))
        above.append(sampled.rate * (known.rate - misses.low))
    return Interval(
        low=max(0.0, share.rate - math.hypot(*below)),
        high=min(1.0, share.rate + math.hypot(*above)),
        episodes=among.episodes,
    )


def _clustering(share: Share) -> tuple[int, float]:
    """Blocks used, and how many independent requests the requests are worth."""
    rate = share.rate
    if rate in (0.0, 1.0):
        return blocks.MOST_BLOCKS, float(share.n)
    chosen = blocks.choose((share.hits - rate * share.count) / share.n)
    residual = chosen.sums(share.hits) - rate * chosen.sums(share.count)
    spread = float(residual @ residual) * chosen.correction() / share.n**2
    design_effect = max(1.0, spread / (rate * (1 - rate) / share.n))
    return chosen.count, share.n / design_effect


def _wilson(rate: float, n: float, z: float) -> Interval:
    centre = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    return Interval(
        low=max(0.0, centre - half) if rate > 0 else 0.0,
        high=min(1.0, centre + half) if rate < 1 else 1.0,
    )
