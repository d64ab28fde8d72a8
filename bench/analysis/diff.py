"""Stored runs against stored runs: did this deployment get slower? Pure.

Nothing is paired here, so nothing cancels. With one run a side the interval is that of time blocks within each, and
cannot know how much runs of the same thing differ (restarts, placement, neighbours): so there is no verdict. With
several runs a side, the run is the unit: the figure of each run is one observation (Treadmill, ISCA 2016), and of one
run against several the interval is that in which the next run of the same thing lies. See docs/decisions/statistics.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bench.analysis import bootstrap, compare, own_intervals, rates, streams, trust, verdicts
from bench.analysis.auth_failures import failure_share
from bench.analysis.bootstrap import DEFAULT_SEED, LEVEL, Interval
from bench.analysis.compare import Comparison
from bench.analysis.fold import Fold
from bench.analysis.run import LoadedRun
from bench.analysis.student import t_quantile
from bench.analysis.summary import SCHEMA_VERSION, comparison_json, plain, without_verdicts
from bench.analysis.trust import TrustVerdict
from bench.analysis.verdicts import DEFAULT_MIN_EFFECT_RATE, Estimate, Verdict, judge
from bench.errors import RunInvalid, UsageError
from bench.metrics import PRINTED, STREAM_DURATIONS
from bench.plan.load_changes import change_words
from bench.plan.load_shape import shape_words
from bench.plan.prompt_plan import bodies_of
from bench.plan.run_plan import DEFAULT_MIN_EFFECT_MS

ONE_AGAINST_ONE = "one run against one, for nobody knows how much runs of one thing differ"

_HALF = (1 + LEVEL) / 2
_PAIR = 2
_STATISTICS: dict[str, float | None] = {**PRINTED, "mean": None}
_WORST_LAST = (TrustVerdict.TRUSTED, TrustVerdict.SUSPECT, TrustVerdict.INVALID)


def summarise_diff(
    runs_a: Sequence[LoadedRun],
    runs_b: Sequence[LoadedRun],
    *,
    min_effect_ms: float = DEFAULT_MIN_EFFECT_MS,
    min_effect_rate: float = DEFAULT_MIN_EFFECT_RATE,
    seed: int = DEFAULT_SEED,
    anyway: bool = False,
) -> dict[str, Any]:
    """Runs B (candidate) against runs A (baseline), variant by variant.

    Variants are matched by name; where no name is shared and each side has one variant, these two are compared.
    UsageError when there is nothing to match, or when the runs were not of one load; RunInvalid when one of them cannot
    be believed. With `anyway` both are compared all the same, and nothing is concluded from an INVALID run.
    `differences` says in sentences what is not the same.
    """
    everyone = (*runs_a, *runs_b)
    invalid = [run for run in everyone if trust.of(run).verdict is TrustVerdict.INVALID]
    if not anyway:
        _refuse(invalid, _differences(runs_a, runs_b, _LOAD))
    pairs = _pairs(runs_a, runs_b)
    comparisons = [
        _compare(runs_a, runs_b, *pair, min_effect_ms=min_effect_ms, min_effect_rate=min_effect_rate, seed=seed)
        for pair in pairs
    ]
    blocks = [comparison_json(found) | {"figures": _sides(runs_a, runs_b, found)} for found in comparisons]
    if invalid:
        blocks = [without_verdicts(block) for block in blocks]
    result: dict[str, Any] = plain(
        {
            "schema_version": SCHEMA_VERSION,
            "sentence": _sentence(blocks, invalid, one_against_one=len(everyone) == _PAIR),
            "trust": str(max((trust.of(run).verdict for run in everyone), key=_WORST_LAST.index)),
            "baseline_runs": [_identity(run) for run in runs_a],
            "candidate_runs": [_identity(run) for run in runs_b],
            "unit": "run" if len(everyone) > _PAIR else "block of time",
            "comparisons": blocks,
            "min_effect_ms": min_effect_ms,
            "min_effect_rate": min_effect_rate,
            "seed": seed,
            "differences": _differences(runs_a, runs_b, _LOAD | _PLACE),
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
    if not all(np.isfinite(group).all() for group in groups):
        return math.nan, Interval(low=math.nan, high=math.nan)
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
        a = [streams.folded(run, metric, name_a) for run in runs_a]
        b = [streams.folded(run, metric, name_b) for run in runs_b]
        if len(a) == len(b) == 1:
            found = compare.folds(a[0], b[0], pairing=bootstrap.independent, min_effect_ms=min_effect_ms, seed=seed)
            return {name: _undecided(one) for name, one in found.items()}
        found = {
            name: judge(*pooled(_figures(a, q, seed), _figures(b, q, seed)), min_effect=min_effect_ms)
            for name, q in [*PRINTED.items(), ("mean", None)]
        }
        return verdicts.all_at_once(found, min_effect=min_effect_ms, degrees=len(a) + len(b) - 2)

    def failures(*, auth_only: bool) -> Estimate:
        a = [failure_share(run, name_a, auth_only=auth_only) for run in runs_a]
        b = [failure_share(run, name_b, auth_only=auth_only) for run in runs_b]
        if len(a) == len(b) == 1:
            return _undecided(verdicts.shares(a[0], b[0], min_effect=min_effect_rate))
        sides = [[(share.rate, rates.own(share)) for share in side] for side in (a, b)]
        return judge(*pooled(*sides), min_effect=min_effect_rate)

    sides = ((runs_a, name_a), (runs_b, name_b))
    all_stream = all(streams.are_there(run, name) for runs, name in sides for run in runs)
    return Comparison(
        baseline=name_a,
        candidate=name_b,
        response_time_ms=durations("response_time"),
        service_time_ms=durations("service_time"),
        auth_failure_rate=failures(auth_only=True),
        error_rate=failures(auth_only=False),
        streams={metric: durations(metric) for metric in STREAM_DURATIONS} if all_stream else {},
    )


def _undecided(one: Estimate) -> Estimate:
    """One run against one: the interval of this pair, and no verdict on what they are runs of."""
    return replace(one, verdict=Verdict.INCONCLUSIVE, more_needed=0, why=ONE_AGAINST_ONE)


def _sides(runs_a: Sequence[LoadedRun], runs_b: Sequence[LoadedRun], found: Comparison) -> dict[str, Any]:
    """Both sides' own figures, as means over their runs; a time that requests without an answer decide is not known."""
    return {
        side: {
            "requests": sum(int(run.rows(name).sum()) for run in runs),
            "error_rate": float(np.mean([failure_share(run, name, auth_only=False).rate for run in runs])),
            **{
                f"{metric}_ms": {
                    statistic: float(
                        np.mean([own_intervals.figure_ms(streams.folded(run, metric, name), q=q) for run in runs])
                    )
                    for statistic, q in _STATISTICS.items()
                }
                for metric in ("response_time", "service_time", *found.streams)
            },
        }
        for side, name, runs in (("baseline", found.baseline, runs_a), ("candidate", found.candidate, runs_b))
    }


def _sentence(blocks: list[dict[str, Any]], invalid: list[LoadedRun], *, one_against_one: bool) -> str:
    """The answer to whether it got slower, in one sentence."""
    if invalid:
        names = ", ".join(run.run_id for run in invalid)
        return f"nothing can be concluded: {names} {'is' if len(invalid) == 1 else 'are'} INVALID"
    if one_against_one:
        return f"cannot be determined from {ONE_AGAINST_ONE}: give three runs of the baseline or more"
    said = []
    for block in blocks:
        found = {name: one["verdict"] for name, one in block["response_time_ms"].items()}
        first = block.get("time_to_first_token_ms", {})
        found |= {f"first token {name}": one["verdict"] for name, one in first.items()}
        found["error rate"] = block["error_rate"]["verdict"]
        worse = [name for name, verdict in found.items() if verdict == Verdict.WORSE]
        better = [name for name, verdict in found.items() if verdict == Verdict.BETTER]
        if worse or better:
            parts = [f"{word} at {', '.join(names)}" for word, names in (("worse", worse), ("better", better)) if names]
            said.append(f"{block['candidate']} is {' and '.join(parts)}")
        elif found["p50"] == Verdict.EQUIVALENT:
            said.append(f"{block['candidate']} is as fast as before at p50")
        else:
            said.append(f"what differs in {block['candidate']} cannot be determined")
    return "; ".join(said)


def _refuse(invalid: list[LoadedRun], unlike: list[str]) -> None:
    if invalid:
        reasons = trust.of(invalid[0]).reasons
        raise RunInvalid(
            f"run {invalid[0].run_id} is INVALID and compares with nothing: {reasons[0].text}",
            hint="run it again, or add --anyway to see the figures",
        )
    if unlike:
        raise UsageError(
            f"these runs measured different things: {'; '.join(unlike)}",
            hint="compare runs of one plan, or add --anyway",
        )


def _figures(folds: list[Fold], q: float | None, seed: int) -> list[tuple[float, Interval]]:
    return [(own_intervals.figure_ms(fold, q=q), own_intervals.own_interval(fold, q, seed=seed)) for fold in folds]


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
        "trust": {"verdict": str(judged.verdict), "reasons": [reason.text for reason in judged.reasons]},
        "problems": list(run.problems),
    }


def _differences(
    runs_a: Sequence[LoadedRun], runs_b: Sequence[LoadedRun], facts: Mapping[str, Callable[[LoadedRun], Any]]
) -> list[str]:
    """What of plan and host is not the same in all runs: a difference found may come from there."""
    found = []
    for name, read in facts.items():
        values = [{str(read(run)) for run in side} for side in (runs_a, runs_b)]
        if len(values[0] | values[1]) > 1:
            a, b = (" and ".join(sorted(side)) for side in values)
            found.append(f"{name} is not the same: {a} in the baseline, {b} in the candidate")
    return found


_LOAD: dict[str, Callable[[LoadedRun], Any]] = {
    "arrival rate": lambda run: run.plan.arrival_rate,
    "stages": lambda run: run.plan.stages,
    "change by hand": lambda run: change_words(run.plan) or "none",
    "shape": lambda run: shape_words(run.manifest) or "none",
    "users": lambda run: run.plan.users,
    "workload model": lambda run: run.plan.model,
    "arrivals": lambda run: run.plan.arrivals,
    "payload": lambda run: bodies_of(run.plan.as_json()) or run.plan.payload,
    "target": lambda run: run.manifest.get("target", {}).get("kind"),
}
"""What must be the same for a difference to be one of the deployments."""

_PLACE: dict[str, Callable[[LoadedRun], Any]] = {
    "processes": lambda run: run.plan.processes,
    "host": lambda run: run.manifest.get("host", {}).get("hostname"),
    "CPU": lambda run: run.manifest.get("host", {}).get("cpu_model"),
    "what was streamed": lambda run: ", ".join(name for name in run.variants if streams.are_there(run, name)) or "none",
}
"""What may differ between the runs: a difference here is reported, but does not refuse the comparison."""
