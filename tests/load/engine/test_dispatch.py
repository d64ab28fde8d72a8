"""Who sends the next arrival, on the real hub with the real pacer."""

from __future__ import annotations

from collections.abc import Iterator

import gevent
import pytest
from gevent.event import Event

from bench.clock import monotonic_ns
from bench.load.engine.arrivals import Arrival
from bench.load.engine.dispatch import Dispatcher
from bench.load.engine.lateness import Lateness, LeaseWaits
from bench.load.wire.hub_watch import HubWatch
from tests.load.engine.wiring import in_greenlet

MS = 1_000_000


def every(gap_ns: int, count: int) -> list[Arrival]:
    return [Arrival(due_ns=number * gap_ns, number=number, variant=0) for number in range(count)]


def one_variant(arrivals: Iterator[Arrival]) -> Dispatcher:
    return Dispatcher([arrivals], [Lateness(HubWatch(), LeaseWaits())])


class Crowd:
    """Users that claim arrivals until there are none, and are busy with each for as long as `busy` says."""

    def __init__(self, dispatcher: Dispatcher, users: int, *, busy_s: float = 0.0) -> None:
        self.dispatcher = dispatcher
        self.claims: list[tuple[int, int]] = []  # number, when (monotonic)
        self.ended = 0
        self._busy_s = busy_s
        self.users = [gevent.spawn(self._serve) for _ in range(users)]

    def _serve(self) -> None:
        while (arrival := self.dispatcher.claim(0)) is not None:
            self.claims.append((arrival.number, monotonic_ns()))
            if self._busy_s:
                gevent.sleep(self._busy_s)
        self.ended += 1

    @property
    def numbers(self) -> list[int]:
        return [number for number, _ in self.claims]


def test_idle_users_get_each_arrival_when_it_is_due() -> None:
    """In order, each once, none early; then every user learns that there are no more."""
    arrivals = every(MS, 50)
    dispatcher = one_variant(iter(arrivals))

    def job() -> None:
        crowd = Crowd(dispatcher, users=5)
        gevent.sleep(0)
        zero_ns = monotonic_ns() + 5 * MS
        dispatcher.start(zero_ns)
        gevent.joinall(crowd.users, raise_error=True)
        assert crowd.numbers == list(range(50))
        for number, claimed_ns in crowd.claims:
            assert claimed_ns >= zero_ns + arrivals[number].due_ns
        assert crowd.ended == 5

    in_greenlet(job)
    assert (dispatcher.claimed, dispatcher.exhausted) == (50, True)
    dispatcher.close()


def test_nobody_is_served_before_the_start() -> None:
    """Users may come first, or the start may."""
    dispatcher = one_variant(iter(every(0, 3)))

    def job() -> None:
        crowd = Crowd(dispatcher, users=2)
        gevent.sleep(0.005)
        assert crowd.claims == []
        assert dispatcher.lag_ns() == 0
        dispatcher.start(monotonic_ns())
        gevent.joinall(crowd.users, raise_error=True)
        assert crowd.numbers == [0, 1, 2]

    in_greenlet(job)
    dispatcher.close()


def test_arrivals_that_nobody_could_take_are_claimed_late_and_in_order() -> None:
    """All users busy: nothing is skipped, and the debt is visible while it lasts."""
    dispatcher = one_variant(iter(every(MS, 40)))

    def job() -> None:
        crowd = Crowd(dispatcher, users=2, busy_s=0.005)
        zero_ns = monotonic_ns()
        dispatcher.start(zero_ns)
        while dispatcher.claimed < 20:
            gevent.sleep(0.001)
        assert dispatcher.lag_ns() > 10 * MS
        assert dispatcher.due(zero_ns + 1000 * MS) == 40
        gevent.killall(crowd.users)

    in_greenlet(job)
    dispatcher.close()


def test_a_debt_is_paid_to_the_last_arrival() -> None:
    """One slow user serves all, each claimed after it was due."""
    arrivals = every(MS, 15)
    dispatcher = one_variant(iter(arrivals))

    def job() -> None:
        crowd = Crowd(dispatcher, users=1, busy_s=0.003)
        zero_ns = monotonic_ns()
        dispatcher.start(zero_ns)
        gevent.joinall(crowd.users, raise_error=True)
        assert crowd.numbers == list(range(15))
        lags = [at_ns - zero_ns - arrivals[number].due_ns for number, at_ns in crowd.claims]
        assert min(lags) >= 0
        assert lags[-1] > lags[0] + 10 * MS

    in_greenlet(job)
    dispatcher.close()


def test_a_burst_goes_to_whoever_is_idle_the_longest_idle_first() -> None:
    """It is not queued behind one user, and no connection stays unused until its server closes it."""
    dispatcher = one_variant(iter(every(0, 8)))
    held = Event()
    holders: list[tuple[int, int]] = []

    def hold(me: int) -> None:
        arrival = dispatcher.claim(0)
        assert arrival is not None
        holders.append((me, arrival.number))
        held.wait()

    def job() -> None:
        idle_order = [5, 2, 7, 0, 1, 6, 3, 4]
        users = [gevent.spawn(hold, me) for me in idle_order]
        gevent.sleep(0)
        dispatcher.start(monotonic_ns())
        while len(holders) < 8:
            gevent.sleep(0.001)
        held.set()
        gevent.joinall(users, raise_error=True)
        assert holders == [(me, number) for number, me in enumerate(idle_order)]

    in_greenlet(job)
    dispatcher.close()


def test_close_releases_everybody_with_nothing() -> None:
    """Also those who come later; what was not handed out is not handed out any more."""
    dispatcher = one_variant(iter(every(60_000 * MS, 5)[1:]))

    def job() -> None:
        crowd = Crowd(dispatcher, users=3)
        gevent.sleep(0)
        dispatcher.start(monotonic_ns())
        gevent.sleep(0.002)
        dispatcher.close()
        gevent.joinall(crowd.users, raise_error=True)
        assert (crowd.claims, crowd.ended) == ([], 3)
        assert dispatcher.claim(0) is None

    in_greenlet(job)
    assert (dispatcher.claimed, dispatcher.exhausted) == (0, True)


@pytest.mark.parametrize("cut_after", [0, 7, 19])
def test_a_schedule_that_is_cut_is_served_up_to_there(cut_after: int) -> None:
    """The hub was too busy to hand out what had come due: idle users get it all, nothing later, and are released."""
    dispatcher = one_variant(iter(every(MS, 20)))

    def job() -> None:
        crowd = Crowd(dispatcher, users=30)
        gevent.sleep(0)
        dispatcher.start(zero_ns := monotonic_ns() - 60_000 * MS)  # all are due, and no turn of the hub has come since
        dispatcher.cut(zero_ns + cut_after * MS)
        gevent.joinall(crowd.users, raise_error=True)
        assert crowd.numbers == list(range(cut_after + 1))
        assert crowd.ended == 30

    in_greenlet(job)
    assert dispatcher.due(monotonic_ns()) == dispatcher.claimed == cut_after + 1
    dispatcher.close()


def test_what_was_due_when_it_was_cut_and_found_nobody_is_still_counted() -> None:
    """Debt is not forgiven by the end."""
    dispatcher = one_variant(iter(every(MS, 20)))
    zero_ns = monotonic_ns() - 60_000 * MS
    dispatcher.start(zero_ns)
    dispatcher.cut(zero_ns + 7 * MS)
    assert in_greenlet(lambda: dispatcher.claim(0)) is not None
    assert (dispatcher.due(monotonic_ns()), dispatcher.claimed) == (8, 1)
    dispatcher.close()


def test_a_user_killed_while_idle_is_not_handed_an_arrival() -> None:
    """It would be lost: the others get them all."""
    dispatcher = one_variant(iter(every(MS, 20)))

    def job() -> None:
        crowd = Crowd(dispatcher, users=5)
        gevent.sleep(0)
        doomed = crowd.users[:3]
        gevent.killall(doomed)
        dispatcher.start(monotonic_ns() + 2 * MS)
        gevent.joinall(crowd.users[3:], raise_error=True)
        assert crowd.numbers == list(range(20))
        assert crowd.ended == 2

    in_greenlet(job)
    dispatcher.close()


@pytest.mark.parametrize("killed_last", [True, False])
def test_with_all_idle_users_killed_a_later_one_goes_on(killed_last: bool) -> None:
    """Whether the pacer was armed for somebody who is gone or not, the next who claims is served."""
    dispatcher = one_variant(iter(every(4 * MS, 5)))

    def job() -> None:
        first = Crowd(dispatcher, users=2)
        gevent.sleep(0)
        if not killed_last:
            gevent.killall(first.users)
        dispatcher.start(monotonic_ns() + 2 * MS)
        if killed_last:
            gevent.killall(first.users)
        gevent.sleep(0.005)
        second = Crowd(dispatcher, users=1)
        gevent.joinall(second.users, raise_error=True)
        assert first.numbers + second.numbers == list(range(5))

    in_greenlet(job)
    dispatcher.close()


def test_what_was_due_is_counted_claimed_or_not() -> None:
    """At the end of a run: those that came due and found nobody are dropped arrivals, later ones are not."""
    dispatcher = one_variant(iter(every(MS, 100)))
    zero_ns = monotonic_ns()
    dispatcher.start(zero_ns)

    def job() -> None:
        for _ in range(3):
            assert dispatcher.claim(0) is not None

    in_greenlet(job)
    assert dispatcher.claimed == 3
    assert dispatcher.due(zero_ns + 49 * MS) == 50
    dispatcher.close()


def test_no_arrivals_at_all() -> None:
    """A worker whose share is empty."""
    dispatcher = one_variant(iter(()))
    assert dispatcher.exhausted
    dispatcher.start(monotonic_ns())
    assert in_greenlet(lambda: dispatcher.claim(0)) is None
    assert dispatcher.due(monotonic_ns()) == 0
    dispatcher.close()


def test_a_user_that_is_about_to_be_killed_gets_no_arrival() -> None:
    """Locust decides and kills in two turns of the loop; an arrival due between them goes to somebody else."""
    dispatcher = one_variant(iter(every(MS, 5)))

    def job() -> None:
        crowd = Crowd(dispatcher, users=2)
        gevent.sleep(0)
        doomed, other = crowd.users
        dispatcher.withdraw(doomed)
        dispatcher.start(monotonic_ns())
        other.join()
        doomed.kill()
        assert crowd.numbers == [0, 1, 2, 3, 4]
        assert crowd.ended == 1

    in_greenlet(job)


def test_nothing_is_handed_out_beyond_the_fence() -> None:
    """Neither to a user that waits nor to one that asks; who set it hears of it, and moved it lets all go, in order."""
    dispatcher = one_variant(iter(every(0, 6)))
    reached: list[int] = []

    def job() -> None:
        dispatcher.fence(0, lambda: reached.append(dispatcher.claimed))
        crowd = Crowd(dispatcher, users=2)
        gevent.sleep(0)
        dispatcher.start(monotonic_ns())
        more = Crowd(dispatcher, users=1)
        while len(reached) < 2:
            gevent.sleep(0.001)
        assert crowd.claims == more.claims == []
        assert dispatcher.lag_ns() > 0
        dispatcher.fence(monotonic_ns() + 3600 * 1000 * MS, lambda: reached.append(-1))
        gevent.joinall([*crowd.users, *more.users], raise_error=True)
        assert sorted(crowd.numbers + more.numbers) == list(range(6))
        assert -1 not in reached

    in_greenlet(job)
    dispatcher.close()


@pytest.mark.parametrize(("next_due_ms", "idle_users"), [(7, 0), (2_000, 2), (10_000, 0), (10_000, 2)])
def test_from_a_moment_on_another_schedule_is_handed_out(next_due_ms: int, idle_users: int) -> None:
    """Whoever waits for what was due much later is woken for it; what was due before stays due, also when overdue."""
    old = [*every(MS, 5), Arrival(due_ns=next_due_ms * MS, number=90, variant=0)]
    dispatcher = Dispatcher([iter(old)], [Lateness(HubWatch(), LeaseWaits())], may_grow=True)

    def job() -> None:
        crowd = Crowd(dispatcher, users=idle_users)
        gevent.sleep(0)
        dispatcher.start(zero_ns := monotonic_ns() - 4 * MS)
        if idle_users:
            while dispatcher.claimed < 5:
                gevent.sleep(0.001)
        dispatcher.replace(6 * MS, iter(Arrival(due_ns=6 * MS + n, number=50 + n, variant=0) for n in range(9)))
        dispatcher.replace(60 * MS, iter([Arrival(due_ns=60 * MS, number=70, variant=0)]))
        others = Crowd(dispatcher, users=1)
        while dispatcher.claimed < 15:
            gevent.sleep(0.001)
        numbers = [number for number, _ in sorted(crowd.claims + others.claims, key=lambda claim: claim[1])]
        assert sorted(numbers) == [*range(5), *range(50, 59), 70]
        assert dispatcher.due(zero_ns + 100_000 * MS) == dispatcher.claimed == 15
        dispatcher.close()
        gevent.joinall(crowd.users + others.users, raise_error=True)

    in_greenlet(job)


def test_one_that_is_dismissed_hands_out_not_even_what_is_overdue() -> None:
    """A schedule that is cut at 0 is over, and nothing of it was dropped: others have it."""
    dispatcher = Dispatcher([iter(every(MS, 50))], [Lateness(HubWatch(), LeaseWaits())], may_grow=True)

    def job() -> None:
        dispatcher.fence(0, lambda: None)
        crowd = Crowd(dispatcher, users=2)
        dispatcher.start(monotonic_ns() - 10 * MS)
        gevent.sleep(0)
        dispatcher.cut(0)
        gevent.joinall(crowd.users, raise_error=True)
        assert crowd.claims == []
        assert (dispatcher.exhausted, dispatcher.due(monotonic_ns())) == (True, 0)

    in_greenlet(job)
    dispatcher.close()
