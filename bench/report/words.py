"""What the report says in words: of verdicts, trust, cost and auth failures, the same in every output. Pure.

Everything is read out of `summary.json` (design, section 6) and gives text without a full stop at its end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypedDict

from bench import metrics
from bench.numbers import (
    at_least,
    count,
    difference,
    interval,
    listed,
    milliseconds,
    needed,
    percent,
    plural,
    rate,
)
from bench.plan.expectation import MOST_OF_A_CORE
from bench.plan.load_changes import change_words
from bench.plan.prompt_plan import PromptPlan
from bench.plan.run_plan import RunPlan
from bench.sample import Cause, Outcome, TokensFrom

Summary = Mapping[str, Any]

_REASON_LIMIT = 200

_TONES = {
    **dict.fromkeys(("PASS", "TRUSTED", "BETTER"), "good"),
    **dict.fromkeys(("FAIL", "INVALID", "WORSE"), "bad"),
    "EQUIVALENT": "even",
}
_RULE_OF_THREE = 3.0
"""Of n requests without a failure, a share of 3 / n may still fail (Hanley and Lippman-Hand 1983)."""
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


def plan_sentence(plan: RunPlan, *, shape: str = "") -> str:
    """What the run was asked to do: `500/s, poisson arrivals, for 60 s after 5 s of warm-up, ...`.

    A LoadTestShape, by its name, says how many users there are.
    """
    if plan.arrival_rate is not None:
        load = f"{plan.arrival_rate:,g}/s, {plan.arrivals} arrivals"
    elif plan.stages:
        load = f"{plural(len(plan.stages), 'stage')}, {plan.arrivals} arrivals"
    else:
        load = "closed model (a user sends again once its answer came)"
    load += f" ({change_words(plan)})" if plan.changes else ""
    length = f", for {plan.duration_s:,g} s" if plan.duration_s is not None else ""
    warm_up = f", after {plan.warm_up_s:,g} s of warm-up that no figure counts" if plan.warm_up_s else ""
    if plan.warm_up_auto:
        warm_up = f", once service time has settled, after {plan.warm_up_s:,g} s of warm-up at most"
    most = f"users by the LoadTestShape {shape}" if shape else f"at most {plural(plan.users, 'request')} in flight"
    made = _prompts_sentence(plan.request.prompts) if plan.request.prompts is not None else ""
    return f"{load}{length}{warm_up}, {most}{made}"


def _prompts_sentence(prompts: PromptPlan) -> str:
    """`; 1,000 prompts of 100..800 tokens after 200 shared ones, answers of 64 at most`."""
    shared = f" after {prompts.shared_prefix:,} shared ones" if prompts.shared_prefix else ""
    answers = f", answers of {prompts.output_tokens} at most" if prompts.output_tokens else ""
    if prompts.made is None or prompts.made.turns == 1:
        return f"; {plural(prompts.prompts, 'prompt')} of {prompts.prompt_tokens} tokens{shared}{answers}"
    return (
        f"; {plural(prompts.prompts, 'conversation')} of {prompts.turns} turns, each of {prompts.prompt_tokens} tokens"
        f"{shared}{answers}"
    )


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


def cost_sentence(comparison: Mapping[str, Any], *, quantile: str = "p50", metric: str = "response_time") -> str:
    """What the candidate costs over the baseline at one quantile, with its interval; empty when nothing is known."""
    found = comparison.get(f"{metric}_ms", {}).get(quantile) or {}
    if found.get("estimate") is None:
        return ""
    candidate, baseline, value = comparison["candidate"], comparison["baseline"], found["estimate"]
    if metric != "response_time":
        quantile += f" of {metrics.STREAM_DURATIONS[metric].title}"
    if not interval(found):
        return f"too few samples to say what {candidate} costs over {baseline} at {quantile}"
    said = f"{100 * found['level']:.0f} % interval {interval(found)} ms"
    match found["verdict"]:
        case "EQUIVALENT":
            return f"{candidate} costs as much as {baseline} at {quantile}: {difference(value)} ms, {said}"
        case "INCONCLUSIVE":
            unknown = f"what {candidate} costs over {baseline} at {quantile} cannot be determined"
            return ", ".join(filter(None, (f"{unknown}: {difference(value)} ms", said, needed(found))))
    verb = "costs" if value >= 0 else "saves"
    return f"{candidate} {verb} {milliseconds(abs(value))} ms over {baseline} at {quantile}, {said}"


def speed_sentence(summary: Summary) -> str:
    """How fast each variant was: median and p99 of response time."""
    return "; ".join(
        f"{name} p50 {response_time(variant, 'p50')} ms, p99 {response_time(variant, 'p99')} ms"
        for name, variant in summary["variants"].items()
    )


def token_sentence(summary: Summary) -> str:
    """How soon each variant's first token came, and the next: median and p99."""
    titles = {"first token": "time_to_first_token_ms", "between tokens": "inter_token_latency_ms"}
    return "; ".join(
        f"{name} {title} p50 {response_time(variant, 'p50', block)} ms, p99 {response_time(variant, 'p99', block)} ms"
        for name, variant in summary["variants"].items()
        if variant.get("streams")
        for title, block in titles.items()
    )


def stream_remarks(summary: Summary) -> list[str]:
    """What a reader of the figures of streamed answers must know beside them."""
    said = [*_prompts_remark(summary)]
    for name, variant in summary["variants"].items():
        streams = variant.get("streams")
        if variant.get("without_streams"):
            said.append(
                f"no answer of {name} was streamed in {listed(variant['without_streams'])}: no figure of streams"
            )
        if variant.get("goodput", {}).get("why"):
            said.append(f"the goodput of {name} is not known: {variant['goodput']['why']}")
        if not streams:
            continue
        if streams["tokenless"]:
            missing = plural(streams["tokenless"], "request")
            said.append(f"{missing} of {name} never had a first token: it counts as slower than any other")
        if streams["plain"]:
            said.append(f"{plural(streams['plain'], 'answer')} of {name} came whole and not as a stream")
        if streams["per_event"] and streams["per_event"] > _SEVERAL:
            said.append(
                f"an event of {name} brought {streams['per_event']:.3g} tokens on average: its gaps are between events"
            )
        if streams["tokens_from"].get(TokensFrom.EVENTS):
            counted = plural(streams["tokens_from"][TokensFrom.EVENTS], "answer")
            said.append(f"the tokens of {counted} of {name} are events that were counted: the server sent no usage")
    return said


def _prompts_remark(summary: Summary) -> Iterator[str]:
    made = summary.get("prompts")
    requests = sum(variant["requests"] for variant in summary["variants"].values())
    if made and made["turns"] == 1 and requests > made["count"]:
        yield (
            f"{plural(made['count'], 'prompt')} went round in {plural(requests, 'request')}: a server that keeps what "
            "it has read may answer sooner from then on (give more --prompts)"
        )


_SEVERAL = 1.05


def response_time(variant: Mapping[str, Any], statistic: str, block: str = "response_time_ms") -> str:
    """One figure of a variant in ms, `> 1,001` where it is only known from below."""
    return at_least(variant.get(block, {}).get(statistic), variant.get(f"{block}_censored", {}).get(statistic))


def failure_sentence(summary: Summary) -> str:
    """What failed and how much: `100 % failed: 404 Not Found (60), "no such deployment"`. Said before all else."""
    return "; ".join(filter(None, (_failure_sentence(summary), checks_sentence(summary))))


def checks_sentence(summary: Summary) -> str:
    """How many bodies were looked at, where that were not all; empty where they were."""
    checks = [variant["checked"] for variant in summary["variants"].values() if variant.get("checked")]
    if not checks:
        return ""
    looked, answers = (sum(one[key] for one in checks) for key in ("checked", "answers"))
    return (
        f"of {count(answers)} answers the bodies of {count(looked)} were checked, drawn at random, "
        f"for all of them would take more than {percent(MOST_OF_A_CORE)} of a core"
    )


def _failure_sentence(summary: Summary) -> str:
    variants = summary["variants"]
    requests = sum(variant["requests"] for variant in variants.values())
    if not requests:
        return "no request was measured"
    failing = {name: _failed(variant) for name, variant in variants.items() if variant.get("failures")}
    if not failing:
        return f"no request failed ({plural(requests, 'request')})"
    if len(variants) == 1:
        return next(iter(failing.values()))
    well = [name for name in variants if name not in failing]
    return "; ".join(f"{name} {text}" for name, text in failing.items()) + (
        f"; {listed(well)} 0 % failed" if well else ""
    )


def unseen_sentence(variant: Mapping[str, Any]) -> str:
    """How much may fail of a variant of which nothing failed; empty where that is not known."""
    most = variant.get("error_rate_interval", {}).get("high")
    if most is None or variant.get("failures") or not variant["requests"]:
        return ""
    by_themselves = percent(min(_RULE_OF_THREE / variant["requests"], 1.0))
    return f"95 % sure: at most {by_themselves} fail, if they come one by one; at most {percent(most)}, if in bursts"


def _failed(variant: Mapping[str, Any]) -> str:
    kinds = variant["failures"]
    shown = [
        f"{failure_kind(kind)} ({count(kind['count'])}){_quoted(kind, at == 0)}" for at, kind in enumerate(kinds[:3])
    ]
    more = sum(kind["count"] for kind in kinds[3:])
    listing = ", ".join([*shown, *([f"{count(more)} others"] if more else [])])
    return f"{percent(variant['error_rate'])} failed: {listing}{_no_lease_because(variant)}"


def _no_lease_because(variant: Mapping[str, Any]) -> str:
    """What the fetches that failed said most often, where requests went without a credential."""
    reasons = variant.get("refreshes", {}).get("reasons", {})
    if not reasons or all(kind["cause"] != Cause.NO_LEASE for kind in variant["failures"]):
        return ""
    return f"; no credential because {str(next(iter(reasons)))[:_REASON_LIMIT]}"


def failure_kind(kind: Mapping[str, Any]) -> str:
    """`404 Not Found`, `connection reset`: one entry of `failures`, in plain words."""
    if kind["outcome"] == "other":
        return "of many other kinds"
    return metrics.kind_of_failure(kind["outcome"], kind["cause"], kind["status"])


def failure_detail(kind: Mapping[str, Any], *, most: int = 200) -> str:
    """What the first of a kind said: where it redirects to, what the model or the system said, the body's start.

    Without a body it is the status line's own phrase, where that is not what the status is called anyway.
    """
    model = " ".join(part for part in (kind.get("model_status", ""), kind.get("model_reason", "")) if part)
    answered = kind["status"] and kind["outcome"] != Outcome.TRANSPORT_ERROR
    body, reason = kind.get("body", ""), kind.get("reason", "")
    phrase = reason if reason.casefold() not in failure_kind(kind).casefold() else ""
    said = (body or phrase) if answered else (reason or body)
    parts = (
        f"to {_cut(kind['location'], most)}" if kind.get("location") else "",
        f"model {_cut(model, most)}" if model else "",
        f"asks to wait {_cut(wait + ' s' * wait.isdigit(), most)}" if (wait := kind.get("retry_after", "")) else "",
        _cut(kind.get("limits", ""), most),
        f'"{_cut(said, most)}"' if said else "",
    )
    return ", ".join(part for part in parts if part)


def _quoted(kind: Mapping[str, Any], first: bool) -> str:
    detail = failure_detail(kind, most=90) if first or kind.get("location") else ""
    return f", {detail}" if detail else ""


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def conclusive(summary: Summary) -> bool:
    """Whether anything may be concluded: nothing is from an INVALID run."""
    return bool(summary["trust"]["verdict"] != "INVALID")


def gates_verdict(gates: Sequence[GateRow]) -> str:
    """The worst verdict of all gates; empty without gates."""
    verdicts = {gate["verdict"] for gate in gates}
    return next((worst for worst in _GATE_VERDICTS if worst in verdicts), "")
