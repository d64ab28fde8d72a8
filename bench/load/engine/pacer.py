"""Waking the gevent hub on time. Edge: owns a timer of the hub.

gevent's own timers are 1 ms coarse (a sleep overshoots 0.6-1.0 ms); a `timerfd` watched by the hub
overshoots 0.01-0.06 ms. Where there is none, the hub's timer is set early and the rest is spun.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from gevent import get_hub

from bench.clock import monotonic_ns
from bench.load.engine import timerfd

_COARSE_NS = 1_500_000


class Pacer(Protocol):
    """Calls back in the hub, at or just after the time it was last armed for."""

    name: str
    exact: bool
    """It fires on time, unless this process is not given the processor."""

    def arm(self, at_ns: int) -> None: ...

    def close(self) -> None: ...


class TimerFdPacer:
    """The precise one, on Linux."""

    name = "timerfd"
    exact = True

    def __init__(self, callback: Callable[[], None]) -> None:
        self._timer = timerfd.TimerFd()
        self._callback = callback
        self._watcher = get_hub().loop.io(self._timer.fd, 1)
        self._watcher.start(self._fire)
        self.arm = self._timer.arm

    def _fire(self) -> None:
        self._timer.drain()
        self._callback()

    def close(self) -> None:
        self._watcher.stop()
        self._watcher.close()
        self._timer.close()


class SpinPacer:
    """The honest one elsewhere: sleeps to 1.5 ms before the time, then spins. It costs CPU; the manifest says so."""

    name = "timer+spin"
    exact = False

    def __init__(self, callback: Callable[[], None]) -> None:
        self._callback = callback
        self._at_ns = 0
        self._timer = get_hub().loop.timer(0)

    def arm(self, at_ns: int) -> None:
        self._at_ns = at_ns
        self._timer.stop()
        self._timer.close()
        self._timer = get_hub().loop.timer(max(at_ns - monotonic_ns() - _COARSE_NS, 0) / 1e9)
        self._timer.start(self._fire)

    def _fire(self) -> None:
        while monotonic_ns() < self._at_ns:
            pass
        self._callback()

    def close(self) -> None:
        self._timer.stop()
        self._timer.close()


def best_pacer(callback: Callable[[], None]) -> Pacer:
    """The most precise pacer this system has; its `name` goes into the manifest."""
    try:
        return TimerFdPacer(callback)
    except (AttributeError, OSError):  # no Linux, or no descriptor left
        return SpinPacer(callback)
