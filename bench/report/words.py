"""How the report says numbers and verdicts: one wording for the terminal, the markdown and the page. Pure.

Everything takes plain values out of `summary.json` and gives text. A missing value is `DASH`, never 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from bench.plan import RunPlan

DASH = "–"  # noqa: RUF001 - a typographic dash is meant
MINUS = "−"  # noqa: RUF001 - so is the sign
QUANTILES = ("p50", "p90", "p95", "p99", "p99.9")
STATISTICS = (*QUANTILES, "mean", "max")

VERDICT_MEANING = {
    "BETTER": "faster by more than the difference that matters",
    "WORSE": "slower by more than the difference that matters",
    "EQUIVALENT": "the whole interval lies within the difference that matters",
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


def milliseconds(value: float | None) -> str:
    """`0.312`, `12.41`, `250.3`, `1,240`: about four digits, so that columns can be compared."""
    if value is None or not math.isfinite(value):
        return DASH
    size = abs(value)
    if size < 0.0005:
        return "0.00"
    digits = 0 if size >= 1000 else 1 if size >= 100 else 2 if size >= 1 else 3
    return f"{value:,.{digits}f}".replace("-", MINUS)


def difference(value: float | None) -> str:
    """A signed number of milliseconds, `+0.312`."""
    text = milliseconds(value)
    return text if text in (DASH, "0.00") or text.startswith(MINUS) else f"+{text}"


def interval(estimate: Mapping[str, Any]) -> str:
    """`[+0.28, +0.34]`, or a dash where there were too few samples."""
    if estimate.get("low") is None or estimate.get("high") is None:
        return DASH
    return f"[{difference(estimate['low'])}, {difference(estimate['high'])}]"


def comparisons(summary: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Every candidate against the baseline: none, one, or more where a run has more than two variants."""
    one = summary.get("comparison")
    return list(summary.get("comparisons") or ([one] if one else []))


def share_estimate(found: Mapping[str, Any]) -> str:
    """`+1.68 % [+0.226 %, +11.4 %] WORSE` of a difference in shares; empty without one."""
    if found.get("estimate") is None or found.get("low") is None:
        return ""
    value, low, high = (_signed_percent(found[key]) for key in ("estimate", "low", "high"))
    return f"{value} [{low}, {high}] {found.get('verdict', '')}".rstrip()


def _signed_percent(share: float) -> str:
    return percent(0.0) if share == 0 else f"{'+' if share > 0 else MINUS}{percent(abs(share))}"


def estimate(found: Mapping[str, Any]) -> str:
    """`+0.312 [+0.280, +0.344] WORSE`; with too few samples, how many more are needed; empty without an estimate."""
    if found.get("estimate") is None:
        return ""
    if found.get("low") is not None:
        return f"{difference(found['estimate'])} {interval(found)} {found.get('verdict', '')}".rstrip()
    needed = found.get("more_needed")
    return difference(found["estimate"]) + (f" (about {count(needed)} more samples needed)" if needed else "")


def count(value: float | None) -> str:
    """A whole number with thousands separators."""
    return DASH if value is None else f"{value:,.0f}"


def rate(value: float | None) -> str:
    """Requests per second."""
    return DASH if value is None else f"{value:,.1f}/s"


def percent(share: float | None) -> str:
    """`0 %`, `0.02 %`, `12.5 %`; a share too small to print is `<0.001 %`, never 0."""
    if share is None or not math.isfinite(share):
        return DASH
    value = 100 * share
    if value == 0:
        return "0 %"
    return "<0.001 %" if value < 0.001 else f"{value:.3g} %"


def plural(number: int, noun: str) -> str:
    """`1 request`, `2 requests`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def listed(items: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(part for part in (", ".join(items[:-1]), *items[-1:]) if part)


def by_cause(causes: Mapping[str, int]) -> str:
    """`12 expired, 3 refused`, the most frequent first."""
    return ", ".join(
        f"{count(n)} {cause or 'unknown'}" for cause, n in sorted(causes.items(), key=lambda c: -c[1]) if n
    )


def cost_sentence(comparison: Mapping[str, Any] | None, *, quantile: str = "p50") -> str:
    """What the candidate costs over the baseline at one quantile, with its interval."""
    estimate = ((comparison or {}).get("response_time_ms") or {}).get(quantile) or {}
    if comparison is None or estimate.get("estimate") is None:
        return ""
    candidate, baseline = comparison["candidate"], comparison["baseline"]
    value, verdict = estimate["estimate"], estimate.get("verdict", "INCONCLUSIVE")
    level = f"{100 * estimate.get('level', 0.95):.0f} %"
    span = f"{level} interval {interval(estimate)} ms"
    if verdict == "EQUIVALENT":
        return f"{candidate} and {baseline} are equivalent at {quantile}: {difference(value)} ms, {span}"
    if verdict == "INCONCLUSIVE":
        return f"It cannot be told what {candidate} costs over {baseline} at {quantile}: {difference(value)} ms, {span}"
    verb = "costs" if value >= 0 else "saves"
    return f"{candidate} {verb} {milliseconds(abs(value))} ms over {baseline} at {quantile}, {span}"


def speed_sentence(summary: Mapping[str, Any]) -> str:
    """How fast each variant was: median and p99 of response time."""
    blocks = {name: variant.get("response_time_ms") or {} for name, variant in summary["variants"].items()}
    return "; ".join(
        f"{name}: p50 {milliseconds(block.get('p50'))} ms, p99 {milliseconds(block.get('p99'))} ms"
        for name, block in blocks.items()
    )


def auth_sentence(summary: Mapping[str, Any]) -> str:
    """Where auth failed, over all variants."""
    failing = []
    requests = 0
    for name, variant in summary["variants"].items():
        requests += variant["requests"]
        failures = variant["auth_failures"]
        if failures["count"]:
            failing.append(f"{name}: {by_cause(failures['by_cause'])}")
    if not requests:
        return "No request was judged"
    return "; ".join(failing) if failing else f"No auth failure in {plural(requests, 'request')}"


def headline(summary: Mapping[str, Any]) -> str:
    """`aml_token against key`, or the one variant's name."""
    compared = comparisons(summary)
    if compared:
        return f"{listed([one['candidate'] for one in compared])} against {compared[0]['baseline']}"
    return listed(list(summary["variants"])) or "no variant"


def trust_facts(trust: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(what, measured, limit) of everything the trust verdict rests on; limits are those that make a run SUSPECT."""
    lag, limits, stalls = trust["schedule_lag_ms"], trust["limits"], trust["stalls"]
    asked = trust["asked_rate"]
    kept = trust["achieved_rate"] / asked if asked else None
    return [
        ("achieved of asked rate", percent(kept), f"at least {percent(limits['achieved_suspect'])}"),
        ("schedule lag, p50", f"{milliseconds(lag['p50'])} ms", f"{milliseconds(limits['lag_p50_suspect_ms'])} ms"),
        ("schedule lag, p99", f"{milliseconds(lag['p99'])} ms", f"{milliseconds(limits['lag_p99_suspect_ms'])} ms"),
        ("schedule lag, max", f"{milliseconds(lag['max'])} ms", ""),
        ("CPU of the busiest worker", percent(trust["cpu"]), percent(limits["cpu_suspect"])),
        ("rate this client would hold", rate(trust["sustainable_rate"]), ""),
        ("hub stalls", count(stalls["count"]), ""),
        ("longest stall", f"{milliseconds(stalls['longest_ms'])} ms", f"{limits['longest_stall_suspect_ms']:g} ms"),
        ("time stood still", percent(stalls["share"]), percent(limits["stalled_share_suspect"])),
        ("late because all users were busy", percent(trust["users_busy_share"]), ""),
        ("arrivals dropped", count(trust["dropped_arrivals"]), "0"),
        ("samples lost", count(trust["unwritten_samples"]), "0"),
    ]


def plan_sentence(plan: RunPlan) -> str:
    """What the run was asked to do: `500 requests/s, poisson arrivals, for 60 s after 5 s of warm-up, ...`."""
    if plan.arrival_rate is not None:
        load = f"{plan.arrival_rate:,g} requests/s, {plan.arrivals} arrivals"
    elif plan.stages:
        load = f"{plural(len(plan.stages), 'stage')}, {plan.arrivals} arrivals"
    else:
        load = "closed model: each user sends as soon as its last answer came"
    length = f" for {plan.duration_s:,g} s" if plan.duration_s is not None else ""
    warm_up = f" after {plan.warm_up_s:,g} s of warm-up that no figure counts" if plan.warm_up_s else ""
    return f"{load},{length}{warm_up}, at most {plural(plan.users, 'request')} in flight"


def trust_sentence(trust: Mapping[str, Any]) -> str:
    """What the harness managed: rate, schedule lag, losses; of each run where there are several."""
    if "runs" in trust:
        return "; ".join(f"{run_id}: {one['verdict']}, {trust_sentence(one)}" for run_id, one in trust["runs"].items())
    asked, lag = trust.get("asked_rate"), trust.get("schedule_lag_ms", {})
    parts = [f"{rate(trust.get('achieved_rate'))} achieved" + (f" of {rate(asked)} asked" if asked else "")]
    if asked:
        parts.append(f"schedule lag p50 {milliseconds(lag.get('p50'))} ms, p99 {milliseconds(lag.get('p99'))} ms")
    for key, noun in (("dropped_arrivals", "dropped arrival"), ("unwritten_samples", "lost sample")):
        if trust.get(key):
            parts.append(plural(trust[key], noun))
    return ", ".join(parts)


def gates_verdict(gates: Sequence[GateRow]) -> str:
    """The worst verdict of all gates; empty without gates."""
    verdicts = {gate["verdict"] for gate in gates}
    return next((worst for worst in ("FAIL", "NO_DATA", "INCONCLUSIVE", "PASS") if worst in verdicts), "")
