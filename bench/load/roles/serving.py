"""The users of one process: which variant each sends for, and when it sends. Edge: Locust's users, gevent.

A user of the open model waits for an arrival of its variant; one of the closed model sends again once its answer came.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent
from gevent.event import Event

from bench.clock import monotonic_ns
from bench.credentials import CredentialManager
from bench.load.engine.arrivals import body_order
from bench.load.engine.conversing import Conversing
from bench.load.engine.dispatch import Dispatcher
from bench.load.engine.payload import JSON
from bench.load.engine.request import Scorer
from bench.load.engine.seats import Seat, Seats
from bench.load.engine.shared import Engine
from bench.load.roles.part import Part
from bench.plan.run_plan import RunPlan

_PAUSE_WITHOUT_LEASE_S = 0.1


class Serving:
    """Users begin at `start`; without a dispatcher, closed, they end at `end_ns` of this host's monotonic clock. Where
    requests begin conversations (`converses`) no turn is begun later than that in either model."""

    def __init__(
        self,
        bench: Engine,
        dispatcher: Dispatcher | None,
        *,
        plan: RunPlan,
        part: Part,
        managers: tuple[CredentialManager, ...],
        converses: bool = False,
    ) -> None:
        self._bench = bench
        self._converses = converses
        self._content_type = plan.request.content_type or JSON
        self._dispatcher = dispatcher
        self.end_ns = 0
        self._tally = bench.tally
        self._managers = managers
        self._started = Event()
        self._all_answered = Event()
        self._seats = Seats(len(plan.variants), first=part.index)
        self._early: dict[Any, Seat] = {}
        self._bodies = [
            body_order(bench.feeder.size, seed=f"{plan.seed}-{part.index}-{variant.name}") for variant in plan.variants
        ]

    def start(self) -> None:
        """The clock has started."""
        self._started.set()

    def let_go(self) -> None:
        """Whoever still waits has nothing to wait for."""
        self._started.set()
        self._all_answered.set()

    def serve(self, user: Any) -> None:
        """Send requests as `user` until there are no more, or Locust wants it to stop."""
        scorer = self._scorer(user)
        seat = self._early.pop(user, None) or self._take(user)
        try:
            if self._dispatcher is not None:
                self._serve_open(user, user.sending(scorer), seat, self._dispatcher)
            else:
                self._serve_closed(user, user.sending(scorer), seat)
        finally:
            self._give_up(seat)
            scorer.close()

    def _scorer(self, user: Any) -> Scorer:
        if not self._converses:
            return Scorer(self._bench)
        return Conversing(
            self._bench,
            goes_on=lambda pause_ns: self._goes_on_after(user, pause_ns),
            content_type=self._content_type,
        )

    def _goes_on_after(self, user: Any, pause_ns: int) -> bool:
        """Whether `user` may send a conversation's next turn, once it has paused: not when the run is over by then."""
        user.waiting()
        until_ns = min(monotonic_ns() + pause_ns, self.end_ns)
        gevent.sleep(max(until_ns - monotonic_ns(), 0) / 1e9)
        return bool(user.working()) and monotonic_ns() < self.end_ns

    def before_serving(self, user: Any) -> tuple[Scorer, int] | None:
        """What `user` sends with before it serves, and its variant, once the clock has started; None if it never does.

        Its samples are in no figure. `leave` has to be called where it never serves.
        """
        self._started.wait()
        if not self._bench.zero_ns:
            return None
        gevent.sleep(max((self._bench.zero_ns - monotonic_ns()) / 1e9, 0))
        seat = self._early.get(user)
        if seat is None:
            seat = self._early[user] = self._take(user)
        return Scorer(self._bench, counts=False), seat.variant

    def leave(self, user: Any) -> None:
        """A user is gone that may never have served."""
        seat = self._early.pop(user, None)
        if seat is not None:
            self._give_up(seat)

    def _take(self, user: Any) -> Seat:
        seat = self._seats.take(gevent.getcurrent(), kind=type(user))
        self._count_users()
        return seat

    def withdraw(self, user: Any) -> None:
        """The greenlet `user` is about to be killed while it waits: give it no arrival any more."""
        if self._dispatcher is not None:
            self._dispatcher.withdraw(user)

    def _give_up(self, seat: Seat) -> None:
        """A user leaves. If its variant has too few now, another one changes sides: an idle one, if there is one."""
        candidates = self._seats.leave(seat)
        if candidates:
            to = self._seats.counts.index(min(self._seats.counts))
            moved = next((one for one in candidates if self._move(one, to)), candidates[0])
            self._seats.change(moved)
        self._count_users()

    def _move(self, seat: Seat, to: int) -> bool:
        return self._dispatcher is not None and self._dispatcher.move(seat.user, to=to)

    def _count_users(self) -> None:
        if self._dispatcher is not None:
            self._dispatcher.set_users(self._seats.counts)

    def _serve_open(self, user: Any, send: Callable[..., bool], seat: Seat, dispatcher: Dispatcher) -> None:
        zero_ns = 0
        while True:
            user.waiting()
            arrival = dispatcher.claim(seat.variant)
            late_cause = dispatcher.late_cause
            if arrival is None:
                self._await_the_last()
                return
            if not user.working():
                return
            zero_ns = zero_ns or self._bench.zero_ns
            due_ns = zero_ns + arrival.due_ns
            if not send(arrival.variant, intended_ns=due_ns, number=arrival.number, late_cause=late_cause):
                gevent.sleep(0)  # what fails at once (no descriptors) must not keep the hub from its turn

    def _await_the_last(self) -> None:
        """Until the last request is answered: closing hundreds of connections meanwhile would hold it up by 5 ms."""
        if not self._tally.in_flight:
            self._all_answered.set()
        self._all_answered.wait()

    def _serve_closed(self, user: Any, send: Callable[..., bool], seat: Seat) -> None:
        user.waiting()
        self._started.wait()
        gevent.sleep(max((self._bench.zero_ns - monotonic_ns()) / 1e9, 0))
        while user.working() and monotonic_ns() < self.end_ns:
            variant = seat.variant
            well = send(variant, intended_ns=monotonic_ns(), number=next(self._bodies[variant]))
            if user.wait_time is not None:
                user.wait()
            elif not well and self._managers[variant].current is None:
                gevent.sleep(_PAUSE_WITHOUT_LEASE_S)
            else:
                _after_all_answers()


def _after_all_answers() -> None:
    """Go on once the hub has handled every answer that is there: each would wait for the request that is sent first.

    It is `gevent.sleep(0)` at half the cost.
    """
    hub = gevent.get_hub()
    turn = hub.loop.run_callback(gevent.getcurrent().switch)
    try:
        hub.switch()
    finally:
        turn.stop()
