"""Finds a gate's figure in a summary, and how sure the run is of it. Pure.

A time has the interval the summary gives it. So have the rates of errors and of auth failures, which come in
bursts; the share of another outcome has the exact binomial one. What is counted (counts, `max`, `throughput`,
`achieved_rate`) is what happened, and has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.gates import binomial
from bench.gates.gate import Gate
from bench.gates.metrics import ACHIEVED_RATE, OVERHEAD, Kind
from bench.sample import Outcome

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure of a summary, in its units (ms, a share of 1, a number, 1/s).

    `value` is None when there is nothing to judge. `counted` figures are exact and have no `interval`; an
    estimated figure without one rests on too few requests, and `more_needed` says about how many are missing.
    """

    value: float | None = None
    interval: Interval | None = None
    counted: bool = False
    requests: int = 0
    more_needed: int = 0

    @property
    def tells(self) -> bool:
        """Whether there is enough to judge by."""
        return self.value is not None and (self.counted or self.interval is not None)


NOTHING = Figure()


def judged_variants(gate: Gate, summary: Mapping[str, Any]) -> tuple[str, ...]:
    """The variants the gate must hold for; for overhead the candidates; one empty name for the whole run."""
    if gate.metric.name == OVERHEAD:
        return tuple(_comparisons(summary)) or ("",)
    if not gate.metric.per_variant:
        return ("",)
    return (gate.variant,) if gate.variant else tuple(summary.get("variants", {})) or ("",)


def find(gate: Gate, summary: Mapping[str, Any], variant: str) -> Figure:
    """What `summary` says of the gate's metric for one variant; `NOTHING` when it says nothing."""
    if gate.metric.name == OVERHEAD:
        return _overhead(gate.quantile, summary, variant)
    if not gate.metric.per_variant:
        return _of_run(gate.metric.name, summary.get("trust", {}))
    block = summary.get("variants", {}).get(variant)
    if block is None or not block.get("requests"):
        return NOTHING
    match gate.metric.kind:
        case Kind.TIME:
            return _time(gate, block)
        case Kind.RATE:
            return _rate(gate.metric.name.removesuffix("_rate"), block)
        case Kind.COUNT:
            return Figure(value=_count(gate.metric.name, block), counted=True, requests=block["requests"])
        case Kind.THROUGHPUT:
            return Figure(value=block.get("throughput"), counted=True, requests=block["requests"])


def _time(gate: Gate, block: Mapping[str, Any]) -> Figure:
    name = f"{gate.metric.name}_ms"
    value = block.get(name, {}).get(gate.quantile)
    if value is None:
        return NOTHING
    if gate.quantile == "max":
        return Figure(value=value, counted=True, requests=block["latency_samples"])
    estimate = block.get(f"{name}_interval", {}).get(gate.quantile, {})
    return _estimated(value, estimate, block["latency_samples"])


def _comparisons(summary: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Every comparison of the summary by its candidate."""
    one = summary.get("comparison")
    return {found["candidate"]: found for found in summary.get("comparisons") or ([one] if one else [])}


def _overhead(quantile: str, summary: Mapping[str, Any], candidate: str) -> Figure:
    comparison = _comparisons(summary).get(candidate, {})
    estimate = comparison.get("response_time_ms", {}).get(quantile, {})
    if estimate.get("estimate") is None:
        return NOTHING
    variants = summary.get("variants", {})
    sides = [variants.get(comparison[side], {}).get("latency_samples", 0) for side in ("baseline", "candidate")]
    return _estimated(estimate["estimate"], estimate, min(sides))


def _estimated(value: float, estimate: Mapping[str, Any], requests: int) -> Figure:
    low, high = estimate.get("low"), estimate.get("high")
    return Figure(
        value=value,
        interval=None if low is None or high is None else (low, high),
        requests=requests,
        more_needed=estimate.get("more_needed", 0),
    )


def _of_run(metric: str, trust: Mapping[str, Any]) -> Figure:
    if metric != ACHIEVED_RATE:
        return Figure(value=trust.get(metric), counted=True)
    asked, achieved = trust.get("asked_rate"), trust.get("achieved_rate")
    return Figure(value=achieved / asked, counted=True) if asked and achieved is not None else NOTHING


def _events(name: str, block: Mapping[str, Any]) -> int:
    outcomes: Mapping[str, int] = block.get("outcomes", {})
    if name == "error":
        return int(block["requests"] - outcomes.get(Outcome.OK, 0))
    return outcomes.get(name, 0)


def _rate(name: str, block: Mapping[str, Any]) -> Figure:
    """From the counts, for a share that was rounded for the file may miss the threshold it equals."""
    events, requests = _events(name, block), block["requests"]
    low, high = binomial.interval(events, requests)
    clustered = {
        "error": block.get("error_rate_interval"),
        "ok": _complement(block.get("error_rate_interval")),
        Outcome.AUTH_FAILURE: block.get("auth_failures", {}).get("rate_interval"),
    }.get(name)
    if clustered and clustered["low"] is not None:
        low, high = clustered["low"], clustered["high"]
    return Figure(value=events / requests, interval=(low, high), requests=requests)


def _complement(interval: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not interval or interval["low"] is None:
        return None
    return {"low": 1 - interval["high"], "high": 1 - interval["low"]}


def _count(metric: str, block: Mapping[str, Any]) -> int | None:
    """None where the run does not know it."""
    match metric:
        case "requests":
            return int(block["requests"])
        case "errors":
            return _events("error", block)
        case "auth_failures":
            return int(block["auth_failures"]["count"])
        case "refreshes":
            return _known(block["refreshes"]["count"])
        case _:
            return _known(block["refreshes"]["failures"])


def _known(count: int | None) -> int | None:
    return None if count is None else int(count)
