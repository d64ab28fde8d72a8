"""A gate's verdict, and how its numbers are printed. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from bench import numbers
from bench.gates.gate import Gate
from bench.metrics import Kind
from bench.plain_text import printable


class GateVerdict(StrEnum):
    """What a gate says of a run; only PASS lets it through."""

    PASS = "PASS"  # noqa: S105 - a verdict, not a password
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    NO_DATA = "NO_DATA"


UNIT_SHOWN = {Kind.TIME: " ms", Kind.RATE: " %", Kind.COUNT: "", Kind.THROUGHPUT: "/s"}


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """The verdict of one gate, decided by its worst `variant` (empty where the gate is of the whole run).

    `measured`, `interval` and `threshold` are in the summary's units (ms, a share of 1, a number, 1/s).
    `interval` is what was held against the threshold: against a baseline it includes the baseline's own
    uncertainty. It is None for what is counted and not estimated. `needed_requests` is how many more
    requests of that variant would decide an INCONCLUSIVE gate, None where more would not help. `above` stands in the
    place of `measured` where requests got no answer: the least the figure can be. `settled`: no more load decides it.
    `hangs_together_s`: for how long the figure does, where the run is too short for it.
    """

    gate: Gate
    verdict: GateVerdict
    sentence: str
    variant: str = ""
    measured: float | None = None
    interval: tuple[float, float] | None = None
    threshold: float | None = None
    needed_requests: int | None = None
    above: float | None = None
    settled: bool = False
    hangs_together_s: float = 0.0

    @property
    def shown(self) -> str:
        """The figure as it is printed: `241.3 ms`, `> 1,001 ms`, or nothing."""
        kind = self.gate.metric.kind
        if self.above is not None:
            return f"> {show(kind, self.above)}"
        return "" if self.measured is None else show(kind, self.measured)

    @property
    def label(self) -> str:
        """What to call the gate: the name its settings file gives it, or its expression."""
        return printable(self.gate.name) or str(self.gate)


def show(kind: Kind, value: float) -> str:
    """One number with its unit: `241.3 ms`, `0.12 %`, `451.2/s`, `1,204`."""
    match kind:
        case Kind.TIME:
            return f"{numbers.short_milliseconds(value)} ms"
        case Kind.RATE:
            return numbers.percent(value)
        case Kind.COUNT:
            return numbers.count(value)
        case Kind.THROUGHPUT:
            return numbers.rate(value)


def show_interval(kind: Kind, interval: tuple[float, float]) -> str:
    """`[238.9, 244] ms`."""
    unit = UNIT_SHOWN[kind]
    low, high = (show(kind, limit).removesuffix(unit) if math.isfinite(limit) else "no limit" for limit in interval)
    return f"[{low}, {high}]{unit}"
