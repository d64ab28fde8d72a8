"""The nouns of this room: a gate, its comparison, its bound; and whether a run can be judged by it. Pure.

`expression` writes gates from text, `evaluate` judges a summary by them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from bench.errors import UsageError
from bench.metrics import ACHIEVED_RATE, CLASS, OVERHEADS, UNITS, Kind, Metric


class Comparison(StrEnum):
    """How the measured figure must stand to the threshold."""

    BELOW = "<"
    AT_MOST = "<="
    ABOVE = ">"
    AT_LEAST = ">="
    EQUAL = "=="

    def holds(self, measured: float, threshold: float) -> bool:
        match self:
            case Comparison.BELOW:
                return measured < threshold
            case Comparison.AT_MOST:
                return measured <= threshold
            case Comparison.ABOVE:
                return measured > threshold
            case Comparison.AT_LEAST:
                return measured >= threshold
            case Comparison.EQUAL:
                return measured == threshold

    @property
    def wants_less(self) -> bool:
        return self in (Comparison.BELOW, Comparison.AT_MOST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """The right side of a gate: a number with its unit, alone or added to the baseline's figure."""

    number: Decimal
    unit: str = ""
    on_baseline: bool = False

    def line(self, kind: Kind) -> tuple[Fraction, Fraction]:
        """(factor, offset) of threshold = factor x baseline + offset, in the summary's units; factor 0 alone."""
        number = Fraction(self.number)
        if self.on_baseline and self.unit == "%" and kind is not Kind.RATE:
            return 1 + number * Fraction(1, 100), Fraction(0)
        return Fraction(int(self.on_baseline)), number * UNITS[kind].get(self.unit, Fraction(1))

    def __str__(self) -> str:
        amount = f"{abs(self.number):f}{self.unit}"
        if not self.on_baseline:
            return amount
        return f"baseline {'-' if self.number < 0 else '+'} {amount}" if self.number else "baseline"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One rule a run must keep. `str(gate)` is its expression, and parses to an equal gate.

    `quantile` is empty for what is not a time, `variant` is empty for each variant, `request_class` is None for all
    requests; `name` is only a label. `deadline` is that of `within(...)`, None elsewhere. `where` narrows an error rate
    to pairs such as ("cause", "no_lease").
    """

    metric: Metric
    quantile: str = ""
    variant: str = ""
    request_class: str | None = None
    where: tuple[tuple[str, str], ...] = ()
    comparison: Comparison
    bound: Bound
    deadline: Bound | None = None
    name: str = field(default="", compare=False)

    @property
    def deadline_ms(self) -> float | None:
        """The deadline of `within(...)`."""
        return None if self.deadline is None else float(self.deadline.line(Kind.TIME)[1])

    def __str__(self) -> str:
        deadline = f"({self.deadline})" if self.deadline else ""
        quantile = f".{self.quantile}" if self.quantile else ""
        return f"{self.metric.name}{deadline}{quantile}{self.labels} {self.comparison} {self.bound}"

    @property
    def labels(self) -> str:
        """`{variant=key, cause=no_lease}`, or nothing."""
        return _in_braces([*([("variant", self.variant)] if self.variant else ()), *self.narrowed])

    @property
    def narrowing(self) -> str:
        """The same without the variant."""
        return _in_braces(self.narrowed)

    @property
    def narrowed(self) -> tuple[tuple[str, str], ...]:
        """What narrows the requests of a variant."""
        return (*(() if self.request_class is None else ((CLASS, self.request_class),)), *self.where)


NAME = r"[A-Za-z0-9_][A-Za-z0-9_.#-]*"
"""A label's value that needs no quotes."""


def _in_braces(pairs: Sequence[tuple[str, str]]) -> str:
    return f"{{{', '.join(f'{label}={_quoted(value)}' for label, value in pairs)}}}" if pairs else ""


def _quoted(value: str) -> str:
    return value if re.fullmatch(NAME, value) else f'"{value}"'


def check(
    gates: Iterable[Gate],
    *,
    variants: tuple[str, ...],
    open_model: bool,
    has_baseline: bool,
    classes: tuple[str, ...] | None = None,
    where: str = "--gate",
) -> None:
    """UsageError when a gate asks for what this run cannot have: a variant, a class, a second side, a rate, a baseline.

    `classes` are those of the request file; None where they are not known before the run.
    """
    for gate in gates:
        if gate.variant and gate.variant not in variants:
            problem = f"this run has no variant {gate.variant!r}"
            hint = f"variants: {', '.join(variants)}"
        elif classes is not None and gate.request_class is not None and gate.request_class not in classes:
            problem = f"this run has no class {gate.request_class!r} of requests"
            named = ", ".join(one for one in classes if one)
            hint = f"classes: {named}" if named else "classes come from --requests FILE, or from tasks' names"
        elif gate.metric.name in OVERHEADS and len(variants) < 2:
            problem, hint = f"overhead compares two variants, this run has {len(variants)}", "use `bench compare`"
        elif gate.metric.name == ACHIEVED_RATE and not open_model:
            problem, hint = "achieved_rate needs a rate that was asked for", "give --arrival-rate or --stages"
        elif gate.bound.on_baseline and not has_baseline:
            problem = "there is no baseline to compare with"
            hint = "make one with `bench baseline save RUN --as main`"
        else:
            continue
        raise UsageError(f"{where} {str(gate)!r}: {problem}", hint=hint)
