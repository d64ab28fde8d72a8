"""A plan's load over time: its rate in stages, and the stretches that have a schedule of their own. Pure."""

from __future__ import annotations

import math
from typing import NamedTuple

from bench.plan.run_plan import RunPlan, Stage


class Stretch(NamedTuple):
    """A part of an open model's load that is scheduled by itself, up to `until_ns` of the run; None: without an end.

    `number` is 0 for the plan's own, and counts on with each change of its rate. About `expected` arrivals are due.
    """

    number: int
    from_ns: int
    until_ns: int | None
    stages: tuple[Stage, ...]

    @property
    def expected(self) -> int:
        held = math.fsum(stage.duration_s * (stage.start_rate + stage.end_rate) / 2 for stage in self.stages)
        return 0 if math.isinf(held) else math.ceil(held - 1e-9)


def stretches_of(plan: RunPlan) -> tuple[Stretch, ...]:
    """The plan's own stages or rate, then one for each other rate that it was given; none in the closed model."""
    if plan.stages:
        return (Stretch(0, 0, None, plan.stages),)
    if plan.arrival_rate is None:
        return ()
    rates = [(0, plan.arrival_rate)]
    for change in plan.changes:
        if change.arrival_rate is not None and change.arrival_rate != rates[-1][1]:
            rates.append((change.from_ns, change.arrival_rate))
    end_ns = end_ns_of(plan)
    ends_ns = [*(from_ns for from_ns, _ in rates[1:]), end_ns]
    stretches = []
    for number, ((from_ns, rate), until_ns) in enumerate(zip(rates, ends_ns, strict=True)):
        duration_s = math.inf if until_ns is None else (until_ns - from_ns) / 1e9
        stage = Stage(duration_s=duration_s, start_rate=rate, end_rate=rate)
        stretches.append(Stretch(number, from_ns, until_ns, (stage,)))
    return tuple(stretches)


def stages_of(plan: RunPlan) -> tuple[Stage, ...]:
    """The plan's rate over time, one after the other; a plain `arrival_rate` is one stage over warm-up and duration."""
    return tuple(stage for stretch in stretches_of(plan) for stage in stretch.stages)


def end_ns_of(plan: RunPlan) -> int | None:
    """When nothing is due any more, in ns of the run; None for a run without an end."""
    return None if plan.duration_s is None else round((plan.warm_up_s + plan.duration_s) * 1e9)


def asked_rate(plan: RunPlan, *, from_s: float, to_s: float) -> float:
    """Mean rate (1/s) that the plan asks for between two times; 0 in the closed model."""
    expected, started_s = 0.0, 0.0
    for stage in stages_of(plan):
        low, high = max(from_s, started_s), min(to_s, started_s + stage.duration_s)
        if high > low:
            slope = 0.0 if math.isinf(stage.duration_s) else (stage.end_rate - stage.start_rate) / stage.duration_s
            middle_rate = stage.start_rate + slope * ((low + high) / 2 - started_s)
            expected += (high - low) * middle_rate
        started_s += stage.duration_s
    return expected / (to_s - from_s) if to_s > from_s else 0.0
