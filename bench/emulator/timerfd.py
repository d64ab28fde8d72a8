"""A timer that is right to some 0.03 ms where the system has one. Edge: kernel timers through ctypes.

`asyncio` and uvloop count in milliseconds, which is too coarse to be anybody's truth. On Linux a `timerfd`
is watched by the loop (os.timerfd_create exists only from Python 3.13). Elsewhere the loop's own timer is used;
`kind` says which, and the emulator prints it, because true times are then good to a millisecond only.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
import time
from collections.abc import Callable
from typing import Protocol

_CLOCK_MONOTONIC = 1
_TFD_NONBLOCK, _TFD_CLOEXEC, _TFD_TIMER_ABSTIME = 0o4000, 0o2000000, 1


class Timer(Protocol):
    """Calls back once at the time it was last armed for (monotonic ns); 0 disarms."""

    kind: str

    def arm(self, at_ns: int) -> None: ...

    def close(self) -> None: ...


class _Itimerspec(ctypes.Structure):
    _fields_ = (
        ("interval_s", ctypes.c_long),
        ("interval_ns", ctypes.c_long),
        ("value_s", ctypes.c_long),
        ("value_ns", ctypes.c_long),
    )


class TimerFd:
    """Linux's timerfd on CLOCK_MONOTONIC, the clock of `time.monotonic_ns`. OSError where there is none."""

    kind = "timerfd"

    def __init__(self, loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        if not hasattr(libc, "timerfd_create"):
            raise OSError("no timerfd on this system")
        self._fd = libc.timerfd_create(_CLOCK_MONOTONIC, _TFD_NONBLOCK | _TFD_CLOEXEC)
        if self._fd < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        self._spec = _Itimerspec()
        self._reference = ctypes.byref(self._spec)
        self._settime = libc.timerfd_settime
        self._loop = loop
        loop.add_reader(self._fd, callback)

    def arm(self, at_ns: int) -> None:
        """Setting the time also takes back an expiry that nobody has read, so nothing is ever read."""
        self._spec.value_s, self._spec.value_ns = divmod(at_ns, 1_000_000_000)
        self._settime(self._fd, _TFD_TIMER_ABSTIME, self._reference, None)

    def close(self) -> None:
        self._loop.remove_reader(self._fd)
        os.close(self._fd)


class LoopTimer:
    """The event loop's own timer, about a millisecond coarse."""

    kind = "loop"

    def __init__(self, loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
        self._loop = loop
        self._callback = callback
        self._handle: asyncio.TimerHandle | None = None

    def arm(self, at_ns: int) -> None:
        if self._handle is not None:
            self._handle.cancel()
        wait_s = max(0.0, (at_ns - time.monotonic_ns()) / 1e9)
        self._handle = self._loop.call_later(wait_s, self._callback) if at_ns else None

    def close(self) -> None:
        self.arm(0)


def best_timer(loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> Timer:
    """A timerfd where there is one."""
    if sys.platform == "linux":
        try:
            return TimerFd(loop, callback)
        except OSError:
            pass
    return LoopTimer(loop, callback)
