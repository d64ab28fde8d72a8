"""A lost worker: what is dealt again, and to whom; what is lost; when a run is whole in spite of it."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise, takewhile
from types import SimpleNamespace

import pytest

from bench.endpoint import AuthMode
from bench.load.engine.arrivals import Arrival, schedule
from bench.load.roles.commands import Share
from bench.load.roles.dealing import arrivals_from, arrivals_of, give_up
from bench.load.roles.losses import Loss, are_bearable, begun_by, due_by
from bench.load.roles.member import Member
from bench.load.roles.membership import Membership
from bench.load.roles.messages import Progress, Ready
from bench.load.roles.part import Part
from bench.load.roles.processes import end_child, is_alive, is_child, process_space
from bench.plan.run_plan import LoadChange, RunPlan, Variant

PLAN = RunPlan(
    target="", variants=(Variant(name="key", auth_mode=AuthMode.KEY),), arrival_rate=100.0, duration_s=10.0, warm_up_s=0
)
CLOSED = RunPlan(target="", variants=PLAN.variants, duration_s=10.0)
SECOND = 1_000_000_000
_EDGES = (0, 3_500_000_001, 7_000_000_007, 10 * SECOND)


def arrivals(share: Share, workers: int) -> list[Arrival]:
    return list(arrivals_of(share, PLAN, workers=workers, dues_ns=None))


def member(index: int, workers: int = 4) -> Member:
    return Member(node=f"node{index}", part=Part(index=index, workers=workers), ready=Ready())


def deal(lost: Member, others: list[Member], at_ns: int) -> None:
    """A lost worker's shares; the system saw it die then."""
    give_up(lost, others, plan=PLAN, at_ns=at_ns, why="its process died", by_system=True)


class TestDealing:
    def test_nothing_is_sent_twice_or_never(self) -> None:
        """Three of four workers are lost one after the other, and each time all that was not begun is dealt again."""
        members = [member(index) for index in range(4)]
        left = members.copy()
        lost_at = {2: 2 * SECOND, 0: 5 * SECOND, 3: 7 * SECOND}
        sent: list[int] = []
        begins = {each.node: 0 for each in members}
        for index, from_ns in lost_at.items():
            gone = members[index]
            left.remove(gone)
            sent += [a.number for a in schedule(PLAN, worker=index, workers=4) if a.due_ns <= from_ns]
            sent += [a.number for share in gone.shares for a in arrivals(share, 4) if a.due_ns <= from_ns]
            deal(gone, left, from_ns)
            begins[gone.node] = from_ns
        (last,) = left
        sent += [a.number for a in schedule(PLAN, worker=last.part.index, workers=4)]
        sent += [a.number for share in last.shares for a in arrivals(share, 4)]
        assert sorted(sent) == list(range(1000))

    @pytest.mark.parametrize("spacing", ["constant", "poisson"])
    def test_nothing_is_sent_twice_or_never_where_the_rate_is_changed(self, spacing: str) -> None:
        """A worker is lost before each change and after it: all that the changed plan asks for is sent once."""
        plan = dataclasses.replace(PLAN, arrivals=spacing, seed=3)
        members = [member(index) for index in range(4)]
        left = members.copy()
        sending = {each.node: schedule(plan, worker=each.part.index, workers=4) for each in members}
        sent: list[Arrival] = []

        def go_on(until_ns: int) -> None:
            for each in left:
                due = list(takewhile(lambda arrival: arrival.due_ns < until_ns, sending[each.node]))
                sent.extend(due)

        def rest_of(each: Member, from_ns: int) -> Iterator[Arrival]:
            shares = (Share(worker=each.part.index, from_ns=-1), *each.shares)
            return arrivals_from(from_ns, shares, plan, workers=4, dues_ns=None)

        changes: tuple[LoadChange, ...] = ()
        for lose_ns, change_ns, rate in ((1_234_567_890, 3_500_000_001, 250.0), (4_400_000_003, 7_000_000_007, 20.0)):
            go_on(lose_ns)
            gone = left.pop(0)
            give_up(gone, left, plan=plan, at_ns=lose_ns - 1, why="its process died", by_system=True)
            for each in left:
                sending[each.node] = rest_of(each, lose_ns)
            go_on(change_ns)
            changes = (*changes, LoadChange(from_ns=change_ns, arrival_rate=rate, users=20))
            plan = dataclasses.replace(plan, changes=changes)
            for each in left:
                sending[each.node] = rest_of(each, change_ns)
        go_on(11 * SECOND)
        assert sorted(sent) == list(schedule(plan))
        by_stage = [sum(a <= arrival.due_ns < b for arrival in sent) for a, b in pairwise(_EDGES)]
        assert by_stage == pytest.approx([350, 875, 60], rel=0.4 if spacing == "poisson" else 0.01)

    def test_one_that_had_sent_all_leaves_nothing(self) -> None:
        """It said so after it had taken over last."""
        one = member(1)
        one.idle_after = 0
        assert one.shares_after(0) == ()
        one.take_over((Share(2, 0),))
        assert not one.is_idle
        assert len(one.shares_after(0)) == 2

    def test_a_late_worker_takes_nothing_over(self) -> None:
        """It has no users of an open model."""
        assert not member(4).can_take_over
        assert member(3).can_take_over

    def test_what_may_have_been_begun_is_not_dealt_again(self) -> None:
        """A silent worker speaks once a second; the system sees a dead one at once: what was due until then counts."""
        one = member(1)
        one.progress = Progress(at_ns=3 * SECOND)
        assert one.alive_until(9 * SECOND, by_system=False) == 4 * SECOND
        assert one.alive_until(9 * SECOND, by_system=True) == 9 * SECOND
        assert member(1).alive_until(9 * SECOND, by_system=False) == 0


@pytest.mark.parametrize("arrivals", ["constant", "poisson"])
@pytest.mark.parametrize("at_ns", [0, 1, 3_333_333_333, 5 * SECOND, 9_999_999_999])
def test_what_was_begun_is_counted_for_each_part(arrivals: str, at_ns: int) -> None:
    """To the arrival: the parts are the whole."""
    plan = dataclasses.replace(PLAN, arrivals=arrivals, seed=7)
    begun = [begun_by(plan, Part(index=index, workers=3), at_ns) for index in range(3)]
    whole = [arrival.number % 3 for arrival in schedule(plan) if arrival.due_ns <= at_ns]
    assert begun == [whole.count(index) for index in range(3)]


def test_what_is_too_much_to_count_is_expected() -> None:
    plan = dataclasses.replace(PLAN, arrival_rate=100_000.0)
    assert [begun_by(plan, Part(index=index, workers=3), 10 * SECOND) for index in range(3)] == [333334, 333333, 333333]


def loss(samples: int, *, taken_over: bool = True) -> Loss:
    return Loss(worker="w1", at_ns=SECOND, why="it fell silent", samples=samples, taken_over=taken_over)


@pytest.mark.parametrize(
    ("plan", "losses", "bearable"),
    [
        (PLAN, [], True),
        (PLAN, [loss(1)], True),
        (PLAN, [loss(2)], False),
        (PLAN, [loss(1), loss(1)], False),
        (PLAN, [loss(0, taken_over=False)], False),
        (CLOSED, [], True),
        (CLOSED, [loss(0)], False),
    ],
)
def test_a_thousandth_may_be_lost(plan: RunPlan, losses: list[Loss], bearable: bool) -> None:
    """Of an open run's arrivals, if the others took over the rest; of a closed run nothing."""
    assert due_by(PLAN, 10 * SECOND) == 1000
    assert are_bearable(losses, plan, 10 * SECOND) is bearable


class Clients(dict[str, SimpleNamespace]):
    """Locust's list of workers."""

    @property
    def missing(self) -> list[SimpleNamespace]:
        return [client for client in self.values() if client.state == "missing"]


def test_who_was_lost_in_one_run_is_not_dealt_the_next_one() -> None:
    """Locust still lists it: the next run would lose it at once, and be INVALID for want of its file."""
    with subprocess.Popen(["true"]) as ended:
        ended.wait()
    clients = Clients({name: SimpleNamespace(id=name, state="ready") for name in ("alive", "dead", "silent")})
    members = Membership(SimpleNamespace(clients=clients))
    members.runs_as("dead", ended.pid)
    assert members.begin() == ("alive", "silent")
    clients["silent"].state = "missing"
    members.join("silent")
    assert "silent" not in members.begin()
    assert members.join("alive").part == Part(index=0, workers=1)


class TestProcesses:
    def test_a_child_that_ended_is_dead_at_once(self) -> None:
        """Also before anybody has waited for it, and when it was stopped before it was killed."""
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        assert is_alive(child.pid)
        os.kill(child.pid, signal.SIGSTOP)
        end_child(child.pid)
        while is_alive(child.pid):
            os.sched_yield()
        assert is_child(child.pid)
        child.communicate()
        assert not is_child(child.pid)
        assert not is_alive(child.pid)

    def test_nobody_else_s_process_is_ended(self) -> None:
        """A worker may tell any number."""
        end_child(os.getppid())
        assert is_alive(os.getppid())
        assert process_space()
