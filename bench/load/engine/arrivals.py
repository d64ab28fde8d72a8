"""When requests are due: a seeded schedule as arithmetic. Pure; knows no clock and no user.

Every worker computes the same schedule and takes each `workers`-th arrival of it, so a split run is the same schedule
as a single one. Where the rate was changed by hand another schedule begins, with a seed of its own: nobody has to go
through what was due before to know what is due from then on.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from bench.plan.load_over_time import Stretch, stretches_of
from bench.plan.run_plan import RunPlan, Stage


class Arrival(NamedTuple):
    """One request that is due: `due_ns` after the run's start, `number` in the whole run, which `variant`."""

    due_ns: int
    number: int
    variant: int


def due_times_ns(stages: Sequence[Stage], *, arrivals: str, seed: int | str) -> Iterator[int]:
    """Due times in order, in ns since the start of the stages.

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
    splits: Sequence[tuple[int, int]] = (),
    after_ns: int = -1,
) -> Iterator[Arrival]:
    """The arrivals that `worker` of `workers` has to send, in the order they are due; a late one has none.

    With `variant`, only those of that one. `dues_ns` are a trace's due times, in order, instead of the plan's rate.
    `splits` are (offset, step) pairs that are applied to each stretch of the load, one after the other. A stretch in
    which nothing is due later than `after_ns` is left out; of the others nothing is.
    """
    if worker >= workers:
        return
    first = 0
    for stretch in stretches_of(plan):
        if stretch.until_ns is None or stretch.until_ns > after_ns:
            arrivals = _of_stretch(stretch, plan, first, worker, workers, variant, dues_ns)
            for offset, step in splits:
                arrivals = islice(arrivals, offset, None, step)
            yield from arrivals
        first += stretch.expected


def _of_stretch(
    stretch: Stretch,
    plan: RunPlan,
    first: int,
    worker: int,
    workers: int,
    variant: int | None,
    dues_ns: Iterable[int] | None,
) -> Iterator[Arrival]:
    """Those of one worker; `first` is the number of the stretch's first. Hot: all of them are looked at here."""
    seed = f"{plan.seed}-{stretch.number}" if stretch.number else str(plan.seed)
    if dues_ns is None:
        dues_ns = due_times_ns(stretch.stages, arrivals=plan.arrivals, seed=seed)
    order = variant_order(len(plan.variants), seed=seed)
    for number, (due_ns, one) in enumerate(zip(dues_ns, order, strict=False)):
        if number % workers == worker and (variant is None or variant == one):
            yield Arrival(stretch.from_ns + due_ns, first + number, one)
