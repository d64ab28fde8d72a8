"""The blocks of figures of streamed answers that variants, classes and deployments share: tokens, times, goodput. Pure.

Times are in ms, shares 0..1, rates 1/s; every figure has its interval beside it.
"""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from bench.analysis import streams
from bench.analysis.figures import durations
from bench.analysis.rates import own as share_interval
from bench.analysis.run import LoadedRun, Part
from bench.metrics import INTER_TOKEN_LATENCY, OF_GAPS, STREAM_DURATIONS
from bench.numbers import plural
from bench.plan.objectives import parse_objectives


def block(run: LoadedRun, variant: str, *, seed: int, part: Part | None = None) -> dict[str, Any]:
    """Tokens and times of the streamed answers, where there was one; goodput, where the run has an objective."""
    found: dict[str, Any] = {}
    if streams.are_there(run, variant, part):
        folds = {metric: streams.fold_stream(run, metric, variant, part) for metric in STREAM_DURATIONS}
        counts = {metric: folded.n for metric, folded in folds.items()}
        counts[INTER_TOKEN_LATENCY] = counts["worst_inter_token_latency"]  # requests, of which gaps are many each
        found["streams"] = {
            **asdict(streams.tokens(run, variant, part)),
            "requests": counts,
            "lengths": streams.lengths(run, variant, part),
        }
        for metric, folded in folds.items():
            found |= durations(run, metric, folded, seed)
    if run.plan.goodput:
        found["goodput"] = _goodput(run, variant, part)
    return found


def _goodput(run: LoadedRun, variant: str, part: Part | None) -> dict[str, Any]:
    """Requests that kept every objective, of all that were measured, and a second; none where that is not known."""
    objectives = parse_objectives(run.plan.goodput)
    on_gaps = any(one.metric in OF_GAPS for one in objectives)
    if on_gaps and (lost := streams.with_lost_gaps(run, run.rows(variant, part))):
        unknown = dict.fromkeys(("requests", "rate", "low", "high", "throughput"))
        return {
            "objectives": list(run.plan.goodput),
            **unknown,
            "why": f"the gaps of {plural(lost, 'answer')} are lost",
        }
    share = streams.good(run, variant, objectives, part)
    around, requests = share_interval(share), int(share.hits.sum())
    return {
        "objectives": list(run.plan.goodput),
        "requests": requests,
        "rate": share.rate,
        "low": around.low,
        "high": around.high,
        "throughput": requests / run.span_s if run.span_s else math.nan,
    }
