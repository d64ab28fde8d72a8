"""Stored runs against stored runs: did this deployment get slower? Pure.

Nothing is paired here, so nothing cancels. With one run a side the interval is that of time blocks within each, and
cannot know how much runs of the same thing differ (restarts, placement, neighbours). With several runs a side, the run
is the unit: the figure of each run is one observation (Treadmill, ISCA 2016). See docs/decisions/034.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bench.analysis import bootstrap, compare, rates, trust
from bench.analysis.auth_failures import failure_share
from bench.analysis.bootstrap import LEVEL, Interval
from bench.analysis.compare import (
    DEFAULT_MIN_EFFECT_RATE,
    DEFAULT_SEED,
    Comparison,
    Estimate,
    judge,
)
from bench.analysis.fold import Fold, fold_variant
from bench.analysis.run import LoadedRun
from bench.analysis.student import t_quantile
from bench.analysis.summary import SCHEMA_VERSION, comparison_json, plain
from bench.errors import UsageError
from bench.metrics import PRINTED
from bench.plan import DEFAULT_MIN_EFFECT_MS

_HALF = (1 + LEVEL) / 2


def summarise_diff(
    runs_a: Sequence[LoadedRun],
    runs_b: Sequence[LoadedRun],
    *,
    min_effect_ms: float = DEFAULT_MIN_EFFECT_MS,
    min_effect_rate: float = DEFAULT_MIN_EFFECT_RATE,
    seed: int = DEFAULT_SEED,
) -> dict[str, Any]:
    """Runs B (candidate) against runs A (baseline), variant by variant.

    Variants are matched by name; where no name is shared and each side has one variant, these two are compared.
    UsageError when there is nothing to match. `differences` says in sentences what else is not the same.
    """
    pairs = _pairs(runs_a, runs_b)
    comparisons = [
        _compare(runs_a, runs_b, *pair, min_effect_ms=min_effect_ms, min_effect_rate=min_effect_rate, seed=seed)
        for pair in pairs
    ]
    result: dict[str, Any] = plain(
        {
            "schema_version": SCHEMA_VERSION,
            "baseline_runs": [_identity(run) for run in runs_a],
            "candidate_runs": [_identity(run) for run in runs_b],
            "unit": "run" if len(runs_a) + len(runs_b) > 2 else "block of time",
            "comparisons": [comparison_json(found) for found in comparisons],
            "min_effect_ms": min_effect_ms,
            "min_effect_rate": min_effect_rate,
            "seed": seed,
            "differences": _differences(runs_a, runs_b),
        }
    )
    return result


def pooled(
    baseline: Sequence[tuple[float, Interval]], candidate: Sequence[tuple[float, Interval]]
) -> tuple[float, Interval]:
    """Difference of the means of two groups of runs, each run a (figure, its own interval).

    Student's t on the spread between runs, taken to be the same on both sides, and never narrower than the intervals
    within the runs allow. It takes two runs on one side at least.
    """
    groups = [np.array([figure for figure, _ in side]) for side in (baseline, candidate)]
    missing = max(interval.more_needed for _, interval in (*baseline, *candidate))
    estimate = float(groups[1].mean() - groups[0].mean())
    if missing:
        return estimate, Interval(low=math.nan, high=math.nan, more_needed=missing)
    degrees = sum(len(group) - 1 for group in groups)
    spread = sum(float(((group - group.mean()) ** 2).sum()) for group in groups) / degrees
    between = spread * sum(1 / len(group) for group in groups)
    within = sum(
        sum(((interval.high - interval.low) / 2) ** 2 for _, interval in side) / len(side) ** 2
        for side in (baseline, candidate)
    )
    half = max(t_quantile(_HALF, degrees) * math.sqrt(between), math.sqrt(within))
    return estimate, Interval(low=estimate - half, high=estimate + half)


def _compare(
    runs_a: Sequence[LoadedRun],
    runs_b: Sequence[LoadedRun],
    name_a: str,
    name_b: str,
    *,
    min_effect_ms: float,
    min_effect_rate: float,
    seed: int,
) -> Comparison:
    def durations(metric: str) -> dict[str, Estimate]:
        a = [fold_variant(run, metric, name_a) for run in runs_a]
        b = [fold_variant(run, metric, name_b) for run in runs_b]
        if len(a) == len(b) == 1:
            return compare.folds(a[0], b[0], pairing=bootstrap.independent, min_effect_ms=min_effect_ms, seed=seed)
        return {
            name: judge(*pooled(_figures(a, q, seed), _figures(b, q, seed)), min_effect=min_effect_ms)
            for name, q in [*PRINTED.items(), ("mean", None)]
        }

    def failures(*, auth_only: bool) -> Estimate:
        a = [failure_share(run, name_a, auth_only=auth_only) for run in runs_a]
        b = [failure_share(run, name_b, auth_only=auth_only) for run in runs_b]
        if len(a) == len(b) == 1:
            return compare.shares(a[0], b[0], min_effect=min_effect_rate)
        sides = [[(share.rate, rates.own(share)) for share in side] for side in (a, b)]
        return judge(*pooled(*sides), min_effect=min_effect_rate)

    return Comparison(
        baseline=name_a,
        candidate=name_b,
        response_time_ms=durations("response_time"),
        service_time_ms=durations("service_time"),
        auth_failure_rate=failures(auth_only=True),
        error_rate=failures(auth_only=False),
    )


def _figures(folds: list[Fold], q: float | None, seed: int) -> list[tuple[float, Interval]]:
    return [(compare.figure_ms(fold, q=q), compare.own_interval(fold, q, seed=seed)) for fold in folds]


def _pairs(runs_a: Sequence[LoadedRun], runs_b: Sequence[LoadedRun]) -> list[tuple[str, str]]:
    names_a, names_b = (_shared_names(runs) for runs in (runs_a, runs_b))
    shared = [name for name in names_a if name in names_b]
    if shared:
        return [(name, name) for name in shared]
    if len(names_a) == len(names_b) == 1:
        return [(names_a[0], names_b[0])]
    raise UsageError(
        f"the runs share no variant: {', '.join(names_a) or 'none'} against {', '.join(names_b) or 'none'}",
        hint="compare runs of the same auth mode, or runs with one variant each",
    )


def _shared_names(runs: Sequence[LoadedRun]) -> list[str]:
    """Variants that every run of one side has, in the order of the first."""
    return [name for name in runs[0].variants if all(name in run.variants for run in runs)]


def _identity(run: LoadedRun) -> dict[str, Any]:
    judged = trust.of(run)
    return {
        "run_id": run.run_id,
        "trust": {"verdict": judged.verdict, "reasons": [reason.text for reason in judged.reasons]},
        "problems": list(run.problems),
    }


def _differences(runs_a: Sequence[LoadedRun], runs_b: Sequence[LoadedRun]) -> list[str]:
    """What of plan and host is not the same in all runs: a difference found may come from there."""
    facts: dict[str, Callable[[LoadedRun], Any]] = {
        "arrival rate": lambda run: run.plan.arrival_rate,
        "stages": lambda run: run.plan.stages,
        "users": lambda run: run.plan.users,
        "arrivals": lambda run: run.plan.arrivals,
        "payload": lambda run: run.plan.payload_sha256 or run.plan.payload,
        "processes": lambda run: run.plan.processes,
        "target": lambda run: run.manifest.get("target", {}).get("kind"),
        "host": lambda run: run.manifest.get("host", {}).get("hostname"),
        "CPU": lambda run: run.manifest.get("host", {}).get("cpu_model"),
    }
    found = []
    for name, read in facts.items():
        values = [{str(read(run)) for run in side} for side in (runs_a, runs_b)]
        if len(values[0] | values[1]) > 1:
            a, b = (" and ".join(sorted(side)) for side in values)
            found.append(f"{name} is not the same: {a} in the baseline, {b} in the candidate")
    return found
