"""The blocks of figures that variants, classes, deployments and stages share: how requests ended, how long they took.

Pure. Shares are 0..1, times in ms; every figure has its interval beside it. `Part` narrows a variant to some requests.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

from bench.analysis import auth_failures, checked, outcomes, own_intervals, verdicts
from bench.analysis.bootstrap import Interval
from bench.analysis.fold import Fold
from bench.analysis.rates import Share
from bench.analysis.rates import own as share_interval
from bench.analysis.run import LoadedRun, Part
from bench.metrics import PRINTED
from bench.sample import Outcome


def requests(run: LoadedRun, variant: str, part: Part | None, deadlines_ms: Collection[float]) -> dict[str, Any]:
    """How many requests of a variant, or of a part of it, ended how; what a gate of a class may ask is all here."""
    ended = run.samples.counts("outcome", run.rows(variant, part))
    number = sum(ended.values())
    block: dict[str, Any] = {
        "requests": number,
        "throughput": number / run.span_s if run.span_s else math.nan,
        **error_rate(auth_failures.failure_share(run, variant, auth_only=False, part=part)),
        "outcomes": {str(Outcome.OK): 0} | dict(sorted(ended.items())),
        "outcome_rates": {str(outcome): _outcome_rate(run, variant, outcome, part) for outcome in Outcome},
        "failures": outcomes.failures(run, variant, part),
        "failure_rates": outcomes.failure_rates(run, variant, part),
    }
    if checks := checked.counts(run, variant, part):
        block["checked"] = checks
    if deadlines_ms:
        each = {deadline_name(one): _within(run, variant, one, part) for one in sorted(set(deadlines_ms))}
        block["within"] = each
    return block


def error_rate(failed: Share) -> dict[str, Any]:
    """The share that failed, and its interval."""
    around = share_interval(failed)
    return {"error_rate": failed.rate, "error_rate_interval": {"low": around.low, "high": around.high}}


def _outcome_rate(run: LoadedRun, variant: str, outcome: Outcome, part: Part | None) -> dict[str, Any]:
    share = auth_failures.outcome_share(run, variant, outcome, part)
    found = share_interval(share)
    return {"rate": share.rate, "low": found.low, "high": found.high}


def deadline_name(deadline_ms: float) -> str:
    """The key of a deadline in a summary: its milliseconds."""
    return f"{deadline_ms:.12g}"


def _within(run: LoadedRun, variant: str, deadline_ms: float, part: Part | None) -> dict[str, Any]:
    """Requests answered well within a deadline from when they were due, of all that were measured."""
    share = auth_failures.within(run, variant, deadline_ms, part)
    found = share_interval(share)
    return {"requests": int(share.hits.sum()), "rate": share.rate, "low": found.low, "high": found.high}


def durations(run: LoadedRun, metric: str, side: Fold, seed: int) -> dict[str, Any]:
    """`<metric>_ms` with the printed figures, and `<metric>_ms_interval` with their intervals.

    A figure that requests without an answer decide is null, and `<metric>_ms_censored` says what it is above.
    """
    quantiles = {**PRINTED, "max": 1.0}
    figures = {name: side.quantile_ms(q) for name, q in quantiles.items()} | {"mean": side.mean_ms}
    least = {name: side.least_ms(q) for name, q in quantiles.items()} | {"mean": side.least_ms(None)}
    block: dict[str, Any] = {
        f"{metric}_ms": figures,
        f"{metric}_ms_interval": {
            name: interval(run, own_intervals.own_interval(side, q, seed=seed))
            for name, q in [*PRINTED.items(), ("mean", None)]
        },
    }
    censored = {name: {"above": least[name]} for name, value in figures.items() if math.isinf(value)}
    return block | ({f"{metric}_ms_censored": censored} if censored else {})


def interval(run: LoadedRun, found: Interval) -> dict[str, Any]:
    """`open` where the upper end is not known; what it rests on where that is little."""
    return {
        "low": found.low,
        "high": found.high,
        **({"open": True} if math.isinf(found.high) else {}),
        **({"more_needed": found.more_needed} if found.more_needed else {}),
        **({"hangs_together_s": found.reach * run.span_s} if found.too_long else {}),
        **({"episodes": max(round(found.episodes), 1)} if found.episodes < verdicts.ENOUGH_EPISODES else {}),
    }
