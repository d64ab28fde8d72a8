"""A person changes the load of a run that goes on: what may be changed, from when on, and how a report names it. Pure.

Another rate begins a new stretch of the schedule a moment later, when every worker has received it. Other users come
and go at once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from itertools import pairwise

from bench.errors import UsageError
from bench.numbers import plural
from bench.plan.load_over_time import end_ns_of
from bench.plan.options import LONGEST_S, MOST_PER_S, MOST_USERS
from bench.plan.run_plan import LoadChange, RunPlan

LEAD_NS = 500_000_000
"""From a person's word to another rate: the message reaches a worker of another host meanwhile."""
LEAST_APART_NS = 1_000_000_000
"""Between two rates, and from the last one to the run's end: a shorter stage has too few samples to show anything."""
MOST_CHANGES = 50
"""The report shows the figures of each."""


def load_at(plan: RunPlan) -> LoadChange:
    """The load as it was asked for last."""
    return plan.changes[-1] if plan.changes else _at_first(plan)


def changed(plan: RunPlan, *, arrival_rate: float | None, users: int, now_ns: int) -> RunPlan:
    """The plan of a run that is `now_ns` old and gets this load; the same one where that is what it has.

    UsageError names the field that cannot be changed, and why.
    """
    last = load_at(plan)
    if (last.arrival_rate, last.users) == (arrival_rate, users):
        return plan
    if len(plan.changes) >= MOST_CHANGES:
        raise UsageError(f"the load was changed {MOST_CHANGES} times in this run", hint="stop it, and start anew")
    if plan.warm_up_auto:
        raise UsageError("warm_up auto is for one load, which cannot be changed while the run goes on")
    from_ns = max(now_ns, last.from_ns)
    if last.arrival_rate != arrival_rate:
        from_ns = _another_rate_from(plan, last, arrival_rate, now_ns)
    change = LoadChange(from_ns=from_ns, arrival_rate=arrival_rate, users=users)
    return dataclasses.replace(plan, changes=(*plan.changes, change))


def _another_rate_from(plan: RunPlan, last: LoadChange, arrival_rate: float | None, now_ns: int) -> int:
    """When it begins. UsageError where the run has no rate that could be another, or no time left."""
    if plan.arrival_rate is None or arrival_rate is None:
        raise UsageError(f"arrival_rate cannot be changed in a run {_without_rate(plan)}", hint="stop it, start anew")
    from_ns = now_ns + LEAD_NS
    if plan.changes:
        from_ns = max(from_ns, last.from_ns + LEAST_APART_NS)
    end_ns = end_ns_of(plan)
    if end_ns is not None and from_ns + LEAST_APART_NS > end_ns:
        left_s = max(end_ns - now_ns, 0) / 1e9
        raise UsageError(f"arrival_rate cannot be changed any more: the run ends in {left_s:.1f} s")
    return from_ns


def _without_rate(plan: RunPlan) -> str:
    if plan.stages:
        return "whose rate follows its stages" if not plan.arrivals_from else "that replays recorded arrivals"
    return "without one, where users go back to back"


def are_possible(changes: Sequence[LoadChange]) -> bool:
    """Whether changes that were read, from a file or over a network, can be."""
    is_open = bool(changes) and changes[0].arrival_rate is not None
    in_order = all(before.from_ns <= change.from_ns for before, change in pairwise(changes))
    return (
        in_order
        and all(0 <= change.from_ns <= LONGEST_S * 1e9 and 0 < change.users <= MOST_USERS for change in changes)
        and all((change.arrival_rate is not None) == is_open for change in changes)
        and all(change.arrival_rate is None or 0 < change.arrival_rate <= MOST_PER_S for change in changes)
    )


def change_words(plan: RunPlan) -> str:
    """`changed by hand to 80/s from 12.3 s, 30 users from 40 s`; empty for a load that nobody has changed."""
    parts, last = [], _at_first(plan)
    for change in plan.changes:
        news = [f"{change.arrival_rate:,g}/s"] if change.arrival_rate not in (None, last.arrival_rate) else []
        news += [plural(change.users, "user")] if change.users != last.users else []
        parts.append(f"{' and '.join(news)} from {change.from_ns / 1e9:.1f} s")
        last = change
    return f"changed by hand to {', '.join(parts)}" if parts else ""


def load_name(change: LoadChange, *, with_users: bool) -> str:
    """`80/s`, `30 users`, `80/s, 30 users`."""
    rate = [] if change.arrival_rate is None else [f"{change.arrival_rate:,g}/s"]
    return ", ".join([*rate, plural(change.users, "user")] if with_users or not rate else rate)


def loads_of(plan: RunPlan) -> tuple[LoadChange, ...]:
    """The load as the run began, and each that it was changed to; none where nobody changed it."""
    return (_at_first(plan), *plan.changes) if plan.changes else ()


def _at_first(plan: RunPlan) -> LoadChange:
    return LoadChange(from_ns=0, arrival_rate=plan.arrival_rate, users=plan.users)
