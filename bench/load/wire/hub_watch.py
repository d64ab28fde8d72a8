"""The harness doubting itself: how long the hub was busy between two looks at the kernel. Edge.

One `check` watcher runs right after each poll and one `prepare` watcher right before the next, so the
time between them is time in which no answer could be noticed. `polled_ns`, the moment the last poll
came back, is the honest time for whatever that poll reported: an answer that had to queue behind four
others in the same batch did not arrive later for it.
"""

from __future__ import annotations

import gc
import time
from typing import Any

from gevent import get_hub

from bench.clock import monotonic_ns

STALL_NS = 1_000_000
_MOST_STALLS = 200


class HubWatch:
    """Stalls of the hub of this thread, and the time of its last poll.

    Since it was made: `busy_ns` between polls, `stalled_ns` of it in turns of more than 1 ms, `descheduled_ns` of that
    without the processor.
    """

    def __init__(self) -> None:
        loop = get_hub().loop
        self.polled_ns = monotonic_ns()
        self._check = loop.check()
        self._prepare = loop.prepare()
        self._check.priority = loop.MAXPRI  # before any answer is handled
        self._prepare.priority = loop.MINPRI  # after gevent has run its callbacks, which are busy time too
        self._cause = ""
        self._gc_began_ns = 0
        self._gc_ns = 0
        self.busy_ns = self.stalled_ns = self.descheduled_ns = 0
        self._drained_busy_ns = 0
        self._accounted = (0, 0)  # busy and processor time up to the last stall
        self._longest_ns = 0
        self._stalls: list[tuple[int, int, str]] = []

    def start(self) -> None:
        self.polled_ns = monotonic_ns()
        self._accounted = (self.busy_ns, time.thread_time_ns())
        self._check.start(self._after_poll)
        self._prepare.start(self._before_poll)
        gc.callbacks.append(self._on_gc)

    def stop(self) -> None:
        for watcher in (self._check, self._prepare):
            watcher.stop()
            watcher.close()
        if self._on_gc in gc.callbacks:
            gc.callbacks.remove(self._on_gc)

    def blame(self, cause: str) -> None:
        """Say who holds the hub in this turn of the loop."""
        self._cause = cause

    def drain(self) -> dict[str, Any]:
        """What happened since the last call: `stall_max_ms`, `stalls` (absolute `at_ns`), `gc_ms`, `busy_ms`."""
        report = {
            "stall_max_ms": self._longest_ns / 1e6,
            "stalls": [{"at_ns": at, "ms": ns / 1e6, "cause": cause} for at, ns, cause in self._stalls],
            "gc_ms": self._gc_ns / 1e6,
            "busy_ms": (self.busy_ns - self._drained_busy_ns) / 1e6,
        }
        self._stalls = []
        self._longest_ns = self._gc_ns = 0
        self._drained_busy_ns = self.busy_ns
        self._accounted = (self.busy_ns, time.thread_time_ns())
        return report

    def _after_poll(self) -> None:
        self.polled_ns = monotonic_ns()

    def _before_poll(self) -> None:
        busy_ns = monotonic_ns() - self.polled_ns
        self.busy_ns += busy_ns
        if busy_ns > self._longest_ns:
            self._longest_ns = busy_ns
        if busy_ns > STALL_NS:
            self._on_stall(busy_ns)
        if self._cause:
            self._cause = ""

    def _on_stall(self, busy_ns: int) -> None:
        """What a busy thread lacks in processor time since the last stall, it was not given."""
        self.stalled_ns += busy_ns
        busy_then_ns, cpu_then_ns = self._accounted
        cpu_ns = time.thread_time_ns()
        lacking_ns = (self.busy_ns - busy_then_ns) - (cpu_ns - cpu_then_ns)
        self._accounted = (self.busy_ns, cpu_ns)
        self.descheduled_ns += min(max(lacking_ns, 0), busy_ns)
        if len(self._stalls) < _MOST_STALLS:
            self._stalls.append((self.polled_ns, busy_ns, self._cause or "unknown"))

    def _on_gc(self, phase: str, _info: dict[str, int]) -> None:
        now = monotonic_ns()
        if phase == "start":
            self._gc_began_ns = now
            return
        took_ns = now - self._gc_began_ns
        self._gc_ns += took_ns
        if took_ns > STALL_NS:
            self._cause = "gc"
