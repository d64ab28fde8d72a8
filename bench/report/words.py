"""What the report says in words: of verdicts, trust, cost and auth failures, the same in every output. Pure.

Everything is read out of `summary.json` (design, section 6) and gives text without a full stop at its end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from bench.plan import RunPlan
from bench.report.numbers import (
    by_frequency,
    difference,
    figure,
    interval,
    listed,
    milliseconds,
    needed,
    percent,
    plural,
    rate,
)

Summary = Mapping[str, Any]

VERDICT_MEANING = {
    "BETTER": "faster by more than the difference that matters",
    "WORSE": "slower by more than the difference that matters",
    "EQUIVALENT": "any difference is too small to matter",
    "INCONCLUSIVE": "the interval is too wide to tell",
}
CAUSE_MEANING = {
    "expired": "the credential had run out",
    "refused": "a credential that should have been good was not accepted",
    "forbidden": "the principal is not allowed to score",
    "no_lease": "no credential could be had in time",
}

_TONES = {
    **dict.fromkeys(("PASS", "TRUSTED", "BETTER"), "good"),
    **dict.fromkeys(("FAIL", "INVALID", "WORSE"), "bad"),
    "EQUIVALENT": "even",
}
_GATE_VERDICTS = ("FAIL", "NO_DATA", "INCONCLUSIVE", "PASS")


class GateRow(TypedDict):
    """One gate's verdict as it is shown: all of it is text, with units, ready to print.

    `metric` is the gate's expression; `interval` and `threshold` are empty where there is none.
    """

    metric: str
    verdict: str
    measured: str
    interval: str
    threshold: str


def tone(verdict: str) -> str:
    """`good`, `bad`, `even` or `doubt`: how a verdict is coloured."""
    return _TONES.get(verdict, "doubt")


def comparisons(summary: Summary) -> list[Mapping[str, Any]]:
    """Every candidate against the baseline: none, one, or more where a run has more than two variants."""
    one = summary.get("comparison")
    return list(summary.get("comparisons") or ([one] if one else []))


def headline(summary: Summary) -> str:
    """`aml_token against key`, or the names of what is not compared: variants, or runs."""
    compared = comparisons(summary)
    if compared:
        return f"{listed([one['candidate'] for one in compared])} against {compared[0]['baseline']}"
    return listed(list(summary["trust"].get("runs") or summary["variants"]))


def plan_sentence(plan: RunPlan) -> str:
    """What the run was asked to do: `500/s, poisson arrivals, for 60 s after 5 s of warm-up, ...`."""
    if plan.arrival_rate is not None:
        load = f"{plan.arrival_rate:,g}/s, {plan.arrivals} arrivals"
    elif plan.stages:
        load = f"{plural(len(plan.stages), 'stage')}, {plan.arrivals} arrivals"
    else:
        load = "closed model (a user sends again once its answer came)"
    length = f", for {plan.duration_s:,g} s" if plan.duration_s is not None else ""
    warm_up = f", after {plan.warm_up_s:,g} s of warm-up that no figure counts" if plan.warm_up_s else ""
    return f"{load}{length}{warm_up}, at most {plural(plan.users, 'request')} in flight"


def trust_sentence(trust: Mapping[str, Any]) -> str:
    """What the harness managed: rate, schedule lag, losses; of each run where there are several."""
    if "runs" in trust:
        return "; ".join(f"{run_id}: {one['verdict']}, {trust_sentence(one)}" for run_id, one in trust["runs"].items())
    asked, lag = trust["asked_rate"], trust["schedule_lag_ms"]
    parts = [f"{rate(trust['achieved_rate'])} achieved" + (f" of {rate(asked)} asked" if asked else "")]
    if asked:
        parts.append(f"schedule lag p50 {milliseconds(lag['p50'])} ms, p99 {milliseconds(lag['p99'])} ms")
    for key, noun in (("dropped_arrivals", "dropped arrival"), ("unwritten_samples", "lost sample")):
        if trust[key]:
            parts.append(plural(trust[key], noun))
    return ", ".join(parts)


def cost_sentence(comparison: Mapping[str, Any], *, quantile: str = "p50") -> str:
    """What the candidate costs over the baseline at one quantile, with its interval; empty when nothing is known."""
    found = comparison["response_time_ms"].get(quantile) or {}
    if found.get("estimate") is None:
        return ""
    candidate, baseline, value = comparison["candidate"], comparison["baseline"], found["estimate"]
    if not interval(found):
        return f"too few samples to say what {candidate} costs over {baseline} at {quantile}"
    said = f"{100 * found['level']:.0f} % interval {interval(found)} ms"
    match found["verdict"]:
        case "EQUIVALENT":
            return f"{candidate} costs as much as {baseline} at {quantile}: {difference(value)} ms, {said}"
        case "INCONCLUSIVE":
            unknown = f"what {candidate} costs over {baseline} at {quantile} cannot be told"
            return ", ".join(filter(None, (f"{unknown}: {difference(value)} ms", said, needed(found))))
    verb = "costs" if value >= 0 else "saves"
    return f"{candidate} {verb} {milliseconds(abs(value))} ms over {baseline} at {quantile}, {said}"


def speed_sentence(summary: Summary) -> str:
    """How fast each variant was: median and p99 of response time."""
    block = "response_time_ms"
    return "; ".join(
        f"{name} p50 {figure(variant, block, 'p50')} ms, p99 {figure(variant, block, 'p99')} ms"
        for name, variant in summary["variants"].items()
    )


def auth_sentence(summary: Summary) -> str:
    """Where auth failed and why, over all variants."""
    failing = {
        name: variant["auth_failures"]
        for name, variant in summary["variants"].items()
        if variant["auth_failures"]["count"]
    }
    requests = sum(variant["requests"] for variant in summary["variants"].values())
    if not requests:
        return "no request was measured"
    if not failing:
        return f"no auth failure in {plural(requests, 'request')}"
    return "auth failures: " + "; ".join(
        f"{name} {percent(failures['rate'])} ({by_frequency(failures['by_cause'])})"
        for name, failures in failing.items()
    )


def gates_verdict(gates: Sequence[GateRow]) -> str:
    """The worst verdict of all gates; empty without gates."""
    verdicts = {gate["verdict"] for gate in gates}
    return next((worst for worst in _GATE_VERDICTS if worst in verdicts), "")
