"""A run's summary.json: everything the report, the gates and a later reader need. Pure.

`summarise` gives the dict of schema_version 1. Units are in the names (`_ms`, `_s`; rates 1/s; shares 0..1); a figure
that is not known is null. Warm-up samples are left out of every figure.

Beside what design and docs/guides/statistics.md describe, every block of durations has a twin `<block>_interval` with
`{"low", "high"}` for each figure, and each variant has a `distribution`: quantiles with their intervals on one fine
grid, small enough to commit, from which a gate reads any quantile without the samples.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

import numpy as np

from bench.analysis import (
    auth_failures,
    compare,
    conversations,
    decompose,
    network,
    own_intervals,
    refresh_time,
    stream_figures,
    streams,
    trust,
    verdicts,
)
from bench.analysis.bootstrap import DEFAULT_SEED
from bench.analysis.compare import Comparison
from bench.analysis.figures import durations, requests
from bench.analysis.fold import fold_picked, fold_variant, pick_variant
from bench.analysis.parts import classes, deployments, stages
from bench.analysis.quantiles import QuantileCurve
from bench.analysis.run import METRICS, LoadedRun
from bench.analysis.slowest import slowest
from bench.analysis.verdicts import DEFAULT_MIN_EFFECT_RATE
from bench.metrics import INTER_TOKEN_LATENCY, LATENCIES, PRINTED, TIME_TO_FIRST_TOKEN

SCHEMA_VERSION = 1

MACHINE = ("cpus", "cpu_model")
"""By what of a host machines differ whose times cannot be compared with each other."""

_CURVES = LATENCIES
_PRINTED_Q = np.array(list(PRINTED.values()))


def summarise(
    run: LoadedRun,
    *,
    min_effect_ms: float | None = None,
    min_effect_rate: float = DEFAULT_MIN_EFFECT_RATE,
    seed: int = DEFAULT_SEED,
    deadlines_ms: Collection[float] = (),
) -> dict[str, Any]:
    """The summary of one run. `comparison` is there when the plan has two variants: the first is the baseline.

    With more variants, `comparisons` has each further one against the first, and `comparison` is the first of them.
    `min_effect_ms` is the plan's unless another is given. `deadlines_ms` are those of which a gate asks how many
    requests were answered in time.
    """
    if min_effect_ms is None:
        min_effect_ms = run.plan.min_effect_ms
    trusted = _trust(run)
    with ThreadPoolExecutor(2) as pool:  # numpy sorts without the interpreter lock
        blocks = pool.map(lambda variant: _variant(run, variant, seed, min_effect_ms, deadlines_ms), run.variants)
        summary: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "run_id": run.run_id,
            "trust": trusted,
            "measured_s": run.span_s,
            "machine": {key: run.manifest.get("host", {}).get(key) for key in MACHINE},
            "variants": dict(zip(run.variants, blocks, strict=True)),
        }
    if (prompts := run.plan.request.prompts) is not None and prompts.made is not None:
        summary["prompts"] = {"count": prompts.prompts, **asdict(prompts.made)}
    if run.warm_up:
        summary["warm_up"] = {**asdict(run.warm_up), "sentence": run.warm_up.sentence}
    if by_stage := stages(run, seed=seed):
        summary["stages"] = by_stage
    if shape := run.manifest.get("shape"):
        summary["shape"] = {"name": shape["name"], "changes": shape["changes"], "stages": len(shape["stages"])}
    comparisons = []
    for candidate in run.variants[1:]:
        found = compare.variants(
            run,
            run.variants[0],
            candidate,
            min_effect_ms=min_effect_ms,
            min_effect_rate=min_effect_rate,
            seed=seed,
        )
        comparisons.append(_comparison(run, found, min_effect_ms, min_effect_rate, seed))
    if trusted["verdict"] == trust.TrustVerdict.INVALID:
        comparisons = [without_verdicts(one) for one in comparisons]
        for block in summary["variants"].values():
            block["deployments"] = without_verdicts(block["deployments"])
    if comparisons:
        summary["comparison"] = comparisons[0]
    if len(comparisons) > 1:
        summary["comparisons"] = comparisons
    summary["problems"] = list(run.problems)
    clean: dict[str, Any] = plain(summary)
    return clean


def plain(value: Any) -> Any:
    """JSON values only: NaN and infinity become None, floats keep 9 digits and decimals, numpy's numbers go."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(item) for item in value]
    if isinstance(value, bool | str) or value is None:
        return str(value) if isinstance(value, str) else value
    if isinstance(value, int | np.integer):
        return int(value)
    return round(float(f"{value:.9g}"), 9) if math.isfinite(value) else None


def _trust(run: LoadedRun) -> dict[str, Any]:
    found = trust.of(run)
    facts = found.evidence
    return {
        "verdict": found.verdict,
        "reasons": [reason.text for reason in found.reasons],
        "client_late": [reason.text for reason in found.reasons if reason.client_late],
        "schedule_lag_ms": facts.lag_ms,
        "asked_rate": facts.asked_rate,
        "achieved_rate": facts.achieved_rate,
        "sustainable_rate": facts.sustainable_rate,
        "dropped_arrivals": facts.dropped_arrivals,
        "unwritten_samples": facts.unwritten_samples,
        "cpu": facts.cpu,
        "users_busy_share": facts.users_busy,
        "stalls": {"count": facts.stalls, "share": facts.stalled_share, "longest_ms": facts.longest_stall_ms},
        "overhead_ms": facts.overhead_ms,
        "limits": trust.LIMITS,
    }


def _variant(
    run: LoadedRun, variant: str, seed: int, min_effect_ms: float, deadlines_ms: Collection[float]
) -> dict[str, Any]:
    block: dict[str, Any] = {
        "auth_mode": run.auth_mode(variant),
        "replays": int((run.samples.attempt[run.rows(variant)] > 0).sum()),
        **requests(run, variant, None, deadlines_ms),
        "auth_failures": _auth_failures(run, variant),
        "refreshes": _refreshes(run, variant),
        "latency_samples": fold_variant(run, "response_time", variant).n,
        "censored_samples": fold_variant(run, "response_time", variant).censored,
        **network.blocks(run, variant),
    }
    for metric in METRICS:
        fine = metric in _CURVES
        folded = (
            fold_variant(run, metric, variant)
            if fine
            else fold_picked(run, metric, pick_variant(run, variant), _PRINTED_Q)
        )
        block |= durations(run, metric, folded, seed)
    block |= stream_figures.block(run, variant, seed=seed)
    if "streams" in block:
        block["streams"]["distribution"] = _stream_curves(run, variant, seed)
    block |= conversations.block(run, variant)
    if run.plan.trace_share is not None:
        block["slowest"] = slowest(run, variant)
    block["distribution"] = _distribution(run, variant, seed)
    block["deployments"] = deployments(run, variant, deadlines_ms, min_effect_ms=min_effect_ms, seed=seed)
    block["classes"] = classes(run, variant, deadlines_ms, seed=seed)
    return block


_STREAM_CURVES = (TIME_TO_FIRST_TOKEN, INTER_TOKEN_LATENCY)


def _stream_curves(run: LoadedRun, variant: str, seed: int) -> dict[str, Any]:
    """The distributions of streamed answers that the report draws."""
    folds = {metric: streams.fold_stream(run, metric, variant) for metric in _STREAM_CURVES}
    curves = {metric: own_intervals.own_curve(folded, seed=seed) for metric, folded in folds.items()}
    return {f"{metric}_ms": _curve(curve) | {"q": curve.q} for metric, curve in curves.items()}


def _curve(curve: QuantileCurve) -> dict[str, Any]:
    return {"value": curve.value_ms, "low": curve.low_ms, "high": curve.high_ms}


def _distribution(run: LoadedRun, variant: str, seed: int) -> dict[str, Any]:
    curves = {metric: own_intervals.own_curve(fold_variant(run, metric, variant), seed=seed) for metric in _CURVES}
    return {"q": curves["response_time"].q, **{f"{metric}_ms": _curve(curve) for metric, curve in curves.items()}}


def _auth_failures(run: LoadedRun, variant: str) -> dict[str, Any]:
    found = auth_failures.of(run, variant)
    return {
        "count": found.count,
        "rate": found.rate,
        "rate_interval": {"low": found.low, "high": found.high},
        "by_cause": found.by_cause,
    }


def _refreshes(run: LoadedRun, variant: str) -> dict[str, Any]:
    block: dict[str, Any] = asdict(auth_failures.refreshes(run, variant))
    if not run.flights_known:
        return dict.fromkeys([*block, "response_time"])
    around = refresh_time.of(run, variant)
    return block | {"response_time": asdict(around) if around else None}


def _comparison(
    run: LoadedRun, found: Comparison, min_effect_ms: float, min_effect_rate: float, seed: int
) -> dict[str, Any]:
    parts = decompose.of(
        run, found.baseline, found.candidate, found.response_time_ms, min_effect_ms=min_effect_ms, seed=seed
    )
    return {
        **comparison_json(found),
        "min_effect_ms": min_effect_ms,
        "min_effect_rate": min_effect_rate,
        "seed": seed,
        "per_quantile": {
            metric: _per_quantile(run, found, metric.removesuffix("_ms"), min_effect_ms, seed)
            for metric in ("response_time_ms", "service_time_ms")
        },
        "decomposition": {
            "sentence": parts.sentence,
            "request_bytes": parts.request_bytes,
            "response_bytes": parts.response_bytes,
            **{
                breakdown.at: {
                    "baseline_ms": breakdown.baseline_ms,
                    "candidate_ms": breakdown.candidate_ms,
                    "difference_ms": {name: part.as_json() for name, part in breakdown.difference_ms.items()},
                }
                for breakdown in parts.breakdowns
            },
        },
    }


NO_CONCLUSION = "no conclusion is drawn from an INVALID run"


def without_verdicts(comparison: Mapping[str, Any]) -> dict[str, Any]:
    """The same figures of a run that cannot be believed: nothing is concluded, and no more samples are asked for."""
    plainer: dict[str, Any] = {}
    for key, value in comparison.items():
        if key == "sentence":
            plainer[key] = NO_CONCLUSION
        else:
            plainer[key] = without_verdicts(value) if isinstance(value, Mapping) else value
    if "verdict" in plainer:
        plainer.pop("more_needed", None)
        plainer |= {"verdict": str(verdicts.Verdict.INCONCLUSIVE), "why": NO_CONCLUSION}
    return plainer


def comparison_json(found: Comparison) -> dict[str, Any]:
    """A comparison as the summary of a run, or of two runs, holds it."""
    return {
        "baseline": found.baseline,
        "candidate": found.candidate,
        "response_time_ms": {name: one.as_json() for name, one in found.response_time_ms.items()},
        "service_time_ms": {name: one.as_json() for name, one in found.service_time_ms.items()},
        **{
            f"{metric}_ms": {name: one.as_json() for name, one in figures.items()}
            for metric, figures in found.streams.items()
        },
        "auth_failure_rate": found.auth_failure_rate.as_json(),
        "error_rate": found.error_rate.as_json(),
    }


def _per_quantile(
    run: LoadedRun, found: Comparison, metric: str, min_effect_ms: float, seed: int
) -> dict[str, list[float | None]]:
    differences = compare.per_quantile(
        run, found.baseline, found.candidate, metric=metric, min_effect_ms=min_effect_ms, seed=seed
    )
    return {
        "q": [q for q, _ in differences],
        "estimate": [one.estimate for _, one in differences],
        "low": [one.low for _, one in differences],
        "high": [one.high for _, one in differences],
    }
