"""Judges a summary by gates. Pure.

A gate FAILs only when its whole interval is beyond the threshold. When the figure is beyond and the interval
straddles, it is INCONCLUSIVE and says about how many more requests would tell. When the figure is within, it
PASSes, also where the interval straddles: a gate that asks for proof of health would flap on every short run.
Counts are compared as they are. Without data there is NO_DATA, and a run that cannot be believed passes nothing.
Why so, and what was rejected: docs/decisions/050.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from bench.gates import sentence
from bench.gates.gate import Gate
from bench.gates.measure import NOTHING, Figure, find, judged_variants
from bench.gates.result import GateResult, GateVerdict
from bench.gates.uncertainty import Standing, excess, more_requests, stand, widened

INVALID = "INVALID"

_WORST_FIRST = (GateVerdict.FAIL, GateVerdict.NO_DATA, GateVerdict.INCONCLUSIVE, GateVerdict.PASS)


class Reference(Protocol):
    """What a gate on `baseline` needs of one: `baseline.Baseline` is it."""

    @property
    def name(self) -> str: ...
    @property
    def summary(self) -> Mapping[str, Any]: ...


def evaluate(
    gates: Iterable[Gate], summary: Mapping[str, Any], baseline: Reference | None = None
) -> tuple[GateResult, ...]:
    """One result a gate, in their order; each is that of the variant which does worst.

    `summary` is that of `analysis.summary.summarise`, of a whole run or of a part of one.
    """
    return tuple(_distrusted(judge(gate, summary, baseline), summary) for gate in gates)


def judge(
    gate: Gate, summary: Mapping[str, Any], baseline: Reference | None = None, *, doubt: float = 1.0
) -> GateResult:
    """The result of the worst variant, whatever the run's trust. `doubt` widens every interval so many times."""
    results = []
    for variant in judged_variants(gate, summary):
        figure = widened(find(gate, summary, variant), doubt)
        results.append(_of_variant(gate, variant, figure, baseline))
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


def _of_variant(gate: Gate, variant: str, figure: Figure, baseline: Reference | None) -> GateResult:
    reference = find(gate, baseline.summary, variant) if baseline and gate.bound.on_baseline else NOTHING
    name = baseline.name if baseline and gate.bound.on_baseline else ""
    undecided = GateResult(gate=gate, verdict=GateVerdict.NO_DATA, sentence="", variant=variant, measured=figure.value)
    if not figure.tells:
        return replace(
            undecided,
            sentence=sentence.no_data(gate, variant, figure),
            needed_requests=figure.more_needed or None,
        )
    if gate.bound.on_baseline and not reference.tells:
        return replace(undecided, sentence=sentence.no_baseline(gate, variant, name))
    standing = stand(figure, gate, reference)
    verdict = _verdict(standing)
    result = replace(
        undecided,
        verdict=verdict,
        interval=standing.interval,
        threshold=standing.threshold,
        needed_requests=more_requests(figure, gate, standing) if verdict is GateVerdict.INCONCLUSIVE else None,
    )
    return replace(result, sentence=sentence.told(result, baseline=name, reference=reference))


def _verdict(standing: Standing) -> GateVerdict:
    if standing.surely:
        return GateVerdict.FAIL
    return GateVerdict.INCONCLUSIVE if standing.beyond else GateVerdict.PASS


def _badness(result: GateResult) -> tuple[int, float]:
    """Sorts the worst verdict first, and among equal ones the figure that is furthest beyond, or nearest to it."""
    if result.measured is None or result.threshold is None:
        return _WORST_FIRST.index(result.verdict), 0.0
    return _WORST_FIRST.index(result.verdict), -excess(result.gate, result.measured, result.threshold)


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
