"""What a lost worker leaves: its loss is named, and what it had not begun is dealt to the others. Edge: members."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from bench.load.roles.commands import Share, TakeOver
from bench.load.roles.losses import Loss, begun_by
from bench.load.roles.member import Member
from bench.plan.run_plan import RunPlan
from bench.sample import WorkloadModel


def give_up(
    lost: Member, others: Sequence[Member], *, plan: RunPlan, at_ns: int, why: str, by_system: bool
) -> tuple[tuple[str, TakeOver], ...]:
    """Note the loss of `lost`, seen at `at_ns` (the run's time); the messages that deal its rest, each with its node.

    `by_system`: the system has just said that its process is gone.
    """
    is_open = plan.model is WorkloadModel.OPEN
    end_ns = None if plan.duration_s is None else round((plan.warm_up_s + plan.duration_s) * 1e9)
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


def _dealt(shares: Sequence[Share], others: Sequence[Member]) -> Iterator[tuple[str, TakeOver]]:
    for number, other in enumerate(others):
        split = (number, len(others))
        yield (
            other.node,
            other.take_over(tuple(msgspec.structs.replace(share, splits=(*share.splits, split)) for share in shares)),
        )
