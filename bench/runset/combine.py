"""The summaries of several runs of one plan as one summary of the same shape. Pure.

A time is the mean of the runs' figures, and its interval Student's over the runs, not over pooled samples: runs differ
by more than a run knows of itself. A share is of all requests, and its interval at least as wide as those within the
runs allow, for runs without a failure do not differ. A count is a sum. What is not known
of one run is not known of the set.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from bench.analysis.bootstrap import Interval
from bench.analysis.run import METRICS
from bench.analysis.summary import SCHEMA_VERSION, plain
from bench.analysis.trust import TrustVerdict
from bench.analysis.verdicts import Estimate, all_at_once, judge
from bench.metrics import LATENCIES, STREAM_DURATIONS
from bench.runset import stream_figures
from bench.runset.lines import comparisons_of, line
from bench.runset.member import Member, believed
from bench.runset.over_runs import (
    LEAST_RUNS,
    Block,
    between,
    durations,
    greatest,
    mean_of,
    rate_of,
    share_interval,
    share_of,
    sum_of,
    summed,
)

_NEVER: Block = {"count": 0, "share": 0.0, "low": None, "high": None}
_FROM_REPORTS = "where it arises is in the report of each run"


def combine(members: Sequence[Member], *, set_id: str, asked: int, ended: str) -> dict[str, Any]:
    """The set's summary, with a line for each run in `runs`. ValueError when no run counts."""
    summaries = believed(members)
    if not summaries:
        raise ValueError("no run of the set counts")
    comparisons = _comparisons(summaries)
    summary = {
        "schema_version": SCHEMA_VERSION,
        "run_id": set_id,
        "asked_runs": asked,
        "ended": ended,
        "runs": [line(member) for member in members],
        "trust": _trust(members, summaries, asked=asked),
        "machine": summaries[0].get("machine", {}),
        "measured_s": math.fsum(one["measured_s"] for one in summaries),
        "variants": {
            name: _variant({one["run_id"]: one["variants"][name] for one in summaries})
            for name in _shared(summaries, "variants")
        },
        "problems": [f"run {one['run_id']}: {problem}" for one in summaries for problem in one.get("problems", ())],
    }
    if comparisons:
        summary["comparison"] = comparisons[0]
    if len(comparisons) > 1:
        summary["comparisons"] = comparisons
    clean: dict[str, Any] = plain(summary)
    return clean


def _trust(members: Sequence[Member], summaries: Sequence[Block], *, asked: int) -> dict[str, Any]:
    """INVALID when fewer than two runs, or fewer than half, can be believed; SUSPECT when any cannot."""
    blocks = [one["trust"] for one in summaries]
    reasons = [f"run {member.run_id} is left out: {member.left_out}" for member in members if member.left_out]
    reasons += [f"run {one['run_id']}: {reason}" for one in summaries for reason in one["trust"]["reasons"]]
    if len(members) < asked:
        reasons.insert(0, f"the set has {len(members)} of {asked} runs")
    verdict = TrustVerdict.SUSPECT if reasons else TrustVerdict.TRUSTED
    if len(summaries) < LEAST_RUNS or 2 * len(summaries) < len(members):
        verdict = TrustVerdict.INVALID
        reasons.insert(0, f"{len(summaries)} of {len(members)} runs can be believed: too few for a set")
    lags = [one["schedule_lag_ms"] for one in blocks]
    stalls = [one["stalls"] for one in blocks]
    return {
        "verdict": verdict,
        "reasons": reasons,
        "client_late": [f"run {one['run_id']}: {why}" for one in summaries for why in one["trust"]["client_late"]],
        "schedule_lag_ms": {name: greatest(lag[name] for lag in lags) for name in lags[0]},
        **{name: mean_of([one[name] for one in blocks]) for name in ("asked_rate", "achieved_rate")},
        **{name: sum_of(one[name] for one in blocks) for name in ("dropped_arrivals", "unwritten_samples")},
        **{name: greatest(one[name] for one in blocks) for name in ("cpu", "users_busy_share")},
        "sustainable_rate": mean_of([one["sustainable_rate"] for one in blocks]),
        "stalls": {
            "count": sum_of(one["count"] for one in stalls),
            **{name: greatest(one[name] for one in stalls) for name in ("share", "longest_ms")},
        },
        "overhead_ms": blocks[0]["overhead_ms"],
        "limits": blocks[0]["limits"],
    }


def _variant(by_run: Mapping[str, Block]) -> dict[str, Any]:
    blocks = list(by_run.values())
    requests = sum(block["requests"] for block in blocks)
    outcomes = summed(block["outcomes"] for block in blocks)
    auth, refreshes = ([block[name] for block in blocks] for name in ("auth_failures", "refreshes"))
    combined = {
        "auth_mode": blocks[0]["auth_mode"],
        "requests": requests,
        "latency_samples": sum(block["latency_samples"] for block in blocks),
        **rate_of(blocks, "throughput"),
        "error_rate": _error_rate(blocks, requests, outcomes),
        "error_rate_interval": share_interval(blocks, "error_rate", "error_rate_interval"),
        "outcomes": outcomes,
        "outcome_rates": _shares([block["outcome_rates"] for block in blocks]),
        "failures": _failures(blocks),
        "failure_rates": _failure_rates(blocks),
        "auth_failures": {
            "count": sum(one["count"] for one in auth),
            "rate": mean_of([one["rate"] for one in auth]),
            "rate_interval": share_interval(auth, "rate", "rate_interval"),
            "by_cause": summed(one["by_cause"] for one in auth),
        },
        "refreshes": {
            "count": sum_of(one["count"] for one in refreshes),
            "failures": sum_of(one["failures"] for one in refreshes),
            "response_time": None,
        },
        "deployments": {},
        "classes": {},
    }
    if checks := [block["checked"] for block in blocks if "checked" in block]:
        combined["checked"] = summed(checks)
    if all("within" in block for block in blocks):
        combined["within"] = _withins([block["within"] for block in blocks])
    for metric in METRICS:
        combined |= durations(metric, blocks)
    return combined | stream_figures.combined(by_run)


def _error_rate(blocks: Sequence[Block], requests: int, outcomes: Mapping[str, int]) -> float | None:
    """From the counts; where not all bodies were looked at they say too little, and it is the mean of the runs."""
    if any("checked" in block for block in blocks):
        return mean_of([block["error_rate"] for block in blocks])
    return (requests - outcomes.get("ok", 0)) / requests if requests else None


def _shares(groups: Sequence[Mapping[str, Block]]) -> dict[str, Any]:
    """One share a name."""
    return {
        name: share_of([group[name] for group in groups])
        for name in groups[0]
        if all(name in group for group in groups)
    }


def _withins(groups: Sequence[Mapping[str, Block]]) -> dict[str, Any]:
    """Shares within a deadline, with how many requests were."""
    return {
        name: {"requests": sum(group[name]["requests"] for group in groups), **found}
        for name, found in _shares(groups).items()
    }


def _failures(blocks: Sequence[Block]) -> list[dict[str, Any]]:
    """Kinds of failure over all runs, the most frequent first; what the first of a kind said is of the first run."""
    named = [
        {(kind["outcome"], kind["cause"], kind["status"]): kind for kind in block.get("failures", ())}
        for block in blocks
    ]
    first_of_kind = {key: kind for group in reversed(named) for key, kind in group.items()}
    unseen = [block.get("failure_rates", {}).get("none", _NEVER) for block in blocks]
    entries = [
        {**kind, **_counted([group.get(key, none) for group, none in zip(named, unseen, strict=True)])}
        for key, kind in first_of_kind.items()
    ]
    return sorted(entries, key=lambda entry: -entry["count"])


def _failure_rates(blocks: Sequence[Block]) -> dict[str, Any]:
    """Count, share and interval of each outcome, cause and status that failed in any run."""
    groups = [block.get("failure_rates") or {"none": _NEVER} for block in blocks]
    labels = dict.fromkeys(label for group in groups for label in group if label != "none")
    return {
        **{
            label: {
                word: _counted([group.get(label, {}).get(word, group["none"]) for group in groups])
                for word in dict.fromkeys(word for group in groups for word in group.get(label, {}))
            }
            for label in labels
        },
        "none": _counted([group["none"] for group in groups]),
    }


def _counted(entries: Sequence[Block]) -> dict[str, Any]:
    with_limits = [{"share": entry["share"], "limits": entry} for entry in entries]
    return {
        "count": sum(entry["count"] for entry in entries),
        "share": mean_of([entry["share"] for entry in entries]),
        **share_interval(with_limits, "share", "limits"),
    }


def _comparisons(summaries: Sequence[Block]) -> list[dict[str, Any]]:
    """Each candidate's differences over the runs: that of a run is one observation."""
    by_run = [{one["candidate"]: one for one in comparisons_of(summary)} for summary in summaries]
    return [
        _comparison([run[candidate] for run in by_run])
        for candidate in by_run[0]
        if all(candidate in run for run in by_run)
    ]


def _comparison(found: Sequence[Block]) -> dict[str, Any]:
    first = found[0]
    least_ms, least_rate = first["min_effect_ms"], first["min_effect_rate"]
    return {
        "baseline": first["baseline"],
        "candidate": first["candidate"],
        "unit": "run",
        "min_effect_ms": least_ms,
        "min_effect_rate": least_rate,
        **{
            block: _durations([one[block] for one in found], least_ms)
            for block in (f"{metric}_ms" for metric in (*LATENCIES, *STREAM_DURATIONS))
            if all(block in one for one in found)
        },
        **{
            name: _difference([one[name] for one in found], least_rate).as_json()
            for name in ("auth_failure_rate", "error_rate")
        },
        "decomposition": {"sentence": _FROM_REPORTS},
    }


def _durations(blocks: Sequence[Mapping[str, Block]], min_effect: float) -> dict[str, Any]:
    """Of one metric; each verdict holds for all its statistics at once."""
    found = {name: _difference([block.get(name, {}) for block in blocks], min_effect) for name in blocks[0]}
    together = all_at_once(found, min_effect=min_effect, degrees=len(blocks) - 1)
    return {name: one.as_json() for name, one in together.items()}


def _difference(estimates: Sequence[Block], min_effect: float) -> Estimate:
    values = [one.get("estimate") for one in estimates]
    known = [value for value in values if value is not None]
    more_needed = max(((one.get("more_needed") or 0) if one.get("low") is None else 0 for one in estimates), default=0)
    if len(known) < len(values) or more_needed:
        nothing = Interval(low=math.nan, high=math.nan, more_needed=more_needed)
        return judge(fmean(known) if len(known) == len(values) else math.nan, nothing, min_effect=min_effect)
    return judge(fmean(known), between(known), min_effect=min_effect)


def _shared(summaries: Sequence[Block], key: str) -> list[str]:
    return [name for name in summaries[0][key] if all(name in one[key] for one in summaries)]
