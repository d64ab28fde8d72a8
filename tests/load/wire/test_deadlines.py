"""One timer for all deadlines."""

from __future__ import annotations

from collections.abc import Iterator

import gevent
import pytest
from gevent.event import Event

from bench.clock import monotonic_ns
from bench.load.wire.deadlines import NEVER, Deadlines
from tests.load.engine.wiring import in_greenlet

MS = 1_000_000


class Waiter:
    """Waits until its deadline has passed, and remembers when it was called."""

    def __init__(self, deadlines: Deadlines) -> None:
        self.deadline_ns = NEVER
        self.called_ns: list[int] = []
        self.expired = Event()
        self._deadlines = deadlines
        deadlines.join(self)

    def wait_until(self, deadline_ns: int) -> None:
        self.deadline_ns = deadline_ns
        self._deadlines.note(deadline_ns)

    def expire(self) -> None:
        self.called_ns.append(monotonic_ns())
        self.deadline_ns = NEVER
        self.expired.set()


@pytest.fixture
def deadlines() -> Iterator[Deadlines]:
    made = Deadlines()
    yield made
    made.close()


def test_each_is_called_once_and_not_early(deadlines: Deadlines) -> None:
    """Noted in any order, called in order."""
    waiters = [Waiter(deadlines) for _ in range(10)]

    def job() -> None:
        start_ns = monotonic_ns()
        for place, waiter in enumerate(waiters):
            waiter.wait_until(start_ns + (place * 3 % 10 + 1) * 5 * MS)
        wanted = [waiter.deadline_ns for waiter in waiters]
        for waiter in waiters:
            waiter.expired.wait()
        for waiter, deadline_ns in zip(waiters, wanted, strict=True):
            assert len(waiter.called_ns) == 1
            assert waiter.called_ns[0] >= deadline_ns

    in_greenlet(job)


def test_who_is_done_in_time_is_not_called(deadlines: Deadlines) -> None:
    """The timer may still fire for it; it finds nobody."""
    done, late = Waiter(deadlines), Waiter(deadlines)

    def job() -> None:
        done.wait_until(monotonic_ns() + 5 * MS)
        late.wait_until(monotonic_ns() + 10 * MS)
        done.deadline_ns = NEVER
        late.expired.wait()

    in_greenlet(job)
    assert done.called_ns == []


def test_who_leaves_is_not_called(deadlines: Deadlines) -> None:
    """A user that was stopped has no deadline any more."""
    gone, late = Waiter(deadlines), Waiter(deadlines)

    def job() -> None:
        gone.wait_until(monotonic_ns() + 2 * MS)
        late.wait_until(monotonic_ns() + 10 * MS)
        deadlines.leave(gone)
        late.expired.wait()

    in_greenlet(job)
    assert gone.called_ns == []


def test_an_earlier_deadline_moves_the_timer_forward(deadlines: Deadlines) -> None:
    """A short one after a long one does not wait for the long one."""
    patient, hasty = Waiter(deadlines), Waiter(deadlines)

    def job() -> None:
        patient.wait_until(monotonic_ns() + 600_000 * MS)
        hasty.wait_until(monotonic_ns() + 5 * MS)
        hasty.expired.wait()

    in_greenlet(job)
    assert patient.called_ns == []


def test_a_deadline_that_has_passed_expires_soon(deadlines: Deadlines) -> None:
    """Even one from long ago."""
    waiter = Waiter(deadlines)

    def job() -> None:
        waiter.wait_until(1)
        waiter.expired.wait()

    in_greenlet(job)


def test_the_same_member_may_wait_again(deadlines: Deadlines) -> None:
    """Also from within its own expiry, as a user does that goes on with the next request."""

    class Again(Waiter):
        def expire(self) -> None:
            super().expire()
            if len(self.called_ns) < 3:
                self.wait_until(monotonic_ns() + 2 * MS)

    waiter = Again(deadlines)

    def job() -> None:
        waiter.wait_until(monotonic_ns() + 2 * MS)
        while len(waiter.called_ns) < 3:
            gevent.sleep(0.001)

    in_greenlet(job)


def test_whose_wait_ends_during_the_sweep_is_spared(deadlines: Deadlines) -> None:
    """Two are overdue in one sweep; the first to be called ends the other's wait."""
    calls: list[str] = []

    class One(Waiter):
        other: One

        def expire(self) -> None:
            super().expire()
            calls.append("one")
            self.other.deadline_ns = NEVER

    first, second = One(deadlines), One(deadlines)
    first.other, second.other = second, first
    last = Waiter(deadlines)

    def job() -> None:
        for waiter in (first, second):
            waiter.wait_until(monotonic_ns() - 1)
        last.wait_until(monotonic_ns() + 10 * MS)
        last.expired.wait()

    in_greenlet(job)
    assert calls == ["one"]


def test_after_close_nobody_is_called(deadlines: Deadlines) -> None:
    """The run is over."""
    waiter = Waiter(deadlines)

    def job() -> None:
        waiter.wait_until(monotonic_ns() + 2 * MS)
        deadlines.close()
        gevent.sleep(0.01)

    in_greenlet(job)
    assert waiter.called_ns == []
