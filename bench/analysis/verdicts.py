"""A difference with its interval, and its verdict. Pure.

It is BETTER or WORSE only when its whole interval lies beyond `min_effect`, EQUIVALENT only when it lies within; see
docs/decisions/statistics.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from bench.analysis import rates
from bench.analysis.bootstrap import LEVEL, Interval
from bench.analysis.student import t_quantile, z_quantile
from bench.numbers import plural

DEFAULT_MIN_EFFECT_RATE = 0.001

LEAST_EPISODES = 3
"""Stretches of time a quantile must rest on before it gets an interval: one or two say nothing of the next."""

ENOUGH_EPISODES = 10
"""With fewer it is said how few they are; so many are asked for."""

_RESOLVED = 0.6
"""Half the width of an interval, as a share of `min_effect`, with which a difference of twice `min_effect` is found in
nine runs of ten, and variants that do not differ are EQUIVALENT in eight of ten."""


class Verdict(StrEnum):
    """Candidate against baseline; less is better."""

    BETTER = "BETTER"
    WORSE = "WORSE"
    EQUIVALENT = "EQUIVALENT"
    INCONCLUSIVE = "INCONCLUSIVE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Candidate - baseline in ms, or as a share, with its interval.

    `more_needed`: about how many more samples a variant needs, with too few for an interval (`low` and `high` are None
    then), or with one too wide to show a difference of `min_effect`. `estimate` is None as well when a side has no
    samples at all, or where requests without an answer decide: then one end may still be known. `reach` and `episodes`
    are those of the `Interval`. `why` says why there is no verdict, where the interval does not.
    """

    estimate: float | None
    low: float | None
    high: float | None
    verdict: Verdict
    level: float = LEVEL
    more_needed: int = 0
    reach: float = 0.0
    episodes: float = math.inf
    why: str = ""

    def as_json(self) -> dict[str, Any]:
        """As in summary.json; the last three only where they matter."""
        fields = {"estimate": self.estimate, "low": self.low, "high": self.high, "level": self.level}
        few = self.episodes < ENOUGH_EPISODES
        return {
            **fields,
            "verdict": str(self.verdict),
            **({"more_needed": self.more_needed} if self.more_needed else {}),
            **({"episodes": max(round(self.episodes), 1)} if few else {}),
            **({"why": self.why} if self.why else {}),
        }


def judge(estimate: float, interval: Interval, *, min_effect: float, samples: int = 0) -> Estimate:
    """The verdict over an interval, of which one end may be infinite. INCONCLUSIVE too when there is none.

    `samples` a variant that the interval rests on, if more of them would make it narrower.
    """
    known = estimate if math.isfinite(estimate) else None
    if math.isnan(interval.low) or math.isnan(interval.high):
        return Estimate(
            estimate=known,
            low=None,
            high=None,
            verdict=Verdict.INCONCLUSIVE,
            more_needed=interval.more_needed,
            reach=interval.reach,
            episodes=interval.episodes,
            why=_why_none(interval),
        )
    if interval.low > min_effect:
        verdict = Verdict.WORSE
    elif interval.high < -min_effect:
        verdict = Verdict.BETTER
    elif -min_effect < interval.low and interval.high < min_effect:
        verdict = Verdict.EQUIVALENT
    else:
        verdict = Verdict.INCONCLUSIVE
    bounded = math.isfinite(interval.low) and math.isfinite(interval.high)
    more = samples_to_resolve(interval, samples, min_effect=min_effect) - samples if bounded else 0
    return Estimate(
        estimate=known,
        low=interval.low if math.isfinite(interval.low) else None,
        high=interval.high if math.isfinite(interval.high) else None,
        verdict=verdict,
        more_needed=max(more, 0) if verdict is Verdict.INCONCLUSIVE else 0,
        reach=interval.reach,
        episodes=interval.episodes,
    )


def shares(baseline: rates.Share, candidate: rates.Share, *, min_effect: float) -> Estimate:
    """Difference of two shares."""
    interval = rates.difference(baseline, candidate)
    samples = min(baseline.n, candidate.n)
    return judge(candidate.rate - baseline.rate, interval, min_effect=min_effect, samples=samples)


def samples_to_resolve(interval: Interval, samples: int, *, min_effect: float) -> int:
    """About how many samples a variant show a difference of `min_effect`, where `samples` give this interval.

    An interval shrinks with the root of their number. 0 when `min_effect` is 0: no number does.
    """
    if min_effect <= 0:
        return 0
    return round(samples * ((interval.high - interval.low) / (2 * _RESOLVED * min_effect)) ** 2)


def all_at_once(found: Mapping[str, Estimate], *, min_effect: float, degrees: float = math.inf) -> dict[str, Estimate]:
    """The estimates of several figures with BETTER and WORSE only where they hold for all of them together.

    Six intervals of 95 % miss more often than one. Holm (1979): the surest of m figures must be sure to 1 - 5 % / m,
    the next to 1 - 5 % / (m - 1), and so on; from the first that is not on, there is no verdict. `degrees` are those of
    freedom that the intervals have: few where runs are the unit.
    """
    with_interval = [name for name, one in found.items() if one.low is not None or one.high is not None]
    decided = [name for name in with_interval if found[name].verdict in (Verdict.BETTER, Verdict.WORSE)]
    beyond = {name: _beyond(found[name], min_effect) for name in decided}
    kept: set[str] = set()
    for left, name in enumerate(sorted(decided, key=lambda one: -beyond[one])):
        if beyond[name] * _half_width(1 - LEVEL, degrees) < _half_width(
            (1 - LEVEL) / (len(with_interval) - left), degrees
        ):
            break
        kept.add(name)
    why = f"sure by itself, not as one of {len(with_interval)} figures"
    return {
        name: replace(one, verdict=Verdict.INCONCLUSIVE, why=why) if name in beyond.keys() - kept else one
        for name, one in found.items()
    }


def _beyond(one: Estimate, min_effect: float) -> float:
    """How far an estimate is beyond `min_effect`, in halves of its interval's width."""
    near = one.low if one.verdict is Verdict.WORSE else one.high
    if one.estimate is None or near is None or near == one.estimate:
        return math.inf
    return (abs(one.estimate) - min_effect) / abs(one.estimate - near)


def _half_width(chance: float, degrees: float) -> float:
    """Of an interval that misses with `chance`, in standard errors."""
    p = 1 - chance / 2
    return z_quantile(p) if math.isinf(degrees) else t_quantile(p, degrees)


def _why_none(interval: Interval) -> str:
    if interval.episodes < LEAST_EPISODES:
        return f"rests on {plural(max(round(interval.episodes), 1), 'episode')}"
    return f"too short: hangs together for {interval.reach:.0%} of the run" if interval.too_long else ""
