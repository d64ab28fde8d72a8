"""The sentence that explains a gate's verdict: figure, interval, threshold, what to do. Pure; for `evaluate`."""

from __future__ import annotations

from bench.gates.gate import Comparison, Gate
from bench.gates.measure import Figure
from bench.gates.metrics import OVERHEAD
from bench.gates.result import GateResult, GateVerdict, show, show_interval


def subject(gate: Gate, variant: str) -> str:
    """`response_time.p99 of key`."""
    quantile = f".{gate.quantile}" if gate.quantile else ""
    return f"{gate.metric.name}{quantile}{f' of {variant}' if variant else ''}"


def no_data(gate: Gate, variant: str, figure: Figure) -> str:
    """Why a figure cannot be judged: it does not exist, or rests on too few requests."""
    if figure.value is None:
        reason = "no comparison was made" if gate.metric.name == OVERHEAD else "no request tells it"
        return f"{subject(gate, variant)} has no data: {reason}"
    return (
        f"{subject(gate, variant)} rests on {figure.requests:,} requests, too few to judge it"
        f"{_more(figure.more_needed)}"
    )


def no_baseline(gate: Gate, variant: str, name: str) -> str:
    """Why a baseline cannot be compared with."""
    if not name:
        return f"{subject(gate, variant)} has nothing to be compared with: no baseline was given"
    return f"{subject(gate, variant)} has no data in baseline {name}, or too little: save a longer run as {name}"


def told(result: GateResult, *, baseline: str = "", reference: Figure | None = None) -> str:
    """What was measured, where it stands, and about how many more requests would tell."""
    gate, kind = result.gate, result.gate.metric.kind
    measured = show(kind, result.measured or 0.0)
    if result.interval:
        measured += f" {show_interval(kind, result.interval)}"
    limit = f"{gate.comparison} {show(kind, result.threshold or 0.0)}"
    if baseline and reference is not None:
        limit += f" ({gate.bound}, where {baseline} has {show(kind, reference.value or 0.0)})"
    head = f"{subject(gate, result.variant)} is {measured}, which"
    estimated = result.interval is not None and gate.comparison is not Comparison.EQUAL
    match result.verdict:
        case GateVerdict.FAIL:
            return f"{head} breaks {limit}{' with its whole interval' if estimated else ''}"
        case GateVerdict.INCONCLUSIVE:
            needed = _more(result.needed_requests) or _no_help(baseline)
            return f"{head} breaks {limit}, but its interval straddles that{needed}"
        case _:
            doubtful = estimated and _reaches(result)
            return f"{head} meets {limit}{', though its interval reaches beyond' if doubtful else ''}"


def distrusted(result: GateResult, reasons: list[str]) -> str:
    """A verdict that is not given because the run cannot be believed."""
    because = f": {reasons[0]}" if reasons else ""
    return f"not judged, the run is INVALID{because} (it said: {result.sentence})"


def _reaches(result: GateResult) -> bool:
    threshold = result.threshold or 0.0
    return any(not result.gate.comparison.holds(limit, threshold) for limit in result.interval or ())


def _more(requests: int | None) -> str:
    return f"; about {requests:,} more requests needed" if requests else ""


def _no_help(baseline: str) -> str:
    if baseline:
        return f"; more requests do not help, {baseline} itself is too uncertain: save a longer run as baseline"
    return "; more requests do not help, it lies on the threshold"
