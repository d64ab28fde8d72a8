"""A child that does not outlive its parent. Edge: the parent-death signal, where the system has one.

The parent writes down who it is (`terms`), the child holds it to that (`follow`). Linux sends the signal when the
*thread* that forked the child ends, so it is asked for only by children of a main thread; every child also watches a
pipe or its parent's number, which is all there is elsewhere.
"""

from __future__ import annotations

import ctypes
import os
import signal
import threading
from typing import TypedDict

_PR_SET_PDEATHSIG = 1
PARENT_VARIABLE = "BENCH_PARENT"
"""Set for a `bench` that another `bench` starts."""

LOST_PARENT = getattr(signal, "SIGUSR2", signal.SIGTERM)
"""The signal by which a Locust learns that its parent is gone; no terminal and no person sends it."""


class Terms(TypedDict):
    """Whom a child follows, and whether the system can notify it of its end."""

    parent: int
    main_thread: bool


def terms() -> Terms:
    """Of a child that this thread is about to start."""
    # by the system's number: where gevent has patched `threading`, every greenlet is a thread
    return {"parent": os.getpid(), "main_thread": threading.get_native_id() == os.getpid()}


def follow(agreed: Terms, *, number: int) -> bool:
    """Have the system send `number` when the parent ends. False when it has ended already."""
    if agreed["main_thread"]:
        request_death_signal(number)
    return os.getppid() == agreed["parent"]


def request_death_signal(number: int) -> bool:
    """Whether the system will send `number` when the parent ends. It may have ended before: check its id afterwards."""
    try:
        return bool(ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0) == 0)
    except (AttributeError, OSError):
        return False


def as_variable(agreed: Terms) -> str:
    """For the environment of a child."""
    return f"{agreed['parent']}:{int(agreed['main_thread'])}"


def from_variable(text: str) -> Terms | None:
    """The inverse; None for what is not one."""
    parent, _, main_thread = text.partition(":")
    return {"parent": int(parent), "main_thread": main_thread == "1"} if parent.isdigit() else None
