"""What ends this Locust from outside: a signal, or the loss of its parent. Edge: signal handlers, stdin's end.

    INT, TERM           the run ends in order; a run without an end is whole then
    HUP, QUIT           the run ends in order, and early
    no parent any more  the same, within 2 s: a worker's parent is its master, that of a Locust which `bench` started is
                        `bench`

A second signal, when it is not of the first one's burst, waits for no answer any more. A worker leaves the end to its
master, which the same signal has reached, and goes by itself only if it hears nothing.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any, Protocol

import gevent

from bench.process import handover, lifeline, signals, supervise

_MASTER_SPEAKS_FIRST_S = 2.0
_LOST_ENDS_WITHIN_S = 1.7
_WORKER_ENDS_WITHIN_S = 1.9
_HURRIED_ENDS_WITHIN_S = 1.5
_LOOK_EVERY_S = 0.5
_PERSON = (signal.SIGINT, signal.SIGTERM)
_IMPORTED_BY = os.getpid()


class Ended(Protocol):
    """Whoever can end the run: `by_person` when a run without an end is whole so."""

    def __call__(self, *, by_person: bool) -> None: ...


class Endings:
    """The handlers of one Locust process. `is_worker` with a master elsewhere follows nobody."""

    def __init__(self, end: Ended, *, is_worker: bool) -> None:
        self._end = end
        self._is_worker = is_worker
        self._ending = False
        for number in signals.ENDING:
            if number != getattr(signal, "SIGHUP", None) or signal.getsignal(number) is not signal.SIG_IGN:
                gevent.signal_handler(number, self._on_signal, number)
        _keep_from_locust()
        self._parent = _IMPORTED_BY if os.getpid() != _IMPORTED_BY else 0
        if self._parent or handover.taken() is not None:
            self._follow()

    def _on_signal(self, number: int) -> None:
        if not signals.note():
            return
        if self._ending:
            _exit_after(_HURRIED_ENDS_WITHIN_S)
            return
        self._ending = True
        if self._is_worker:
            gevent.sleep(_MASTER_SPEAKS_FIRST_S)
        self._end(by_person=number in _PERSON)

    def _follow(self) -> None:
        """A worker that Locust has forked follows its master, and all of them the pipe from `bench`."""
        if hasattr(signal, "SIGUSR2"):
            gevent.signal_handler(signal.SIGUSR2, self._lost)
        if self._parent:
            lifeline.request_death_signal(lifeline.LOST_PARENT)
        else:
            taken = handover.taken()
            self._parent = taken.life["parent"] if taken is not None else 0
        if handover.taken() is not None:
            self._watch_stdin()
        self._watcher = supervise.start(self._look, where="the watch on the parent")

    def _look(self) -> None:
        """For systems without a parent-death signal; and it may have died before that was asked for."""
        while os.getppid() == self._parent:
            gevent.sleep(_LOOK_EVERY_S)
        self._lost()

    def _watch_stdin(self) -> None:
        self._stdin = gevent.get_hub().loop.io(0, 1)
        self._stdin.start(self._on_stdin)

    def _on_stdin(self) -> None:
        """In the hub: nobody writes to this pipe, so it has ended. A worker hears from its master what to do."""
        self._stdin.stop()
        if self._is_worker:
            _exit_after(_WORKER_ENDS_WITHIN_S)
            return
        supervise.start(self._lost, where="the loss of the parent")

    def _lost(self) -> None:
        """The parent is gone. Answers that take longer than this are not awaited."""
        _exit_after(_LOST_ENDS_WITHIN_S)
        if not self._ending:
            self._ending = True
            self._end(by_person=False)


def _exit_after(seconds: float) -> None:
    """A timer of the system's: a greenlet's would not fire when one of them spins."""
    signal.signal(signal.SIGALRM, lambda *_: os._exit(signals.Interrupted.exit_code))
    if signal.getitimer(signal.ITIMER_REAL)[0] == 0:
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _keep_from_locust() -> None:
    """Locust installs a handler of TERM a moment after this; it would shut down beside ours, once for each signal."""
    install = gevent.signal_handler

    def all_but_one(number: int, handler: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if number == signal.SIGTERM and getattr(handler, "__module__", "") == "locust.main":
            gevent.signal_handler = install
            return None
        return install(number, handler, *args, **kwargs)

    gevent.signal_handler = all_but_one


def exit_now(code: int) -> None:
    """End this process where nothing has begun: Locust may be waiting for workers that will never come."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
