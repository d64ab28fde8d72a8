"""One variant against another: differences with intervals and verdicts. Pure.

A difference is candidate - baseline, so that above 0 is slower, or failing more. It is BETTER or WORSE only when its
whole interval lies beyond `min_effect`, EQUIVALENT only when it lies within; see docs/decisions/statistics.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bench.analysis import bootstrap, streams
from bench.analysis.auth_failures import failure_share
from bench.analysis.bootstrap import DEFAULT_SEED, Interval
from bench.analysis.fold import Fold, fold_variant
from bench.analysis.own_intervals import (
    GUIDE_Q,
    MIDDLE_Q,
    episodes_of,
    figure_ms,
    in_tail,
    own_interval,
    resting_on,
    statistic,
    too_few,
)
from bench.analysis.quantiles import CURVE_Q
from bench.analysis.run import LoadedRun
from bench.analysis.verdicts import DEFAULT_MIN_EFFECT_RATE, Estimate, all_at_once, judge, shares
from bench.metrics import PRINTED, STREAM_DURATIONS
from bench.plan.run_plan import DEFAULT_MIN_EFFECT_MS

Pairing = Callable[..., Interval]
"""`bootstrap.paired` or `bootstrap.independent`."""


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
    """(q, Estimate in ms) for every quantile of `quantiles.CURVE_Q` that both variants have samples for."""
    base, cand = fold_variant(run, metric, baseline), fold_variant(run, metric, candidate)
    estimates = []
    for q in CURVE_Q:
        found = _difference(base, cand, q=float(q), pairing=bootstrap.paired, min_effect=min_effect_ms, seed=seed)
        if q > 0 and found.low is not None:
            estimates.append((float(q), found))
    return tuple(estimates)


def folds(baseline: Fold, candidate: Fold, *, pairing: Pairing, min_effect_ms: float, seed: int) -> dict[str, Estimate]:
    """Differences of the printed quantiles and of the mean, in ms; each verdict holds for all of them at once."""
    found = {
        name: _difference(baseline, candidate, q=q, pairing=pairing, min_effect=min_effect_ms, seed=seed)
        for name, q in PRINTED.items()
    }
    found["mean"] = _difference(baseline, candidate, q=None, pairing=pairing, min_effect=min_effect_ms, seed=seed)
    return all_at_once(found, min_effect=min_effect_ms)


def _difference(
    baseline: Fold, candidate: Fold, *, q: float | None, pairing: Pairing, min_effect: float, seed: int
) -> Estimate:
    base_ms, cand_ms = figure_ms(baseline, q=q), figure_ms(candidate, q=q)
    missing = max(too_few(side, q=q) for side in (baseline, candidate))
    if missing:
        interval = Interval(low=math.nan, high=math.nan, more_needed=missing)
    elif all(_known(side, q=q, seed=seed) for side in (baseline, candidate)):
        guides = (baseline.quantile(GUIDE_Q), candidate.quantile(GUIDE_Q)) if in_tail(q) else None
        middles = (baseline.quantile(MIDDLE_Q), candidate.quantile(MIDDLE_Q))
        interval = pairing(
            statistic(baseline, q=q), statistic(candidate, q=q), guides=guides, middles=middles, seed=seed
        )
        if q is not None:
            sides = [episodes_of(q, side) for side in (baseline, candidate)]
            episodes = min(episodes_of(q, baseline, candidate), *sides)
            samples = min(baseline.n, candidate.n)
            interval = resting_on(episodes, interval, tail=1 - q, samples=samples)
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
