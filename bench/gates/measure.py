"""Finds a gate's figure in a summary, and how sure the run is of it. Pure.

A time and the share of an outcome have the interval the summary gives them. What is counted (counts, `max`,
`achieved_rate`, of one run what there was of something a second) is what happened, and has none.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bench.analysis.figures import deadline_name
from bench.gates.gate import Gate
from bench.metrics import ACHIEVED_RATE, FIRST_TOKEN_OVERHEAD, GOODPUT, OVERHEADS, STREAM_DURATIONS, Kind
from bench.numbers import listed
from bench.sample import Outcome

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure of a summary, in its units (ms, a share of 1, a number, 1/s).

    `value` is None when there is nothing to judge, or when requests without an answer decide: then `above` is the least
    it can be. `counted` figures are exact and have no `interval`; an estimated figure without one rests on too few
    requests, and `more_needed` says about how many are missing. `doubt` says why there is none although there are
    enough, `remark` what an interval rests on where that is little; `hangs_together_s` is for how long the figure does,
    where that is too long for the run. `runs` are the figures of each run of a baseline. `of_runs` is over how many
    runs the figure is a mean.
    """

    value: float | None = None
    interval: Interval | None = None
    counted: bool = False
    requests: int = 0
    more_needed: int = 0
    above: float | None = None
    doubt: str = ""
    remark: str = ""
    hangs_together_s: float = 0.0
    runs: tuple[float, ...] = ()
    of_runs: int = 1

    @property
    def can_be_judged(self) -> bool:
        """Whether there is enough to judge by."""
        return self.value is not None and (self.counted or self.interval is not None or bool(self.doubt))


NOTHING = Figure()


def judged_variants(gate: Gate, summary: Mapping[str, Any]) -> tuple[str, ...]:
    """The variants the gate must hold for; for overhead the candidates; one empty name for the whole run."""
    if gate.metric.name in OVERHEADS:
        return tuple(_comparisons(summary)) or ("",)
    if not gate.metric.per_variant:
        return ("",)
    return (gate.variant,) if gate.variant else tuple(summary.get("variants", {})) or ("",)


def find(gate: Gate, summary: Mapping[str, Any], variant: str) -> Figure:
    """What `summary`, of a run or of a set of runs, says of the gate's metric for one variant; else `NOTHING`."""
    counting = [run for run in summary.get("runs", ()) if not run["left_out"]]
    return replace(_find(gate, summary, variant), of_runs=max(len(counting), 1))


def _find(gate: Gate, summary: Mapping[str, Any], variant: str) -> Figure:
    if gate.metric.name in OVERHEADS:
        return _overhead(gate, summary, variant)
    if not gate.metric.per_variant:
        return _of_run(gate.metric.name, summary.get("trust", {}))
    block = summary.get("variants", {}).get(variant)
    if block is not None and gate.request_class is not None:
        classes = block.get("classes") or {}
        if gate.request_class not in classes:
            return Figure(doubt=_OF_SINGLE_RUNS if "runs" in summary else _no_class(classes))
        block = classes[gate.request_class]
    if block is None or not block.get("requests"):
        return NOTHING
    if why := _never_measured(gate.metric.name, block):
        return Figure(doubt=why)
    match gate.metric.kind:
        case Kind.TIME:
            return _time(gate, block)
        case Kind.RATE if gate.deadline_ms is not None:
            return _within(gate.deadline_ms, block)
        case Kind.RATE if gate.metric.name == GOODPUT:
            return _share_of(block.get("goodput"), block)
        case Kind.RATE:
            if gate.where:
                return _narrowed(gate, block)
            return _rate(gate.metric.name.removesuffix("_rate"), block)
        case Kind.COUNT:
            if gate.metric.name == "errors" and "checked" in block:
                return _at_least(_events("error", block), block)
            return Figure(value=_count(gate.metric.name, block), counted=True, requests=block["requests"])
        case Kind.THROUGHPUT:
            return _throughput(gate.metric.name, block)


_OF_SINGLE_RUNS = "classes are reported for single runs only, not for a set"


def _no_class(classes: Iterable[str]) -> str:
    named = ", ".join(filter(None, classes))
    return f"no request was of that class; there were: {named}" if named else "its requests had no classes"


def _never_measured(metric: str, block: Mapping[str, Any]) -> str:
    """Why there is no figure of streamed answers or of goodput; empty where there is one, or it is of neither."""
    if metric in (GOODPUT, "goodput_throughput"):
        return "" if "goodput" in block else "the run had no --goodput to keep"
    if metric in STREAM_DURATIONS or metric.startswith("output_token"):
        runs = f" of {listed(block['without_streams'])}" if block.get("without_streams") else ""
        return "" if "streams" in block else f"no answer{runs} was streamed (text/event-stream)"
    return ""


def of_runs(gate: Gate, summaries: Sequence[Mapping[str, Any]], variant: str) -> Figure:
    """What several runs of one thing say of the gate's metric: their mean, and the figure of each."""
    found = [find(gate, summary, variant) for summary in summaries]
    if len(found) == 1 or not all(one.can_be_judged for one in found):
        return next((one for one in found if not one.can_be_judged), found[0])
    values = tuple(one.value for one in found if one.value is not None)
    mean = math.fsum(values) / len(values)
    known = [(one.interval, one.value) for one in found if one.interval is not None and one.value is not None]
    if len(known) < len(found):
        return replace(found[0], value=mean, interval=None, runs=values)
    below, above = (
        math.sqrt(math.fsum((limits[end] - value) ** 2 for limits, value in known)) / len(known) for end in (0, 1)
    )
    return replace(found[0], value=mean, interval=(mean - below, mean + above), runs=values)


def _time(gate: Gate, block: Mapping[str, Any]) -> Figure:
    name = f"{gate.metric.name}_ms"
    requests = block.get("streams", {}).get("requests", {}).get(gate.metric.name, block["latency_samples"])
    value = block.get(name, {}).get(gate.quantile)
    least = block.get(f"{name}_censored", {}).get(gate.quantile, {}).get("above")
    if value is None and least is None:
        return NOTHING
    estimate = block.get(f"{name}_interval", {}).get(gate.quantile, {})
    if value is None:
        low = estimate.get("low")
        return Figure(
            above=least,
            interval=(least if low is None else low, math.inf),
            requests=requests,
        )
    if gate.quantile == "max":
        return Figure(value=value, counted=True, requests=requests)
    return _estimated(value, estimate, requests)


def _throughput(metric: str, block: Mapping[str, Any]) -> Figure:
    """What a run counted; of a set a mean, with its interval between runs."""
    where = {
        "output_token_throughput": (block.get("streams", {}), "throughput"),
        "output_token_throughput_per_user": (block.get("streams", {}), "throughput_per_user"),
        "goodput_throughput": (block.get("goodput", {}), "throughput"),
    }
    found, key = where.get(metric, (block, "throughput"))
    value, estimate = found.get(key), found.get(f"{key}_interval")
    if value is None or estimate is None:
        return Figure(value=value, counted=True, requests=block["requests"], doubt=found.get("why", ""))
    return _estimated(value, estimate, block["requests"])


def _comparisons(summary: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Every comparison of the summary by its candidate."""
    one = summary.get("comparison")
    return {found["candidate"]: found for found in summary.get("comparisons") or ([one] if one else [])}


def _overhead(gate: Gate, summary: Mapping[str, Any], candidate: str) -> Figure:
    comparison = _comparisons(summary).get(candidate, {})
    if comparison and gate.metric.name == FIRST_TOKEN_OVERHEAD and "time_to_first_token_ms" not in comparison:
        return Figure(doubt="not both variants streamed their answers (text/event-stream)")
    estimate = comparison.get(f"{OVERHEADS[gate.metric.name]}_ms", {}).get(gate.quantile, {})
    if estimate.get("estimate") is None:
        low = estimate.get("low")
        return NOTHING if low is None else Figure(above=low, interval=(low, math.inf))
    variants = summary.get("variants", {})
    sides = [variants.get(comparison[side], {}).get("latency_samples", 0) for side in ("baseline", "candidate")]
    return _estimated(estimate["estimate"], estimate, min(sides))


def _estimated(value: float, estimate: Mapping[str, Any], requests: int) -> Figure:
    low, high = estimate.get("low"), estimate.get("high")
    if high is None and estimate.get("open"):
        high = math.inf
    interval = None if low is None or high is None else (low, high)
    return Figure(
        value=value,
        interval=interval,
        requests=requests,
        more_needed=estimate.get("more_needed", 0),
        doubt="" if interval else _rests_on(estimate),
        remark=_rests_on(estimate) if interval else "",
        hangs_together_s=estimate.get("hangs_together_s", 0.0),
    )


def _rests_on(estimate: Mapping[str, Any]) -> str:
    """What makes an interval wide, or none, although there are enough requests; empty where nothing does."""
    if "hangs_together_s" in estimate:
        return f"the run is too short: it hangs together for {estimate['hangs_together_s']:.2g} s"
    if "episodes" in estimate:
        number = estimate["episodes"]
        return f"it rests on {number} episode{'' if number == 1 else 's'}"
    return str(estimate.get("why", ""))


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


def _at_least(events: int, block: Mapping[str, Any]) -> Figure:
    """What was counted where not all bodies were looked at."""
    return Figure(above=float(events), interval=(float(events), math.inf), requests=block["requests"])


def _rate(name: str, block: Mapping[str, Any]) -> Figure:
    """The figure from the counts, for a share that was rounded for the file may miss the threshold it equals.

    Where not all bodies were looked at counts say too little.
    """
    requests = block["requests"]
    rates: Mapping[str, Any] = block.get("outcome_rates", {})
    found = block.get("error_rate_interval") if name == "error" else rates.get(name)
    low, high = (found.get("low"), found.get("high")) if found else (None, None)
    estimated = block["error_rate"] if name == "error" else rates.get(name, {}).get("rate")
    return Figure(
        value=estimated if "checked" in block else _events(name, block) / requests,
        interval=None if low is None or high is None else (low, high),
        requests=requests,
    )


def _within(deadline_ms: float, block: Mapping[str, Any]) -> Figure:
    return _share_of(block.get("within", {}).get(deadline_name(deadline_ms)), block)


def _share_of(found: Mapping[str, Any] | None, block: Mapping[str, Any]) -> Figure:
    if found is None:
        return NOTHING
    requests = block["requests"]
    if found["rate"] is None:
        return Figure(doubt=found.get("why", ""))
    value = found["rate"] if "checked" in block else found["requests"] / requests
    interval = None if found["low"] is None or found["high"] is None else (found["low"], found["high"])
    return Figure(value=value, interval=interval, requests=requests)


def _narrowed(gate: Gate, block: Mapping[str, Any]) -> Figure:
    """The share of the failures that `gate.where` means. One that was written before there were kinds has no data."""
    if "failures" not in block:
        return NOTHING
    wanted = dict(gate.where)
    fitting = [kind for kind in block["failures"] if all(str(kind[label]) == wanted[label] for label in wanted)]
    rates = block.get("failure_rates", {})
    if len(wanted) == 1:
        [(label, value)] = wanted.items()
        found = rates.get(label, {}).get(value, rates.get("none", {}))
    elif len(fitting) == 1:
        found = fitting[0]
    else:  # an interval for each, and none of both together: as wide as all of them allow
        lows, highs = ([kind[end] for kind in fitting] for end in ("low", "high"))
        known = bool(fitting) and None not in (*lows, *highs)
        found = {"low": max(lows), "high": min(1.0, sum(highs))} if known else rates.get("none", {})
    low, high = found.get("low"), found.get("high")
    count = found.get("count") if len(wanted) == 1 else None
    events = sum(kind["count"] for kind in fitting) if count is None else count
    shares = [kind["share"] for kind in fitting] if len(wanted) != 1 else [found.get("share")]
    estimated = None if None in shares else math.fsum(shares)
    return Figure(
        value=estimated if "checked" in block else events / block["requests"],
        interval=None if low is None or high is None else (low, high),
        requests=block["requests"],
    )


def _count(metric: str, block: Mapping[str, Any]) -> int | None:
    """None where the run does not know it."""
    match metric:
        case "requests":
            return int(block["requests"])
        case "errors":
            return _events("error", block)
        case "auth_failures":
            return _events("auth_failure", block)
        case "output_tokens":
            return _known(block.get("streams", {}).get("output_tokens"))
        case "refreshes":
            return _known(block["refreshes"]["count"])
        case _:
            return _known(block["refreshes"]["failures"])


def _known(count: int | None) -> int | None:
    return None if count is None else int(count)
