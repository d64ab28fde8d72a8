"""`--until 'overhead.p50 +- 0.1ms'`: how narrow a set's interval must be before it ends. Pure.

Looking after every run and ending at the first narrow interval favours runs that happen to lie close together. So at
least five runs are made, and the interval that must be that narrow is 1.2 times as wide as it would be for one look: a
set that ends so misses the truth in at most 5 of 100 (docs/decisions/statistics.md).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.errors import UsageError
from bench.gates.expression import parse
from bench.gates.gate import Gate
from bench.gates.measure import find, judged_variants
from bench.gates.result import show
from bench.metrics import ACHIEVED_RATE, Kind

LEAST_RUNS = 5
WIDER = 1.2
_EXAMPLE = "write 'overhead.p50 +- 0.1ms'"


@dataclass(frozen=True, slots=True)
class Precision:
    """What must be known how well; `gate` is the metric with half the width as its bound."""

    text: str
    gate: Gate

    def half_width(self, summary: Mapping[str, Any]) -> float:
        """The widest half over the variants, for many looks; infinite where one has no interval."""
        halves = []
        for variant in judged_variants(self.gate, summary):
            interval = find(self.gate, summary, variant).interval
            halves.append(math.inf if interval is None else WIDER * (interval[1] - interval[0]) / 2)
        return max(halves, default=math.inf)

    def reached(self, summary: Mapping[str, Any], *, runs: int) -> bool:
        """Whether `runs` that count are enough."""
        return runs >= LEAST_RUNS and self.half_width(summary) <= self._bound

    def sentence(self, summary: Mapping[str, Any], *, runs: int) -> str:
        """What is known how well so far."""
        half, kind = self.half_width(summary), self.gate.metric.kind
        known = f"+- {show(kind, half)} after {runs} runs" if math.isfinite(half) else f"not known after {runs} runs"
        return f"{self.text}: {'reached, ' if self.reached(summary, runs=runs) else 'not reached, '}{known}"

    @property
    def _bound(self) -> float:
        return float(self.gate.bound.line(self.gate.metric.kind)[1])


def parse_precision(text: str) -> Precision:
    """UsageError for what is no metric with an interval, or no width."""
    figure, sign, width = text.replace("±", "+-").partition("+-")
    if not sign:
        raise UsageError(f"--until {text!r}: a width is missing", hint=_EXAMPLE)
    try:
        gate = parse(f"{figure.strip()} <= {width.strip()}", where="--until")
    except UsageError as exc:
        raise UsageError(f"--until {text!r}: {exc.message.partition(': ')[2] or exc.message}", hint=exc.hint) from exc
    if gate.bound.on_baseline or not gate.bound.number:
        raise UsageError(f"--until {text!r}: the width must be above 0", hint=_EXAMPLE)
    if gate.quantile == "max" or gate.metric.kind is Kind.COUNT or gate.metric.name == ACHIEVED_RATE:
        raise UsageError(f"--until {text!r}: {gate.metric.name} has no interval", hint=_EXAMPLE)
    return Precision(text=" ".join(text.split()), gate=gate)
