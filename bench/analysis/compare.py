"""One variant against another: differences with intervals and verdicts. Pure.

A difference is candidate - baseline, so that above 0 is slower, or failing more. It is BETTER or WORSE only when its
whole interval lies beyond `min_effect`, EQUIVALENT only when it lies within; see docs/decisions/032.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from bench.analysis import bootstrap, quantiles, rates
from bench.analysis.auth_failures import failure_share
from bench.analysis.bootstrap import LEVEL, Interval, Statistic
from bench.analysis.fold import Fold, fold_variant
from bench.analysis.quantiles import CURVE_Q, PRINTED, QuantileCurve, samples_needed
from bench.analysis.run import LoadedRun
from bench.plan import DEFAULT_MIN_EFFECT_MS

DEFAULT_MIN_EFFECT_RATE = 0.001
DEFAULT_SEED = 20_260_101

_GUIDE_Q = 0.9
"""The quantile whose autocorrelation guides the intervals of those beyond it."""

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
    samples at all.
    """

    estimate: float | None
    low: float | None
    high: float | None
    verdict: Verdict
    level: float = LEVEL
    more_needed: int = 0

    def as_json(self) -> dict[str, Any]:
        """As in summary.json; `more_needed` only where it matters."""
        fields = {"estimate": self.estimate, "low": self.low, "high": self.high, "level": self.level}
        return {
            **fields,
            "verdict": str(self.verdict),
            **({"more_needed": self.more_needed} if self.more_needed else {}),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All differences of two variants; the mappings are from `p50` ... `p99.9` and `mean`."""

    baseline: str
    candidate: str
    response_time_ms: Mapping[str, Estimate]
    service_time_ms: Mapping[str, Estimate]
    auth_failure_rate: Estimate
    error_rate: Estimate


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
        sides = fold_variant(run, metric, baseline), fold_variant(run, metric, candidate)
        return folds(*sides, pairing=bootstrap.paired, min_effect_ms=min_effect_ms, seed=seed)

    def failures(*, auth_only: bool) -> Estimate:
        sides = [failure_share(run, variant, auth_only=auth_only) for variant in (baseline, candidate)]
        return shares(*sides, min_effect=min_effect_rate)

    return Comparison(
        baseline=baseline,
        candidate=candidate,
        response_time_ms=durations("response_time"),
        service_time_ms=durations("service_time"),
        auth_failure_rate=failures(auth_only=True),
        error_rate=failures(auth_only=False),
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
    """Differences of the printed quantiles and of the mean, in ms."""
    found = {
        name: _difference(baseline, candidate, q=q, pairing=pairing, min_effect=min_effect_ms, seed=seed)
        for name, q in PRINTED.items()
    }
    found["mean"] = _difference(baseline, candidate, q=None, pairing=pairing, min_effect=min_effect_ms, seed=seed)
    return found


def shares(baseline: rates.Share, candidate: rates.Share, *, min_effect: float) -> Estimate:
    """Difference of two shares."""
    interval = rates.difference(baseline, candidate)
    samples = min(baseline.n, candidate.n)
    return judge(candidate.rate - baseline.rate, interval, min_effect=min_effect, samples=samples)


def judge(estimate: float, interval: Interval, *, min_effect: float, samples: int = 0) -> Estimate:
    """The verdict over an interval. INCONCLUSIVE too when there is none.

    `samples` a variant that the interval rests on, if more of them would make it narrower.
    """
    if math.isnan(interval.low) or math.isnan(interval.high):
        known = None if math.isnan(estimate) else estimate
        return Estimate(
            estimate=known, low=None, high=None, verdict=Verdict.INCONCLUSIVE, more_needed=interval.more_needed
        )
    if interval.low > min_effect:
        verdict = Verdict.WORSE
    elif interval.high < -min_effect:
        verdict = Verdict.BETTER
    elif -min_effect < interval.low and interval.high < min_effect:
        verdict = Verdict.EQUIVALENT
    else:
        verdict = Verdict.INCONCLUSIVE
    more = samples_to_resolve(interval, samples, min_effect=min_effect) - samples
    return Estimate(
        estimate=estimate,
        low=interval.low,
        high=interval.high,
        verdict=verdict,
        more_needed=max(more, 0) if verdict is Verdict.INCONCLUSIVE else 0,
    )


def samples_to_resolve(interval: Interval, samples: int, *, min_effect: float) -> int:
    """About how many samples a variant tell a difference of `min_effect`, where `samples` give this interval.

    An interval shrinks with the root of their number. 0 when `min_effect` is 0: no number does.
    """
    if min_effect <= 0:
        return 0
    return round(samples * ((interval.high - interval.low) / (2 * _RESOLVED * min_effect)) ** 2)


def own_interval(side: Fold, q: float | None, *, seed: int = DEFAULT_SEED) -> Interval:
    """The interval in ms of a variant's own quantile `q`, or of its mean when `q` is None."""
    missing = _too_few(side, q=q)
    if missing:
        return Interval(low=math.nan, high=math.nan, more_needed=missing)
    guide = side.quantile(_GUIDE_Q) if _in_tail(q) else None
    return bootstrap.own(_statistic(side, q=q), guide=guide, seed=seed)


def own_curve(side: Fold, *, seed: int = DEFAULT_SEED) -> QuantileCurve:
    """The percentile curve of a variant up to the last quantile with a sample beyond it, with its band."""
    q = side.q[(1.0 - side.q) * side.n >= 1]
    bands = [own_interval(side, float(one), seed=seed) for one in q]
    return QuantileCurve(
        q=q,
        value_ms=quantiles.at(side.ordered_ns, q) / 1e6,
        low_ms=np.array([band.low for band in bands]),
        high_ms=np.array([band.high for band in bands]),
    )


def _difference(
    baseline: Fold, candidate: Fold, *, q: float | None, pairing: Pairing, min_effect: float, seed: int
) -> Estimate:
    figures = [figure_ms(side, q=q) for side in (baseline, candidate)]
    missing = max(_too_few(side, q=q) for side in (baseline, candidate))
    if missing:
        interval = Interval(low=math.nan, high=math.nan, more_needed=missing)
    else:
        guides = (baseline.quantile(_GUIDE_Q), candidate.quantile(_GUIDE_Q)) if _in_tail(q) else None
        interval = pairing(_statistic(baseline, q=q), _statistic(candidate, q=q), guides=guides, seed=seed)
    return judge(figures[1] - figures[0], interval, min_effect=min_effect, samples=min(baseline.n, candidate.n))


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
