"""Users of the closed model send again once they are answered, but not before all answers at hand have been handled."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import gevent

from bench.clock import monotonic_ns
from bench.endpoint import AuthMode
from bench.load.engine.seats import Seat
from bench.load.engine.shared import Tally
from bench.load.roles import serving
from bench.load.roles.part import Part
from bench.load.roles.serving import Serving
from bench.plan.run_plan import RunPlan, Variant
from tests.load.engine.wiring import in_greenlet

PLAN = RunPlan(target="emulator", variants=(Variant(name="key", auth_mode=AuthMode.KEY),))


class User:
    """As Locust's state machine has it; it serves `turns` requests."""

    wait_time = None

    def __init__(self, turns: int) -> None:
        self.turns = turns

    def waiting(self) -> None:
        """It may be ended here."""

    def working(self) -> bool:
        self.turns -= 1
        return self.turns >= 0


def served(*turns: int, lease: object = True) -> list[int]:
    """The order in which users send, each answered at once and well."""
    order: list[int] = []
    bench: Any = SimpleNamespace(tally=Tally(), feeder=SimpleNamespace(size=1), zero_ns=0)
    manager: Any = SimpleNamespace(current=lease)
    made = Serving(bench, None, plan=PLAN, part=Part(), managers=(manager,))
    made.end_ns = monotonic_ns() + 1000 * 10**9
    made.start()

    def serve(number: int, user: Any) -> None:
        def send(variant: int, **_: Any) -> bool:
            order.append(number)
            return lease is not None

        made._serve_closed(user, send, Seat(None, 0))

    gevent.joinall([gevent.spawn(serve, number, User(count)) for number, count in enumerate(turns)], raise_error=True)
    return order


def test_a_user_sends_again_after_all_others_had_their_answer() -> None:
    """Or the time in which one user's next request is prepared would be in the others' times."""
    assert in_greenlet(lambda: served(3, 3, 3)) == [0, 1, 2] * 3


def test_a_user_that_is_killed_meanwhile_is_not_woken_later() -> None:
    """Its turn is taken back: it may wait for something else by then."""
    paused_ns: list[int] = []

    def user() -> None:
        gevent.getcurrent().kill(block=False)  # comes before its own turn
        try:
            serving._after_all_answers()
        finally:
            began_ns = monotonic_ns()
            gevent.sleep(0.01)
            paused_ns.append(monotonic_ns() - began_ns)

    in_greenlet(lambda: gevent.spawn(user).join())
    assert len(paused_ns) == 1
    assert paused_ns[0] >= 10_000_000
