"""The heap of responses that are due, answered to within some 0.02 ms. Edge; `model` pushes and is called back.

A sleeping CPU needs 0.03 to 0.2 ms to wake (most in a virtual machine), which would be added to every service
time. So the timer is armed early by as much as it has recently been late, and the rest is waited for with the loop
kept turning: sockets are read meanwhile. With `busy` the loop turns always, which takes a core and also spares
requests the wake-up when they come in.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from time import monotonic_ns
from typing import Generic, TypeVar

from bench.emulator.timerfd import Timer, best_timer

Work = TypeVar("Work")
_NEVER_NS = 1 << 62
_LATENESS_LIMIT_NS = 250_000
_HEADROOM_NS = 30_000


class DueQueue(Generic[Work]):
    """Calls `on_due(work)` at each work's time, in order of time; ties in order of arrival."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        on_due: Callable[[Work], None],
        *,
        busy: bool = False,
        make_timer: Callable[[asyncio.AbstractEventLoop, Callable[[], None]], Timer] = best_timer,
    ) -> None:
        self._heap: list[tuple[int, int, Work]] = []
        self._loop = loop
        self._on_due = on_due
        self._busy = busy
        self._pushed = 0
        self._lateness_ns = 0
        self._timer = make_timer(loop, self._fire)
        self.timer_kind = self._timer.kind
        self._closed = False
        # When the timer will fire; 0 while the loop is kept turning and nothing needs arming.
        self._armed_ns = _NEVER_NS
        if busy:
            self._turn()

    def push(self, due_ns: int, work: Work) -> None:
        """Have `work` called back at `due_ns` on the monotonic clock."""
        self._pushed += 1
        heapq.heappush(self._heap, (due_ns, self._pushed, work))
        early_ns = due_ns - self._lateness_ns - _HEADROOM_NS
        if early_ns < self._armed_ns:
            self._armed_ns = early_ns
            self._timer.arm(early_ns)

    def close(self) -> None:
        self._closed = True
        self._heap.clear()
        self._timer.close()

    def _fire(self) -> None:
        late_ns = min(monotonic_ns() - self._armed_ns, _LATENESS_LIMIT_NS)
        self._lateness_ns += (late_ns - self._lateness_ns) // 8
        self._timer.arm(0)
        self._turn()

    def _turn(self) -> None:
        if self._closed:
            return
        heap = self._heap
        self._armed_ns = 0
        while heap and heap[0][0] <= (now_ns := monotonic_ns()):
            self._on_due(heapq.heappop(heap)[2])
        if self._busy:
            self._loop.call_soon(self._turn)
        elif not heap:
            self._armed_ns = _NEVER_NS
        elif heap[0][0] - now_ns <= self._lateness_ns + _HEADROOM_NS:
            self._loop.call_soon(self._turn)
        else:
            self._armed_ns = heap[0][0] - self._lateness_ns - _HEADROOM_NS
            self._timer.arm(self._armed_ns)
