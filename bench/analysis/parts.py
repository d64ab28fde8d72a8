"""Figures of parts of a run: each class of requests, each deployment that answered, each stage of the load. Pure.

Deployments of one variant were loaded at the same time, so that the difference of two has an interval, paired block by
block like that of two variants.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.analysis import bootstrap, compare, stream_figures
from bench.analysis.blocks import CELLS, cell_of
from bench.analysis.checked import on_a_sample, share
from bench.analysis.figures import durations, error_rate, requests
from bench.analysis.fold import Fold, fold, fold_picked, pick
from bench.analysis.rates import Share
from bench.analysis.run import LoadedRun, Mask
from bench.metrics import PRINTED
from bench.numbers import plural
from bench.plan.load_changes import load_name, loads_of
from bench.plan.run_plan import Stage
from bench.sample import Outcome

MOST_PARTS = 200
"""Classes and deployments that get figures of their own; where there are more of them, the biggest do."""
_SHOWN = np.array(list(PRINTED.values()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A named stretch of a run, in seconds since its start."""

    name: str
    from_s: float
    to_s: float


def classes(run: LoadedRun, variant: str, deadlines_ms: Collection[float], *, seed: int) -> dict[str, Any]:
    """A block for each class of requests; none where requests have no class."""
    names = _names(run, variant, "request_class")
    if names in ([], [""]):
        return {}
    return {name: _block(run, variant, "request_class", name, deadlines_ms, seed=seed)[0] for name in names}


def deployments(
    run: LoadedRun, variant: str, deadlines_ms: Collection[float], *, min_effect_ms: float, seed: int
) -> dict[str, Any]:
    """A block for each deployment that answered, with its difference to the one that answered most; none for one."""
    names = _names(run, variant, "deployment")
    if len(names) < 2:
        return {}
    found = {name: _block(run, variant, "deployment", name, deadlines_ms, seed=seed) for name in names}
    known = {name: block["requests"] for name, (block, _) in found.items() if name}
    most = max(known, key=lambda name: known[name], default="")
    for name, (block, side) in found.items():
        if name and name != most:
            pairing = bootstrap.paired
            against = compare.folds(found[most][1], side, pairing=pairing, min_effect_ms=min_effect_ms, seed=seed)
            block["less"] = {"of": most, "response_time_ms": {key: one.as_json() for key, one in against.items()}}
    return {name: block for name, (block, _) in found.items()}


def stages(run: LoadedRun, *, seed: int) -> list[dict[str, Any]]:
    """Figures of every variant in each stage of the load that was measured; none without stages."""
    return in_spans(run, stage_spans(run), seed=seed)


def stage_spans(run: LoadedRun) -> list[Span]:
    """The stages of the load: those of the plan, what a person made of it, or what its LoadTestShape asked for; none
    where it was one load throughout."""
    return plan_spans(run.plan.stages) or _changed_spans(run) or _shape_spans(run)


def _changed_spans(run: LoadedRun) -> list[Span]:
    """Named by what was asked for. The last one lasts until the run's end."""
    loads = loads_of(run.plan)
    with_users = len({load.users for load in loads}) > 1
    times_s = [*(load.from_ns / 1e9 for load in loads), max(run.window_ns[1] / 1e9, 0.0)]
    return [
        Span(name=load_name(load, with_users=with_users), from_s=times_s[number], to_s=times_s[number + 1])
        for number, load in enumerate(loads)
    ]


def _shape_spans(run: LoadedRun) -> list[Span]:
    """Named by the users that were asked for. The last one lasts until the run's end."""
    asked = (run.manifest.get("shape") or {}).get("stages", [])
    times_s = [*(stage["from_s"] for stage in asked), max(run.window_ns[1] / 1e9, 0.0)]
    return [
        Span(name=_users(stage["fewest_users"], stage["most_users"]), from_s=stage["from_s"], to_s=times_s[number + 1])
        for number, stage in enumerate(asked)
    ]


def _users(fewest: int, most: int) -> str:
    """`1 user`, `10 to 40 users`."""
    return plural(most, "user") if fewest == most else f"{fewest:,} to {plural(most, 'user')}"


def plan_spans(planned: Iterable[Stage]) -> list[Span]:
    """The stages of a plan one after the other, each named by its load."""
    planned = tuple(planned)
    ends_s = list(itertools.accumulate(stage.duration_s for stage in planned))
    return [
        Span(name=stage_name(stage), from_s=end_s - stage.duration_s, to_s=end_s)
        for stage, end_s in zip(planned, ends_s, strict=True)
    ]


def stage_name(stage: Stage) -> str:
    """`90/s`, `10 to 90/s`."""
    if stage.start_rate == stage.end_rate:
        return f"{stage.start_rate:,g}/s"
    return f"{stage.start_rate:,g} to {stage.end_rate:,g}/s"


def in_spans(run: LoadedRun, spans: Iterable[Span], *, seed: int) -> list[dict[str, Any]]:
    """The same for any stretches: what was due in each, less the warm-up. One that was not measured is left out."""
    begin_s, until_s = (time_ns / 1e9 for time_ns in run.window_ns)
    measured = []
    for span in spans:
        from_s, to_s = max(span.from_s, begin_s), min(span.to_s, until_s)
        if from_s < to_s:
            sides = {variant: _in_span(run, variant, from_s, to_s, seed=seed) for variant in run.variants}
            measured.append({"name": span.name, "from_s": from_s, "to_s": to_s, "variants": sides})
    return measured


def _names(run: LoadedRun, variant: str, column: str) -> list[str]:
    counts = run.samples.counts(column, run.rows(variant))
    return sorted(sorted(counts, key=lambda name: -counts[name])[:MOST_PARTS], key=_as_read)


def _as_read(name: str) -> str:
    """`turn 2` before `turn 10`."""
    return re.sub(r"[0-9]+", lambda digits: digits[0].zfill(20), name)


def _block(
    run: LoadedRun, variant: str, column: str, name: str, deadlines_ms: Collection[float], *, seed: int
) -> tuple[dict[str, Any], Fold]:
    picked = pick(run, run.latency_rows(variant) & run.samples.where(column, name))
    folded = fold_picked(run, "response_time", picked, _SHOWN)
    block = {
        **requests(run, variant, (column, name), deadlines_ms),
        "latency_samples": folded.n,
        **durations(run, "response_time", folded, seed),
        **durations(run, "service_time", fold_picked(run, "service_time", picked, _SHOWN), seed),
        **stream_figures.block(run, variant, seed=seed, part=(column, name)),
    }
    return block, folded


def _in_span(run: LoadedRun, variant: str, from_s: float, to_s: float, *, seed: int) -> dict[str, Any]:
    """Blocks of time are those of the stretch, so that its intervals are its own."""
    window_ns = round(from_s * 1e9), round(to_s * 1e9)
    due_ns = run.samples.intended_ns
    there = run.rows(variant) & (due_ns >= window_ns[0]) & (due_ns < window_ns[1])

    def by_cell(rows: Mask) -> Any:
        return np.bincount(cell_of(due_ns[rows], window_ns), minlength=CELLS)

    good = there & run.samples.where("outcome", Outcome.OK)
    if on_a_sample(run, there):
        failed = share(run, there, ~good, window_ns=window_ns, failing=True)
    else:
        failed = Share(hits=by_cell(there & ~good), count=by_cell(there), span_s=to_s - from_s)
    answered = there & run.latency_rows(variant)
    censored = run.censored[answered]
    side = fold(
        run.samples.durations_ns("response_time", answered),
        cell_of(due_ns[answered], window_ns),
        _SHOWN,
        censored=censored if censored.any() else None,
    )
    return {
        "requests": failed.n,
        "throughput": failed.n / (to_s - from_s),
        **error_rate(failed),
        **durations(run, "response_time", side, seed),
    }
