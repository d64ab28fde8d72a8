"""What INT, TERM, HUP and QUIT do to a command: it ends quietly, in order, with a documented code. Edge: handlers.

`while_starting` holds until there is anything to put in order; then `unwind` raises `Interrupted`, so that children are
ended and temporary folders removed on the way out.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from bench.errors import RunInvalid

ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT") if hasattr(signal, name))
_ONE_BURST_S = 2.0
"""A terminal, a supervisor and an impatient person send several signals where they mean one."""

_last_s = -_ONE_BURST_S


class Interrupted(KeyboardInterrupt):
    """One of `ENDING` has come."""

    exit_code = RunInvalid.exit_code


def handle(handler: Callable[[int, Any], None]) -> None:
    """Have `handler` called for each of `ENDING`; `nohup` keeps its promise."""
    for number in ENDING:
        if number != getattr(signal, "SIGHUP", None) or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def while_starting(*, line: bytes = b"interrupted\n", answer: bytes = b"") -> None:
    """From here on a signal ends the process at once, and says `line`: nothing has begun. `answer` is its output."""
    handle(lambda *_: leave(line=line, answer=answer))


def leave(*, line: bytes = b"interrupted\n", answer: bytes = b"") -> None:
    """End this process at once."""
    try:
        os.write(2, line)
        if answer:
            os.write(1, answer)
    finally:
        os._exit(Interrupted.exit_code)


def unwind() -> None:
    """From here on a signal raises `Interrupted`, once for several that come together."""
    sys.unraisablehook = _quiet_hook(sys.unraisablehook)
    handle(_raise)


def note() -> bool:
    """A signal has come. True unless it belongs to the last one."""
    global _last_s
    before, _last_s = _last_s, time.monotonic()
    return _last_s - before >= _ONE_BURST_S


def while_leaving() -> None:
    """From here on signals change nothing: Python takes its handlers away before it has ended."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def passed_on(send: Callable[[int], None]) -> Iterator[None]:
    """Within: every signal is passed on to `send` instead, for a child to end first."""

    def pass_on(number: int, _: Any) -> None:
        note()
        send(number)

    before = {number: signal.getsignal(number) for number in ENDING}
    handle(pass_on)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _raise(*_: Any) -> None:
    if note():
        raise Interrupted


def _quiet_hook(shown: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Python cannot raise within a destructor and would print a traceback: end there, as quietly as elsewhere."""

    def hook(unraisable: Any) -> None:
        if unraisable.exc_type is not None and issubclass(unraisable.exc_type, Interrupted):
            leave()
        shown(unraisable)

    return hook
