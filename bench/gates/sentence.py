"""The sentence that explains a gate's verdict: figure, interval, threshold, what to do. Pure; for `evaluate`."""

from __future__ import annotations

from bench.gates.gate import Comparison, Gate
from bench.gates.measure import Figure
from bench.gates.result import GateResult, GateVerdict, show, show_interval
from bench.metrics import OVERHEADS, Kind
from bench.numbers import MOST_SAMPLES


def subject(gate: Gate, variant: str) -> str:
    """`response_time.p99 of key`, `within(250ms) of key`."""
    deadline = f"({gate.deadline})" if gate.deadline else ""
    quantile = f".{gate.quantile}" if gate.quantile else ""
    return f"{gate.metric.name}{deadline}{quantile}{gate.narrowing}{f' of {variant}' if variant else ''}"


def no_data(gate: Gate, variant: str, figure: Figure) -> str:
    """Why a figure cannot be judged: it does not exist, or rests on too few requests."""
    if figure.value is None:
        nothing = "no comparison was made" if gate.metric.name in OVERHEADS else "no request measured it"
        return f"{subject(gate, variant)} has no data: {figure.doubt or nothing}"
    return (
        f"{subject(gate, variant)} rests on {figure.requests:,} requests, too few to judge it"
        f"{_more(figure.more_needed)}"
    )


def no_baseline(gate: Gate, variant: str, name: str) -> str:
    """Why a baseline cannot be compared with."""
    if not name:
        return f"{subject(gate, variant)} has nothing to be compared with: no baseline was given"
    return f"{subject(gate, variant)} has no data in baseline {name}, or too little: save a longer run as {name}"


def with_figure(result: GateResult, figure: Figure, *, baseline: str = "", reference: Figure | None = None) -> str:
    """What was measured, where it stands, and about how many more requests would decide it."""
    gate, kind = result.gate, result.gate.metric.kind
    measured = result.shown
    if result.interval:
        measured += f" {show_interval(kind, result.interval)}"
    if figure.remark:
        measured += f" ({figure.remark})"
    limit = _limit(result)
    if baseline and reference is not None:
        whose = f"{baseline} has" if len(reference.runs) < 2 else f"{len(reference.runs)} runs of {baseline} have"
        limit += f" ({gate.bound}, where {whose} {show(kind, reference.value or 0.0)})"
    head = f"{subject(gate, result.variant)} is {measured}, which"
    estimated = result.interval is not None and gate.comparison is not Comparison.EQUAL
    match result.verdict:
        case GateVerdict.FAIL:
            return f"{head} breaks {limit}{' with its whole interval' if estimated else ''}"
        case GateVerdict.INCONCLUSIVE:
            return f"{head} breaks {limit}, but {_undecided(result, figure, baseline)}"
        case _:
            reaches = ", though its interval reaches beyond" if estimated and _reaches(result) else ""
            return f"{head} meets {limit}{f', though {figure.doubt}' if figure.doubt else reaches}"


def _limit(result: GateResult) -> str:
    return f"{result.gate.comparison} {show(result.gate.metric.kind, result.threshold or 0.0)}"


def _undecided(result: GateResult, figure: Figure, baseline: str) -> str:
    if result.settled:
        return f"runs differ by more than one run knows: save three runs or more as {baseline}"
    if figure.doubt:
        return f"{figure.doubt}{_more(result.needed_requests)}"
    return f"its interval straddles that{_more(result.needed_requests) or _no_help(baseline)}"


def from_below(result: GateResult, *, baseline: str = "") -> str:
    """A time that is only known from below, for requests got no answer; a count, for not all bodies were checked."""
    counted = result.gate.metric.kind is Kind.COUNT
    why = "not all bodies were checked" if counted else "requests there got no answer in time"
    head = f"{subject(result.gate, result.variant)} is {result.shown} ({why})"
    limit = _limit(result) + (f" ({result.gate.bound})" if baseline else "")
    match result.verdict:
        case GateVerdict.FAIL:
            return f"{head}, which breaks {limit} with its whole interval"
        case GateVerdict.INCONCLUSIVE:
            return f"{head}, which breaks {limit}, but its interval straddles that"
        case GateVerdict.PASS:
            return f"{head}, which meets {limit}"
    instead = "ask for error_rate" if counted else "look at timed_out_rate, or raise --timeout"
    return f"{head}: whether it meets {limit} is not known; {instead}"


def of_client(result: GateResult, reasons: list[str]) -> str:
    """A verdict that is not given because the client may have made the figure."""
    return f"not decided, for the client itself was late: {reasons[0]} (it said: {result.sentence})"


def of_machine(result: GateResult, why: str) -> str:
    """A verdict that is not given because the baseline is of another machine, and what would hold."""
    return (
        f"not decided, {why}: compare both deployments in one job with `bench compare`, save a baseline on this kind "
        f"of machine, or give --baseline-allows machine (it said: {result.sentence})"
    )


def distrusted(result: GateResult, reasons: list[str]) -> str:
    """A verdict that is not given because the run cannot be believed."""
    because = f": {reasons[0]}" if reasons else ""
    return f"not judged, the run is INVALID{because} (it said: {result.sentence})"


def _reaches(result: GateResult) -> bool:
    threshold = result.threshold or 0.0
    return any(not result.gate.comparison.holds(limit, threshold) for limit in result.interval or ())


def _more(requests: int | None) -> str:
    if requests and requests > MOST_SAMPLES:
        return "; no run of this length will tell"
    return f"; about {requests:,} more requests needed" if requests else ""


def _no_help(baseline: str) -> str:
    if baseline:
        return f"; more requests do not help, {baseline} itself is too uncertain: save a longer run as baseline"
    return "; more requests do not help, it lies on the threshold"
