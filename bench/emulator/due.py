"""The heap of responses that are due, driven by one precise timer. Edge; `dataplane` pushes and is called back."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from time import monotonic_ns
from typing import Generic, TypeVar

from bench.emulator.timerfd import Timer, best_timer

Work = TypeVar("Work")
_NEVER_NS = 1 << 62


class DueQueue(Generic[Work]):
    """Calls `on_due(work)` at each work's time, in order of time; ties in order of arrival."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        on_due: Callable[[Work], None],
        make_timer: Callable[[asyncio.AbstractEventLoop, Callable[[], None]], Timer] = best_timer,
    ) -> None:
        self._heap: list[tuple[int, int, Work]] = []
        self._on_due = on_due
        self._pushed = 0
        self._armed_ns = _NEVER_NS
        self._timer = make_timer(loop, self._fire)
        self.timer_kind = self._timer.kind

    def __len__(self) -> int:
        return len(self._heap)

    def push(self, due_ns: int, work: Work) -> None:
        """Have `work` called back at `due_ns` on the monotonic clock."""
        self._pushed += 1
        heapq.heappush(self._heap, (due_ns, self._pushed, work))
        if due_ns < self._armed_ns:
            self._armed_ns = due_ns
            self._timer.arm(due_ns)

    def close(self) -> None:
        self._heap.clear()
        self._timer.close()

    def _fire(self) -> None:
        heap = self._heap
        # While work is carried out nothing needs arming: whatever it pushes is seen by this loop.
        self._armed_ns = 0
        while heap and heap[0][0] <= monotonic_ns():
            self._on_due(heapq.heappop(heap)[2])
        self._armed_ns = heap[0][0] if heap else _NEVER_NS
        self._timer.arm(heap[0][0] if heap else 0)
