"""When requests are due: a seeded schedule as arithmetic. Pure; knows no clock and no user.

Every worker computes the same schedule and takes each `workers`-th arrival of it, so a split run is the same schedule
as a single one.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from bench.plan.run_plan import RunPlan, Stage


class Arrival(NamedTuple):
    """One request that is due: `due_ns` after the run's start, `number` in the whole run, which `variant`."""

    due_ns: int
    number: int
    variant: int


def stages_of(plan: RunPlan) -> tuple[Stage, ...]:
    """The plan's rate over time; a plain `arrival_rate` is one stage over warm-up and duration."""
    if plan.stages:
        return plan.stages
    if plan.arrival_rate is None:
        return ()
    duration_s = math.inf if plan.duration_s is None else plan.warm_up_s + plan.duration_s
    return (Stage(duration_s=duration_s, start_rate=plan.arrival_rate, end_rate=plan.arrival_rate),)


def due_times_ns(stages: Sequence[Stage], *, arrivals: str, seed: int) -> Iterator[int]:
    """Due times in order, in ns since the run's start.

    The k-th arrival is due when the integral of the rate reaches k (constant) or the sum of k unit
    exponentials (Poisson: the time-rescaling theorem, so ramps keep their shape).
    """
    rng = random.Random(f"arrivals-{seed}")  # noqa: S311 - reproducible, not secret
    target = 0.0 if arrivals == "constant" else rng.expovariate(1.0)
    passed = 0.0  # expected arrivals before this stage
    started_s = 0.0
    for stage in stages:
        slope = 0.0 if math.isinf(stage.duration_s) else (stage.end_rate - stage.start_rate) / stage.duration_s
        held = stage.duration_s * (stage.start_rate + stage.end_rate) / 2
        # the last arrival of a constant stage must not fall out or in by rounding
        while target - passed < held - 1e-9:
            wanted = max(target - passed, 0.0)
            yield round((started_s + _time_of(wanted, rate=stage.start_rate, slope=slope)) * 1e9)
            target += 1.0 if arrivals == "constant" else rng.expovariate(1.0)
        passed += held
        started_s += stage.duration_s


def _time_of(wanted: float, *, rate: float, slope: float) -> float:
    """The t at which rate*t + slope*t*t/2 = wanted, in the form that does not cancel for small slopes."""
    if slope == 0.0:
        return wanted / rate
    root = math.sqrt(max(rate * rate + 2.0 * slope * wanted, 0.0))
    return 2.0 * wanted / (rate + root) if rate + root > 0 else 0.0


def variant_order(variants: int, *, seed: str) -> Iterator[int]:
    """Variant indices in blocks that hold each variant once, in random order, so that drift hits all alike."""
    if variants == 1:
        while True:
            yield 0
    rng = random.Random(f"variants-{seed}")  # noqa: S311 - reproducible, not secret
    block = list(range(variants))
    while True:
        rng.shuffle(block)
        yield from block


def body_order(bodies: int, *, seed: str) -> Iterator[int]:
    """Body indices in rounds that hold each body once, each round in another order.

    A round is a walk with a random stride that is coprime to the number of bodies: no list of 100,000 is ever shuffled
    while requests are due. What lies in the file side by side is shuffled when it is read.
    """
    rng = random.Random(f"bodies-{seed}")  # noqa: S311 - reproducible, not secret
    while True:
        stride = rng.randrange(bodies)
        while math.gcd(stride, bodies) != 1:
            stride = rng.randrange(bodies)
        at = rng.randrange(bodies)
        for _ in range(bodies):
            yield at
            at = (at + stride) % bodies


def schedule(
    plan: RunPlan,
    *,
    worker: int = 0,
    workers: int = 1,
    variant: int | None = None,
    dues_ns: Iterable[int] | None = None,
) -> Iterator[Arrival]:
    """The arrivals that `worker` of `workers` has to send, in the order they are due; a late one has none.

    With `variant`, only those of that one. `dues_ns` are a trace's due times, in order, instead of the plan's rate.
    """
    if worker >= workers:
        return
    if dues_ns is None:
        dues_ns = due_times_ns(stages_of(plan), arrivals=plan.arrivals, seed=plan.seed)
    order = variant_order(len(plan.variants), seed=str(plan.seed))
    for number, (due_ns, one) in enumerate(zip(dues_ns, order, strict=False)):
        if number % workers == worker and (variant is None or variant == one):
            yield Arrival(due_ns, number, one)


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
