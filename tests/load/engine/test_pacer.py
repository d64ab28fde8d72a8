"""Waking on time: both pacers, on the real hub."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from unittest.mock import Mock

import gevent
import pytest

from bench.clock import monotonic_ns
from bench.load.engine import timerfd
from bench.load.engine.pacer import Pacer, SpinPacer, TimerFdPacer, best_pacer
from tests.load.engine.wiring import in_greenlet

MS = 1_000_000
KINDS = [
    SpinPacer,
    pytest.param(TimerFdPacer, marks=pytest.mark.skipif(sys.platform != "linux", reason="not on Linux")),
]


class Calls:
    """When the pacer called."""

    def __init__(self, kind: Callable[[Callable[[], None]], Pacer]) -> None:
        self.at_ns: list[int] = []
        self.pacer = kind(lambda: self.at_ns.append(monotonic_ns()))

    def await_calls(self, count: int) -> None:
        while len(self.at_ns) < count:
            gevent.sleep(0.001)


@pytest.fixture(params=KINDS)
def calls(request: pytest.FixtureRequest) -> Iterator[Calls]:
    made = Calls(request.param)
    yield made
    made.pacer.close()


def test_never_early(calls: Calls) -> None:
    """At or after the time it was armed for, one call each."""

    def job() -> None:
        for turn in range(20):
            due_ns = monotonic_ns() + (turn % 4) * MS
            calls.pacer.arm(due_ns)
            calls.await_calls(turn + 1)
            assert calls.at_ns[-1] >= due_ns
        gevent.sleep(0.005)

    in_greenlet(job)
    assert len(calls.at_ns) == 20


def test_armed_anew_the_old_time_is_forgotten(calls: Calls) -> None:
    """Earlier or later."""

    def job() -> None:
        calls.pacer.arm(monotonic_ns() + 60_000 * MS)
        calls.pacer.arm(monotonic_ns() + 2 * MS)
        calls.await_calls(1)
        calls.pacer.arm(monotonic_ns() + 2 * MS)
        later_ns = monotonic_ns() + 10 * MS
        calls.pacer.arm(later_ns)
        calls.await_calls(2)
        assert calls.at_ns[1] >= later_ns

    in_greenlet(job)
    assert len(calls.at_ns) == 2


@pytest.mark.parametrize("due_ns", [0, 1, -5])
def test_a_time_in_the_past_is_now(due_ns: int, calls: Calls) -> None:
    """Never lost."""

    def job() -> None:
        calls.pacer.arm(due_ns)
        calls.await_calls(1)

    in_greenlet(job)


def test_not_armed_it_is_silent(calls: Calls) -> None:
    """No call that nobody asked for, and none after it was closed."""
    in_greenlet(lambda: gevent.sleep(0.01))
    assert calls.at_ns == []


@pytest.mark.skipif(sys.platform != "linux", reason="not on Linux")
def test_linux_has_the_precise_one() -> None:
    """And says so, for the manifest."""
    pacer = best_pacer(lambda: None)
    assert pacer.name == "timerfd"
    pacer.close()


@pytest.mark.parametrize("error", [AttributeError("timerfd_create"), OSError(24, "Too many open files")])
def test_elsewhere_the_honest_one(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no timerfd, or no descriptor for one, the name says that time is spun away."""
    monkeypatch.setattr(timerfd, "TimerFd", Mock(side_effect=error))
    pacer = best_pacer(lambda: None)
    assert pacer.name == "timer+spin"
    pacer.close()
