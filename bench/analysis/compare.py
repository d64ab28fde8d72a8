"""One variant against another: differences with intervals and verdicts. Pure.

A difference is candidate - baseline, so that above 0 is slower, or failing more. It is BETTER or WORSE only when its
whole interval lies beyond `min_effect`, EQUIVALENT only when it lies within; see docs/decisions/statistics.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from statistics import NormalDist
from typing import Any

import numpy as np

from bench.analysis import blocks, bootstrap, rates, streams
from bench.analysis.auth_failures import failure_share
from bench.analysis.bootstrap import LEVEL, Interval, Statistic
from bench.analysis.fold import Fold, fold_variant
from bench.analysis.quantiles import CURVE_Q, QuantileCurve, samples_needed
from bench.analysis.run import Floats, LoadedRun
from bench.analysis.student import z_quantile
from bench.metrics import PRINTED, STREAM_DURATIONS
from bench.plan.run_plan import DEFAULT_MIN_EFFECT_MS

DEFAULT_MIN_EFFECT_RATE = 0.001
DEFAULT_SEED = 20_260_101

_GUIDE_Q = 0.9
"""The quantile whose autocorrelation guides the intervals of those beyond it."""
_MIDDLE_Q = 0.5

LEAST_EPISODES = 3
"""Stretches of time a quantile must rest on before an interval is told: from one or two nobody knows the next."""
ENOUGH_EPISODES = 10
"""With fewer it is said how few they are; so many are asked for."""
_FAR_TAIL = 0.005
_FULL_TAIL = 100
_FULLER = (0.99, 0.95, 0.9)

_RESOLVED = 0.6
"""Half the width of an interval, as a share of `min_effect`, with which a difference of twice `min_effect` is found in
nine runs of ten, and variants that do not differ are EQUIVALENT in eight of ten."""

Pairing = Callable[..., Interval]
"""`bootstrap.paired` or `bootstrap.independent`."""


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
    then), or with one too wide to tell a difference of `min_effect`. `estimate` is None as well when a side has no
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All differences of two variants; the mappings are from `p50` ... `p99.9` and `mean`.

    `streams` has them by metric of `STREAM_DURATIONS`, where both variants streamed.
    """

    baseline: str
    candidate: str
    response_time_ms: Mapping[str, Estimate]
    service_time_ms: Mapping[str, Estimate]
    auth_failure_rate: Estimate
    error_rate: Estimate
    streams: Mapping[str, Mapping[str, Estimate]] = field(default_factory=dict)


def variants(
    run: LoadedRun,
    baseline: str,
    candidate: str,
    *,
    min_effect_ms: float = DEFAULT_MIN_EFFECT_MS,
    min_effect_rate: float = DEFAULT_MIN_EFFECT_RATE,
    seed: int = DEFAULT_SEED,
) -> Comparison:
    """Two variants that were interleaved in one run, block by block."""

    def durations(metric: str) -> dict[str, Estimate]:
        sides = streams.folded(run, metric, baseline), streams.folded(run, metric, candidate)
        return folds(*sides, pairing=bootstrap.paired, min_effect_ms=min_effect_ms, seed=seed)

    def failures(*, auth_only: bool) -> Estimate:
        sides = [failure_share(run, variant, auth_only=auth_only) for variant in (baseline, candidate)]
        return shares(*sides, min_effect=min_effect_rate)

    both_stream = streams.are_there(run, baseline) and streams.are_there(run, candidate)
    return Comparison(
        baseline=baseline,
        candidate=candidate,
        response_time_ms=durations("response_time"),
        service_time_ms=durations("service_time"),
        auth_failure_rate=failures(auth_only=True),
        error_rate=failures(auth_only=False),
        streams={metric: durations(metric) for metric in STREAM_DURATIONS} if both_stream else {},
    )


def per_quantile(
    run: LoadedRun,
    baseline: str,
    candidate: str,
    *,
    metric: str = "response_time",
    min_effect_ms: float = DEFAULT_MIN_EFFECT_MS,
    seed: int = DEFAULT_SEED,
) -> tuple[tuple[float, Estimate], ...]:
    """(q, Estimate in ms) for every quantile of `quantiles.CURVE_Q` that both variants can tell."""
    base, cand = fold_variant(run, metric, baseline), fold_variant(run, metric, candidate)
    told = []
    for q in CURVE_Q:
        found = _difference(base, cand, q=float(q), pairing=bootstrap.paired, min_effect=min_effect_ms, seed=seed)
        if q > 0 and found.low is not None:
            told.append((float(q), found))
    return tuple(told)


def folds(baseline: Fold, candidate: Fold, *, pairing: Pairing, min_effect_ms: float, seed: int) -> dict[str, Estimate]:
    """Differences of the printed quantiles and of the mean, in ms; each verdict holds for all of them at once."""
    found = {
        name: _difference(baseline, candidate, q=q, pairing=pairing, min_effect=min_effect_ms, seed=seed)
        for name, q in PRINTED.items()
    }
    found["mean"] = _difference(baseline, candidate, q=None, pairing=pairing, min_effect=min_effect_ms, seed=seed)
    return all_at_once(found, min_effect=min_effect_ms)


def all_at_once(found: Mapping[str, Estimate], *, min_effect: float) -> dict[str, Estimate]:
    """The estimates of several figures with BETTER and WORSE only where they hold for all of them together.

    Six intervals of 95 % miss more often than one. Holm (1979): the surest of m figures must be sure to 1 - 5 % / m,
    the next to 1 - 5 % / (m - 1), and so on; from the first that is not on, there is no verdict.
    """
    told = [name for name, one in found.items() if one.low is not None or one.high is not None]
    decided = [name for name in told if found[name].verdict in (Verdict.BETTER, Verdict.WORSE)]
    chances = {name: _chance(found[name], min_effect) for name in decided}
    kept: set[str] = set()
    for left, name in enumerate(sorted(decided, key=lambda one: chances[one])):
        if chances[name] > (1 - LEVEL) / (len(told) - left):
            break
        kept.add(name)
    why = f"sure by itself, not as one of {len(told)} figures"
    return {
        name: replace(one, verdict=Verdict.INCONCLUSIVE, why=why) if name in chances.keys() - kept else one
        for name, one in found.items()
    }


def _chance(one: Estimate, min_effect: float) -> float:
    """How often chance alone takes an estimate so far beyond `min_effect`, by the width of its interval."""
    near = one.low if one.verdict is Verdict.WORSE else one.high
    if one.estimate is None or near is None or near == one.estimate:
        return 0.0
    beyond = (abs(one.estimate) - min_effect) / abs(one.estimate - near)
    return 2 * (1 - NormalDist().cdf(beyond * z_quantile((1 + LEVEL) / 2)))


def shares(baseline: rates.Share, candidate: rates.Share, *, min_effect: float) -> Estimate:
    """Difference of two shares."""
    interval = rates.difference(baseline, candidate)
    samples = min(baseline.n, candidate.n)
    return judge(candidate.rate - baseline.rate, interval, min_effect=min_effect, samples=samples)


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


def _why_none(interval: Interval) -> str:
    if interval.episodes < LEAST_EPISODES:
        return f"rests on {_times(interval.episodes)}"
    return f"too short: hangs together for {interval.reach:.0%} of the run" if interval.too_long else ""


def _times(episodes: float) -> str:
    number = max(round(episodes), 1)
    return f"{number} episode{'' if number == 1 else 's'}"


def samples_to_resolve(interval: Interval, samples: int, *, min_effect: float) -> int:
    """About how many samples a variant tell a difference of `min_effect`, where `samples` give this interval.

    An interval shrinks with the root of their number. 0 when `min_effect` is 0: no number does.
    """
    if min_effect <= 0:
        return 0
    return round(samples * ((interval.high - interval.low) / (2 * _RESOLVED * min_effect)) ** 2)


def own_interval(side: Fold, q: float | None, *, seed: int = DEFAULT_SEED) -> Interval:
    """The interval in ms of a variant's own quantile `q`, or of its mean when `q` is None.

    Where requests without an answer decide, it reaches from the least that they can have taken to infinity.
    """
    missing = _too_few(side, q=q)
    if missing:
        return Interval(low=math.nan, high=math.nan, more_needed=missing)
    if q is None:
        return _own(side, q, seed=seed)
    return _resting_on(_episodes(q, side), _own(side, q, seed=seed), tail=1 - q, samples=side.n)


def _own(side: Fold, q: float | None, *, seed: int) -> Interval:
    guide = side.quantile(_GUIDE_Q) if _in_tail(q) else None
    middle = None if q == _MIDDLE_Q else side.quantile(_MIDDLE_Q)
    least = bootstrap.own(_statistic(side, q=q), guide=guide, middle=middle, seed=seed)
    if not least.known:
        return least
    if q is None:
        return least if side.answers is None else replace(least, high=math.inf)
    if side.clear(least.high):
        return least
    most = bootstrap.own(side.most(q), guide=guide, middle=middle, seed=seed)
    return Interval(low=least.low, high=most.high) if most.known else most


def _episodes(q: float, *sides: Fold) -> float:
    n = min(side.n for side in sides)
    tail = min(q, 1 - q) * n
    exact = [side.quantile(q) for side in sides]
    folded = (one for one in _FULLER if one < q and all(one in side.q for side in sides))
    fuller = next((one for one in folded if (1 - one) * n >= _FULL_TAIL), None)
    if fuller is None or tail >= _FULL_TAIL:
        return bootstrap.episodes(exact, tail)
    others = [side.quantile(fuller) for side in sides]
    return bootstrap.episodes(exact, tail, fuller=others, fuller_tail=(1 - fuller) * n)


def _resting_on(episodes: float, interval: Interval, *, tail: float, samples: int) -> Interval:
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


def _finite(values: list[float]) -> Floats:
    return np.array([value if math.isfinite(value) else math.nan for value in values], dtype=np.float64)


def _difference(
    baseline: Fold, candidate: Fold, *, q: float | None, pairing: Pairing, min_effect: float, seed: int
) -> Estimate:
    base_ms, cand_ms = figure_ms(baseline, q=q), figure_ms(candidate, q=q)
    missing = max(_too_few(side, q=q) for side in (baseline, candidate))
    if missing:
        interval = Interval(low=math.nan, high=math.nan, more_needed=missing)
    elif all(_known(side, q=q, seed=seed) for side in (baseline, candidate)):
        guides = (baseline.quantile(_GUIDE_Q), candidate.quantile(_GUIDE_Q)) if _in_tail(q) else None
        middles = (baseline.quantile(_MIDDLE_Q), candidate.quantile(_MIDDLE_Q))
        interval = pairing(
            _statistic(baseline, q=q), _statistic(candidate, q=q), guides=guides, middles=middles, seed=seed
        )
        if q is not None:
            sides = [_episodes(q, side) for side in (baseline, candidate)]
            episodes = min(_episodes(q, baseline, candidate), *sides)
            samples = min(baseline.n, candidate.n)
            interval = _resting_on(episodes, interval, tail=1 - q, samples=samples)
    else:
        interval = _open(baseline, candidate, q=q, seed=seed)
    estimate = math.nan if math.isinf(base_ms) else cand_ms - base_ms
    return judge(estimate, interval, min_effect=min_effect, samples=min(baseline.n, candidate.n))


def _known(side: Fold, *, q: float | None, seed: int) -> bool:
    """Whether no request without an answer has a say in a figure."""
    return side.answers is None or side.clear(own_interval(side, q, seed=seed).high)


def _open(baseline: Fold, candidate: Fold, *, q: float | None, seed: int) -> Interval:
    """The interval of a difference in which requests have a say that got no answer; none without a known end.

    Each end is that of the least candidate against the most of the baseline, or the other way round. Their own
    intervals are put together as of two that know nothing of each other (Zou and Donner 2008).
    """
    ours, theirs = (own_interval(side, q, seed=seed) for side in (baseline, candidate))
    most = [figure_ms(side, q=q) for side in (baseline, candidate)]
    least = [side.least_ms(q) for side in (baseline, candidate)]
    low = high = math.nan
    if math.isfinite(ours.high):
        low = least[1] - most[0] - math.hypot(least[1] - theirs.low, ours.high - most[0])
    if math.isfinite(theirs.high):
        high = most[1] - least[0] + math.hypot(theirs.high - most[1], least[0] - ours.low)
    if math.isnan(low) and math.isnan(high):
        return Interval(low=math.nan, high=math.nan)
    return Interval(low=-math.inf if math.isnan(low) else low, high=math.inf if math.isnan(high) else high)


def _in_tail(q: float | None) -> bool:
    return q is not None and q > _GUIDE_Q


def _statistic(side: Fold, *, q: float | None) -> Statistic:
    return side.mean() if q is None else side.quantile(q)


def figure_ms(side: Fold, *, q: float | None) -> float:
    """The quantile `q` of a variant, or its mean when `q` is None."""
    return side.mean_ms if q is None else side.quantile_ms(q)


def _too_few(side: Fold, *, q: float | None) -> int:
    """Samples missing before the bootstrap is asked; a mean needs as many as a median. The minimum has no interval."""
    if q == 0.0:
        return 1
    return max(0, samples_needed(0.5 if q is None else q) - side.n)
