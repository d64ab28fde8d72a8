"""The one way to start a greenlet, and the one place where a failure in any of them is reported. Edge: gevent's hub.

An exception that nobody expects must end the run, not just the greenlet that met it. `start`, `start_later` and `run`
catch it, `watch_hub` has the hub's own callbacks caught; whoever called `report_to` hears of each as a `Failure`, in a
greenlet of its own. While nobody has, exceptions go where gevent sends them.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import gevent

_PACKAGE = str(Path(__file__).parents[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What broke `where`. `traceback` is that of `error`, as text; neither is free of secrets."""

    where: str
    error: BaseException
    traceback: str


_listener: Callable[[Failure], None] | None = None


def report_to(listener: Callable[[Failure], None] | None) -> None:
    """From here on `listener` is called with every failure in this process; None: nobody any more."""
    global _listener
    _listener = listener


def start(function: Callable[..., Any], *args: Any, where: str) -> gevent.Greenlet:
    """Call `function` in a greenlet; `where` says which in a message to people. Its result is None if it broke."""
    return gevent.spawn(_call, where, function, args)


def start_later(seconds: float, function: Callable[..., Any], *args: Any, where: str) -> gevent.Greenlet:
    """The same, after a while; `kill` it when the reason for it is gone."""
    return gevent.spawn_later(seconds, _call, where, function, args)


def failed(where: str, error: BaseException) -> bool:
    """Report an exception that was caught. False when there is nobody to report it to."""
    if _listener is None:
        return False
    gevent.spawn(_listener, failure_of(where, error))
    return True


def failure_of(where: str, error: BaseException) -> Failure:
    """An exception that was caught, for whoever keeps it."""
    return Failure(where=where, error=error, traceback="".join(traceback.format_exception(error)))


@contextmanager
def run(where: str) -> Iterator[None]:
    """Within: what breaks is reported, and goes no further. For hooks of Locust's, which would log it and go on as if
    nothing had happened."""
    try:
        yield
    except Exception as exc:
        if not failed(where, exc):
            raise


def watch_hub() -> None:
    """Report what breaks in this package's callbacks in the hub (timers, sockets, signals) too.

    Safe to call twice.
    """
    hub = gevent.get_hub()
    handle = hub.handle_error
    if getattr(handle, "is_supervised", False):
        return

    def handle_error(context: Any, kind: Any, value: Any, trace: Any) -> None:
        ours = isinstance(value, Exception) and _passes_through_us(trace)
        if not (ours and failed("the hub", value)):
            handle(context, kind, value, trace)

    handle_error.is_supervised = True  # type: ignore[attr-defined]  # a mark on a function
    hub.handle_error = handle_error


def _call(where: str, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    with run(where):
        return function(*args)


def _passes_through_us(trace: TracebackType | None) -> bool:
    while trace is not None:
        if trace.tb_frame.f_code.co_filename.startswith(_PACKAGE):
            return True
        trace = trace.tb_next
    return False
