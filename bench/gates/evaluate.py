"""Judges a summary by gates. Pure.

A gate FAILs only when its whole interval is beyond the threshold. When the figure is beyond and the interval
straddles, it is INCONCLUSIVE and says about how many more requests would decide it. When the figure is within, it
PASSes, also where the interval straddles: a gate that asks for proof of health would flap on every short run.
Counts are compared as they are. Without data there is NO_DATA, and a run that cannot be believed passes nothing.
Where requests without an answer decide, a time is only known from below: it can FAIL, and it never passes a limit.
Where the client itself was late, a response time fails nothing but what its service time fails too. Why so:
docs/decisions/gates.md and docs/decisions/statistics.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from bench.gates import sentence
from bench.gates.gate import Gate
from bench.gates.measure import NOTHING, Figure, find, judged_variants, of_runs
from bench.gates.result import GateResult, GateVerdict
from bench.gates.uncertainty import Standing, excess, more_requests, stand, widened
from bench.metrics import GOODPUT, METRICS, OVERHEADS, TIME_TO_FIRST_TOKEN, WITHIN, Kind

INVALID = "INVALID"

_FROM_DUE = ("response_time", TIME_TO_FIRST_TOKEN, *OVERHEADS, WITHIN, GOODPUT)
"""What grows by every delay of the client."""
_WITHOUT_LATENESS = {"response_time": "service_time", TIME_TO_FIRST_TOKEN: "service_time_to_first_token"}
_WORST_FIRST = (GateVerdict.FAIL, GateVerdict.NO_DATA, GateVerdict.INCONCLUSIVE, GateVerdict.PASS)


class Reference(Protocol):
    """What a gate on `baseline` needs of one: `baseline.Baseline` is it."""

    @property
    def name(self) -> str: ...
    @property
    def summary(self) -> Mapping[str, Any]: ...
    def elsewhere(self, machine: Mapping[str, Any]) -> str: ...


def evaluate(
    gates: Iterable[Gate], summary: Mapping[str, Any], baseline: Reference | None = None
) -> tuple[GateResult, ...]:
    """One result a gate, in their order; each is that of the variant which does worst.

    `summary` is that of `analysis.summary.summarise`, of a whole run or of a part of one.
    """
    return tuple(_distrusted(of_client(judge(gate, summary, baseline), summary), summary) for gate in gates)


def judge(
    gate: Gate, summary: Mapping[str, Any], baseline: Reference | None = None, *, doubt: float = 1.0
) -> GateResult:
    """The result of the worst variant, whatever the run's trust. `doubt` widens every interval so many times."""
    results = []
    for variant in judged_variants(gate, summary):
        figure = widened(find(gate, summary, variant), doubt)
        results.append(_of_machine(_of_variant(gate, variant, figure, baseline), summary, baseline))
    return min(results, key=_badness)


def exit_code(results: Sequence[GateResult], trust: str) -> int:
    """4 for an INVALID run whatever the gates say; else 10 for a FAIL; else 11 for any that is no PASS; else 0."""
    verdicts = {result.verdict for result in results}
    if trust == INVALID:
        return 4
    if GateVerdict.FAIL in verdicts:
        return 10
    return 0 if verdicts <= {GateVerdict.PASS} else 11


def trust_of(summary: Mapping[str, Any]) -> str:
    """The trust verdict; a summary without one is not believed."""
    return str(summary.get("trust", {}).get("verdict", INVALID))


def of_client(result: GateResult, summary: Mapping[str, Any]) -> GateResult:
    """The result, undecided where the client's own lateness may have made it.

    A limit that is kept is kept all the more without it.
    """
    reasons = summary.get("trust", {}).get("client_late") or []
    limits = result.gate.comparison.wants_less != (result.gate.metric.name in (WITHIN, GOODPUT))
    kept = result.verdict is GateVerdict.PASS and limits
    if not reasons or kept or result.verdict is GateVerdict.NO_DATA or result.gate.metric.name not in _FROM_DUE:
        return result
    if result.verdict is GateVerdict.FAIL and _fails_without_lateness(result.gate, summary):
        return result
    return replace(
        result,
        verdict=GateVerdict.INCONCLUSIVE,
        sentence=sentence.of_client(result, list(reasons)),
        needed_requests=None,
        settled=True,
    )


def _of_machine(result: GateResult, summary: Mapping[str, Any], baseline: Reference | None) -> GateResult:
    """The result, undecided where an absolute time would be held against that of another machine.

    A difference between variants of one run (overhead) and a share are judged: the machine is in both sides.
    """
    metric = result.gate.metric
    absolute = metric.kind in (Kind.TIME, Kind.THROUGHPUT) and metric.name not in OVERHEADS
    if baseline is None or not (absolute and result.gate.bound.on_baseline) or result.verdict is GateVerdict.NO_DATA:
        return result
    why = baseline.elsewhere(summary.get("machine", {}))
    if not why:
        return result
    return replace(
        result,
        verdict=GateVerdict.INCONCLUSIVE,
        sentence=sentence.of_machine(result, why),
        needed_requests=None,
        settled=True,
    )


def _fails_without_lateness(gate: Gate, summary: Mapping[str, Any]) -> bool:
    """A response time is never shorter than its service time, which no lateness of the client is in."""
    within = _WITHOUT_LATENESS.get(gate.metric.name)
    if within is None or not gate.comparison.wants_less or gate.bound.on_baseline:
        return False
    return judge(replace(gate, metric=METRICS[within]), summary).verdict is GateVerdict.FAIL


def _of_variant(gate: Gate, variant: str, figure: Figure, baseline: Reference | None) -> GateResult:
    reference = _reference(gate, variant, baseline)
    name = baseline.name if baseline and gate.bound.on_baseline else ""
    undecided = GateResult(
        gate=gate,
        verdict=GateVerdict.NO_DATA,
        sentence="",
        variant=variant,
        measured=figure.value,
        above=figure.above,
        settled=figure.above is not None,
        hangs_together_s=figure.hangs_together_s,
    )
    if not figure.can_be_judged and figure.above is None:
        return replace(
            undecided,
            sentence=sentence.no_data(gate, variant, figure),
            needed_requests=figure.more_needed or None,
        )
    if gate.bound.on_baseline and not reference.can_be_judged:
        return replace(undecided, sentence=sentence.no_baseline(gate, variant, name))
    if figure.above is not None:
        return _from_below(undecided, figure, reference, name)
    standing = stand(figure, gate, reference)
    verdict = _verdict(standing)
    waits = verdict is GateVerdict.INCONCLUSIVE and not standing.one_run
    result = replace(
        undecided,
        verdict=verdict,
        interval=standing.interval,
        threshold=standing.threshold,
        needed_requests=(more_requests(figure, gate, standing) or figure.more_needed or None) if waits else None,
        settled=standing.beyond and standing.one_run,
    )
    return replace(result, sentence=sentence.with_figure(result, figure, baseline=name, reference=reference))


def _reference(gate: Gate, variant: str, baseline: Reference | None) -> Figure:
    if baseline is None or not gate.bound.on_baseline:
        return NOTHING
    # older callers know one summary only
    return of_runs(gate, getattr(baseline, "summaries", None) or (baseline.summary,), variant)


def _from_below(undecided: GateResult, figure: Figure, reference: Figure, baseline: str) -> GateResult:
    """The verdict on a time of which the least is known."""
    gate, above = undecided.gate, figure.above or 0.0
    low, high = figure.interval or (above, above)
    standing = stand(replace(figure, value=above, interval=(low, above), above=None), gate, reference)
    verdict = GateVerdict.NO_DATA
    if gate.comparison.wants_less and standing.beyond:
        verdict = _verdict(standing)
    elif not gate.comparison.wants_less and not standing.beyond and gate.comparison.holds(low, standing.threshold):
        verdict = GateVerdict.PASS
    result = replace(undecided, verdict=verdict, interval=(low, high), threshold=standing.threshold)
    return replace(result, sentence=sentence.from_below(result, baseline=baseline))


def _verdict(standing: Standing) -> GateVerdict:
    if standing.surely and not standing.one_run:
        return GateVerdict.FAIL
    return GateVerdict.INCONCLUSIVE if standing.beyond else GateVerdict.PASS


def _badness(result: GateResult) -> tuple[int, float]:
    """Sorts the worst verdict first, and among equal ones the figure that is furthest beyond, or nearest to it."""
    value = result.above if result.measured is None else result.measured
    if value is None or result.threshold is None:
        return _WORST_FIRST.index(result.verdict), 0.0
    return _WORST_FIRST.index(result.verdict), -excess(result.gate, value, result.threshold)


def _distrusted(result: GateResult, summary: Mapping[str, Any]) -> GateResult:
    """In an INVALID run a gate neither passes nor fails: there is nothing to believe."""
    if trust_of(summary) != INVALID or result.verdict is GateVerdict.NO_DATA:
        return result
    reasons = list(summary.get("trust", {}).get("reasons", []))
    return replace(
        result,
        verdict=GateVerdict.INCONCLUSIVE,
        sentence=sentence.distrusted(result, reasons),
        needed_requests=None,
    )
