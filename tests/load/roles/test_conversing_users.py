"""A user between two turns of a conversation: it pauses, and begins no turn once the run is over."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import gevent
import pytest

from bench.clock import monotonic_ns
from bench.endpoint import AuthMode
from bench.load.engine.shared import Tally
from bench.load.roles.part import Part
from bench.load.roles.serving import Serving
from bench.plan.run_plan import RunPlan, Variant
from tests.load.engine.wiring import in_greenlet

PLAN = RunPlan(target="emulator", variants=(Variant(name="key", auth_mode=AuthMode.KEY),))


class User:
    """As Locust's state machine has it; `stops` once it may be ended."""

    def __init__(self, *, stops: str = "") -> None:
        self.stops = stops

    def waiting(self) -> None:
        if self.stops == "waiting":
            raise gevent.GreenletExit

    def working(self) -> bool:
        return self.stops != "working"


def asked(user: User, *, pause_s: float, left_s: float) -> tuple[bool, float]:
    """Whether it goes on, and how long that took in seconds."""
    bench: Any = SimpleNamespace(tally=Tally(), feeder=SimpleNamespace(size=1))
    serving = Serving(bench, None, plan=PLAN, part=Part(), managers=(), converses=True)
    began_ns = monotonic_ns()
    serving.end_ns = began_ns + round(left_s * 1e9)
    goes_on = in_greenlet(lambda: serving._goes_on_after(user, round(pause_s * 1e9)))
    return goes_on, (monotonic_ns() - began_ns) / 1e9


def test_it_goes_on_after_its_pause() -> None:
    """And not before."""
    goes_on, took_s = asked(User(), pause_s=0.05, left_s=1000)
    assert goes_on
    assert took_s >= 0.05
    assert asked(User(), pause_s=0, left_s=1000)[0]


@pytest.mark.parametrize("pause_s", [0.01, 900])
def test_no_turn_is_begun_after_the_end(pause_s: float) -> None:
    """Nobody waits for the rest of a pause that the run does not have."""
    assert not asked(User(), pause_s=pause_s, left_s=0.005)[0]
    assert not asked(User(), pause_s=0, left_s=-5)[0]


def test_locust_may_end_it() -> None:
    """Before the pause and after it."""
    assert not asked(User(stops="working"), pause_s=0, left_s=1000)[0]
    ended, took_s = asked(User(stops="waiting"), pause_s=900, left_s=1000)
    assert isinstance(ended, gevent.GreenletExit)
    assert took_s < 60
