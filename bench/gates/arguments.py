"""The gates of a command: their arguments, and their check before anything is sent."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from bench.errors import UsageError
from bench.gates import baseline as baselines
from bench.gates import gate
from bench.gates.baseline import Baseline
from bench.gates.gate import Gate
from bench.gates.settings import find_gates
from bench.plan.options import BASELINE_MAY_DIFFER
from bench.plan.request_plan import listed
from bench.plan.run_plan import RunPlan
from bench.sample import WorkloadModel


@dataclass(frozen=True, slots=True)
class Gates:
    """What a run is judged by, as it was asked for: gates, where they were found, a baseline if one was named."""

    gates: tuple[Gate, ...] = ()
    where: str = ""
    baseline: Baseline | None = None

    @property
    def of_classes(self) -> bool:
        """Whether any is of one class of requests."""
        return any(each.request_class is not None for each in self.gates)

    @property
    def deadlines_ms(self) -> tuple[float, ...]:
        """Those of `within(...)`: what a summary must count for these gates."""
        return tuple(each.deadline_ms for each in self.gates if each.deadline_ms is not None)


def add_gate_argument(group: Any) -> None:
    """`--gate`; its other sources are the settings files' own table."""
    group.add_argument(
        "--gate",
        metavar="EXPR",
        action="append",
        default=[],
        help="rule the run must keep, such as 'response_time.p99 < 250ms' (repeatable; else bench.toml or pyproject)",
    )


def read_gates(arguments: argparse.Namespace) -> Gates:
    """The gates and the baseline that count. UsageError for any that cannot be read, before anything is sent."""
    gates, where = find_gates(arguments.gate, arguments.settings)
    if not arguments.baseline:
        return Gates(gates, where)
    found = baselines.load(arguments.baseline)
    return Gates(gates, where, replace(found, allows=_allowed(arguments.baseline_allows)))


def _allowed(text: str) -> tuple[str, ...]:
    words = listed(text)
    for word in words:
        if word not in BASELINE_MAY_DIFFER:
            raise UsageError(
                f"--baseline-allows: {word!r} must not differ", hint=f"one of {', '.join(BASELINE_MAY_DIFFER)}"
            )
    return words


def check_gates(
    gates: Gates, plan: RunPlan, variants: Sequence[str], *, classes: tuple[str, ...] | None = None
) -> None:
    """UsageError when a gate asks for what such a run cannot have, or the baseline is of another load.

    `classes` of requests are those it will have, None where nobody knows before.
    """
    gate.check(
        gates.gates,
        variants=tuple(variants),
        open_model=plan.model is WorkloadModel.OPEN or bool(plan.request.requests),
        has_baseline=gates.baseline is not None,
        classes=classes,
        where=gates.where or "--gate",
    )
    if gates.baseline is not None:
        baselines.refuse_plan(gates.baseline, plan)
