"""Giving up on time, for any number of connections, with one timer. Edge.

Nothing is allocated for a request: a connection carries its own `deadline_ns`, and the timer is set for
the earliest one seen. When it fires, the connections are looked through once and the timer is set for the
earliest deadline that is still waited for, which in a healthy run is a whole timeout away.
"""

from __future__ import annotations

from typing import Any, Protocol

from gevent import get_hub

from bench.clock import monotonic_ns

NEVER = 1 << 62


class Expires(Protocol):
    """What can run out of time; `deadline_ns` is `NEVER` while it waits for nothing."""

    deadline_ns: int

    def expire(self) -> None: ...


class Deadlines:
    """Calls `expire`, in the hub, on whoever's deadline has passed."""

    def __init__(self) -> None:
        self._members: set[Expires] = set()
        self._armed_ns = NEVER
        self._timer: Any = None

    def join(self, member: Expires) -> None:
        self._members.add(member)

    def leave(self, member: Expires) -> None:
        self._members.discard(member)

    def note(self, deadline_ns: int) -> None:
        """A member has set this deadline. Hot: nearly always one comparison."""
        if deadline_ns < self._armed_ns:
            self._arm(deadline_ns)

    def close(self) -> None:
        self._members.clear()
        self._disarm()

    def _arm(self, at_ns: int) -> None:
        self._disarm()
        self._armed_ns = at_ns
        self._timer = get_hub().loop.timer(max((at_ns - monotonic_ns()) / 1e9, 0.0005))
        self._timer.start(self._sweep)

    def _disarm(self) -> None:
        self._armed_ns = NEVER
        if self._timer is not None:
            self._timer.stop()
            self._timer.close()
            self._timer = None

    def _sweep(self) -> None:
        self._disarm()
        now = monotonic_ns()
        for member in [member for member in self._members if member.deadline_ns <= now]:
            if member.deadline_ns <= now:  # still: whoever expired before it may have ended its wait
                member.expire()
        earliest_ns = min((member.deadline_ns for member in self._members), default=NEVER)
        if earliest_ns < self._armed_ns:
            self._arm(earliest_ns)
