"""Two variants side by side: what happens to one is nothing that the other notices."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import gevent
import pytest

from bench.clock import monotonic_ns
from bench.load.engine.arrivals import Arrival, body_order, schedule
from bench.load.engine.dispatch import Dispatcher
from bench.load.engine.lateness import LATE_NS, Lateness, LeaseWaits
from bench.load.engine.seats import Seats
from bench.load.wire.hub_watch import HubWatch
from bench.sample import LateCause
from tests.load.engine.test_arrivals import BOTH, plan
from tests.load.engine.wiring import in_greenlet

MS = 1_000_000
FIRST, SECOND = 0, 1


def both(gap_ns: int, count: int) -> Dispatcher:
    """`count` arrivals of each of two variants, every `gap_ns` one of each."""

    def of(variant: int) -> Iterator[Arrival]:
        return (Arrival(due_ns=number * gap_ns, number=number, variant=variant) for number in range(count))

    watch = HubWatch()
    return Dispatcher([of(FIRST), of(SECOND)], [Lateness(watch, LeaseWaits()) for _ in range(2)])


def test_a_variant_without_free_users_keeps_nobody_else_waiting() -> None:
    """The users of the second are stuck from its first arrival on: the first gets all of its own, each in its turn."""
    dispatcher = both(MS, 60)
    free = gevent.event.Event()
    served: list[int] = []
    late: list[int] = []

    def user(variant: int) -> None:
        while (arrival := dispatcher.claim(variant)) is not None:
            assert arrival.variant == variant
            if variant == SECOND:
                free.wait()
                late.append(arrival.number)
            else:
                served.append(arrival.number)

    def job() -> None:
        users = [gevent.spawn(user, variant) for variant in (FIRST, FIRST, SECOND, SECOND)]
        gevent.sleep(0)
        dispatcher.start(monotonic_ns())
        gevent.joinall(users[:2], raise_error=True)
        assert (served, late) == (list(range(60)), [])
        free.set()
        gevent.joinall(users[2:], raise_error=True)
        assert sorted(late) == list(range(60))

    in_greenlet(job)
    assert (dispatcher.claimed, dispatcher.exhausted, dispatcher.due(monotonic_ns())) == (120, True, 120)
    dispatcher.close()


def test_an_idle_user_that_changes_sides_is_given_the_other_variant_s_arrivals() -> None:
    """Locust took that variant's users away; what is overdue there goes to the one that was moved."""
    dispatcher = both(0, 3)

    def user() -> list[int]:
        got = []
        while (arrival := dispatcher.claim(FIRST)) is not None and arrival.variant == FIRST:
            got.append(arrival.variant)
        return [*got, arrival.variant if arrival else -1]

    def job() -> list[int]:
        one = gevent.spawn(user)
        gevent.sleep(0)
        assert dispatcher.move(one, to=SECOND)
        assert not dispatcher.move(gevent.getcurrent(), to=SECOND)
        dispatcher.start(monotonic_ns())
        return list(one.get(timeout=10))

    assert in_greenlet(job) == [SECOND]
    dispatcher.close()


def test_another_worker_s_arrivals_can_be_added() -> None:
    """Users that have nothing left wait for them; each variant gets its own, and the cut ends the waiting."""
    watch = HubWatch()
    dispatcher = Dispatcher([iter(()), iter(())], [Lateness(watch, LeaseWaits()) for _ in range(2)], may_grow=True)
    served: list[Arrival] = []

    def user(variant: int) -> None:
        while (arrival := dispatcher.claim(variant)) is not None:
            assert arrival.variant == variant
            served.append(arrival)

    def job() -> None:
        users = [gevent.spawn(user, variant) for variant in (FIRST, SECOND)]
        dispatcher.start(monotonic_ns())
        gevent.sleep(0)
        more = [Arrival(due_ns=number * MS, number=number, variant=number % 2) for number in range(10)]
        dispatcher.add(iter(more))
        while len(served) < 10:
            gevent.sleep(0.001)
        assert not any(one.dead for one in users)
        dispatcher.cut(monotonic_ns())
        gevent.joinall(users, raise_error=True)
        assert sorted(served) == more

    in_greenlet(job)
    dispatcher.close()


def test_users_are_dealt_evenly_and_stay_so() -> None:
    """Whoever comes and goes, no variant has two more than another; the odd one is another variant's in each worker."""
    seats = Seats(2)
    taken = [seats.take(number) for number in range(10)]
    assert seats.counts == [5, 5]
    for seat in [seat for seat in taken if seat.variant == FIRST]:
        candidates = seats.leave(seat)
        if candidates:
            assert {one.variant for one in candidates} == {SECOND}
            seats.change(candidates[0])
        assert max(seats.counts) - min(seats.counts) <= 1
    assert min(seats.counts) > 0
    assert [Seats(2, first=worker).take(None).variant for worker in range(3)] == [0, 1, 0]


@pytest.mark.parametrize("spawned", ["ab", "aaab", "aab", "abc"])
def test_every_kind_of_user_serves_every_variant(spawned: str) -> None:
    """Locust spawns its classes in turn: a variant that got one class for itself would be compared with another's."""
    seats = Seats(2)
    taken = [(kind, seats.take(None, kind=kind).variant) for kind in spawned * 12]
    for kind in set(spawned):
        first, second = (taken.count((kind, variant)) for variant in (FIRST, SECOND))
        assert abs(first - second) <= 2, (kind, first, second)
    assert abs(seats.counts[FIRST] - seats.counts[SECOND]) <= 1


def test_each_variant_s_schedule_is_its_part_of_the_one() -> None:
    """Nothing is lost, doubled or moved by asking for one variant at a time."""
    what = plan(arrival_rate=50.0, arrivals="poisson", variants=BOTH)
    whole = list(schedule(what, worker=1, workers=2))
    parts = [list(schedule(what, worker=1, workers=2, variant=variant)) for variant in (0, 1)]
    assert sorted(itertools.chain(*parts)) == whole
    assert all(arrival.variant == variant for variant, part in enumerate(parts) for arrival in part)


@pytest.mark.parametrize("bodies", [1, 2, 3, 10, 97])
def test_each_round_of_bodies_holds_all_of_them(bodies: int) -> None:
    """In another order each, the same for the same seed."""
    order = list(itertools.islice(body_order(bodies, seed="s"), bodies * 20))
    rounds = [order[start : start + bodies] for start in range(0, len(order), bodies)]
    assert all(sorted(one) == list(range(bodies)) for one in rounds)
    assert bodies == 1 or len({tuple(one) for one in rounds}) > 1
    assert order == list(itertools.islice(body_order(bodies, seed="s"), bodies * 20))


class TestLateCause:
    """Ten users; the request in question was due at 100 s, the variant was on time until 99 s."""

    now_ns = 100_000 * MS

    def late(self, watch: HubWatch | None = None, waits: LeaseWaits | None = None) -> Lateness:
        self.watch, self.waits = watch or HubWatch(), waits or LeaseWaits()
        self.watch.polled_ns = self.now_ns
        lateness = Lateness(self.watch, self.waits)
        lateness.users = 10
        assert lateness.on_time(99_000 * MS) == ""
        return lateness

    def cause(self, lateness: Lateness, lag_ns: int, *, idle: bool = False) -> str:
        return lateness.cause(lag_ns, self.now_ns, somebody_idle=idle)

    def test_on_time(self) -> None:
        assert self.cause(self.late(), LATE_NS) == LateCause.NONE

    def test_all_users_await_answers(self) -> None:
        assert self.cause(self.late(), 900 * MS) == LateCause.USERS

    def test_all_users_waited_for_a_lease(self) -> None:
        """Some have it by now, some still wait."""
        lateness = self.late()
        for number in range(10):
            self.waits.begin(99_100 * MS)
            if number < 5:
                self.waits.end(99_100 * MS, self.now_ns)
        assert self.cause(lateness, 900 * MS) == LateCause.CREDENTIAL

    def test_a_backlog_keeps_the_cause_that_made_it(self) -> None:
        """The outage is over, and what it has piled up is worked off; once that is done its cause is forgotten."""
        lateness = self.late()
        for _ in range(10):
            self.waits.begin(99_000 * MS)
            self.waits.end(99_000 * MS, 99_900 * MS)
        assert self.cause(lateness, 800 * MS) == LateCause.CREDENTIAL
        assert self.cause(lateness, 0) == LateCause.NONE
        assert self.cause(lateness, 800 * MS) == LateCause.USERS

    def test_one_waiting_user_of_ten_explains_nothing(self) -> None:
        lateness = self.late()
        self.waits.begin(99_000 * MS)
        assert self.cause(lateness, 900 * MS) == LateCause.USERS

    def test_a_stall_of_the_hub(self) -> None:
        """One that is over, or one that goes on; who is idle meanwhile could not be given anything."""
        lateness = self.late()
        self.watch.stalled_ns += 40 * MS
        assert self.cause(lateness, 50 * MS, idle=True) == LateCause.HUB
        lateness = self.late()
        self.watch.polled_ns = self.now_ns - 30 * MS
        assert self.cause(lateness, 50 * MS, idle=True) == LateCause.HUB

    def test_without_the_processor(self) -> None:
        """Not given one, or with nothing left of it: then no single turn of the hub was long."""
        lateness = self.late()
        self.watch.stalled_ns += 50 * MS
        self.watch.descheduled_ns += 40 * MS
        assert self.cause(lateness, 50 * MS) == LateCause.CPU
        lateness = self.late()
        self.watch.busy_ns += 950 * MS
        assert self.cause(lateness, 50 * MS) == LateCause.CPU

    def test_a_late_timer(self) -> None:
        lateness = self.late()
        assert self.cause(lateness, 5 * MS, idle=True) == LateCause.PACER
        lateness.exact_timer = True
        assert self.cause(lateness, 5 * MS, idle=True) == LateCause.CPU
