"""A gate's verdict, and how its numbers are printed. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from bench.gates.gate import Gate
from bench.gates.metrics import Kind


class GateVerdict(StrEnum):
    """What a gate says of a run; only PASS lets it through."""

    PASS = "PASS"  # noqa: S105 - a verdict, not a password
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    NO_DATA = "NO_DATA"


_UNIT = {Kind.TIME: " ms", Kind.RATE: "%", Kind.COUNT: "", Kind.THROUGHPUT: "/s"}


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """The verdict of one gate, decided by its worst `variant` (empty where the gate is of the whole run).

    `measured`, `interval` and `threshold` are in the summary's units (ms, a share of 1, a number, 1/s).
    `interval` is what was held against the threshold: against a baseline it includes the baseline's own
    uncertainty. It is None for what is counted and not estimated. `needed_requests` is how many more
    requests of that variant would decide an INCONCLUSIVE gate, None where more would not help. `above` stands in the
    place of `measured` where requests got no answer: the least the figure can be. `settled`: no more load decides it.
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
        return self.gate.name or str(self.gate)


def show(kind: Kind, value: float) -> str:
    """One number with its unit, to four digits that matter: `241.3 ms`, `0.12%`, `451/s`, `1,204`."""
    return f"{_number(kind, value)}{_UNIT[kind]}"


def show_interval(kind: Kind, interval: tuple[float, float]) -> str:
    """`[238.9, 244] ms`."""
    low, high = (_number(kind, limit) if math.isfinite(limit) else "no limit" for limit in interval)
    return f"[{low}, {high}]{_UNIT[kind]}"


def _number(kind: Kind, value: float) -> str:
    return _digits(value * 100 if kind is Kind.RATE else value)


def _digits(value: float) -> str:
    """At most four significant digits, never an exponent: 12,345 · 241.3 · 0.3127 · 0.00042."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    rounded = float(f"{value:.4g}")
    decimals = max(0, 3 - _exponent(rounded))
    text = f"{rounded:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _exponent(value: float) -> int:
    return int(f"{value:e}".split("e")[1])
