"""What a lost worker leaves: its loss is named, what it had not begun is dealt to the others and worked out by them.

Edge: what the master knows of its workers; the hub, which gets its turn.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from itertools import chain, dropwhile

import gevent
import msgspec

from bench.load.engine.arrivals import Arrival, schedule
from bench.load.roles.commands import Share, TakeOver
from bench.load.roles.losses import Loss, begun_by
from bench.load.roles.member import Member
from bench.plan.load_over_time import end_ns_of
from bench.plan.run_plan import RunPlan
from bench.sample import WorkloadModel

_SKIPPED_AT_ONCE = 500


def give_up(
    lost: Member, others: Sequence[Member], *, plan: RunPlan, at_ns: int, why: str, by_system: bool
) -> tuple[tuple[str, TakeOver], ...]:
    """Note the loss of `lost`, seen at `at_ns` (the run's time); the messages that deal its rest, each with its node.

    `by_system`: the system has just said that its process is gone.
    """
    is_open = plan.model is WorkloadModel.OPEN
    end_ns = end_ns_of(plan)
    alive_ns = lost.alive_until(at_ns, by_system=by_system)
    begun = begun_by(plan, lost.part, alive_ns if end_ns is None else min(alive_ns, end_ns))
    lost.given_up_ns = alive_ns
    lost.may_have_begun = max(begun, lost.begun) if is_open and lost.part.has_share else lost.begun
    shares = lost.shares_after(alive_ns)
    lost.loss = Loss(
        worker=lost.name,
        at_ns=at_ns,
        why=why,
        samples=max(lost.may_have_begun - lost.kept, 0),
        taken_over=is_open and (bool(others) or not shares),
    )
    return tuple(_dealt(shares, others)) if is_open and shares else ()


def arrivals_of(share: Share, plan: RunPlan, *, workers: int, dues_ns: Sequence[int] | None) -> Iterator[Arrival]:
    """The arrivals of a share, of a run that was dealt to so many workers. Returns once the first is known."""
    return _after(share.from_ns, _of_share(share, plan, workers=workers, dues_ns=dues_ns))


def arrivals_from(
    from_ns: int, shares: Iterable[Share], plan: RunPlan, *, workers: int, dues_ns: Sequence[int] | None
) -> Iterator[Arrival]:
    """The arrivals of all these shares that are due then or later, where a stretch of the load begins about then: what
    is passed over is little, and the hub waits."""
    late = [msgspec.structs.replace(share, from_ns=max(share.from_ns, from_ns - 1)) for share in shares]

    def later(share: Share) -> Iterator[Arrival]:
        return dropwhile(
            lambda arrival: arrival.due_ns <= share.from_ns, _of_share(share, plan, workers=workers, dues_ns=dues_ns)
        )

    return merge(*map(later, late))


def _of_share(share: Share, plan: RunPlan, *, workers: int, dues_ns: Sequence[int] | None) -> Iterator[Arrival]:
    """With some that are due before it begins."""
    return schedule(
        plan,
        worker=share.worker,
        workers=workers,
        dues_ns=dues_ns,
        splits=share.splits,
        after_ns=share.from_ns,
    )


def _dealt(shares: Sequence[Share], others: Sequence[Member]) -> Iterator[tuple[str, TakeOver]]:
    for number, other in enumerate(others):
        split = (number, len(others))
        yield (
            other.node,
            other.take_over(tuple(msgspec.structs.replace(share, splits=(*share.splits, split)) for share in shares)),
        )


def _after(from_ns: int, arrivals: Iterator[Arrival]) -> Iterator[Arrival]:
    """Those that are due later. There may be millions before them: the hub gets its turn in between."""
    for number, arrival in enumerate(arrivals):
        if arrival.due_ns > from_ns:
            return chain((arrival,), arrivals)
        if number % _SKIPPED_AT_ONCE == 0:
            gevent.sleep(0)
    return iter(())
