"""Who sends the next arrival. Edge on the hub: a pacer, and for each variant its idle users and what is overdue.

An idle user is handed its variant's next arrival when that is due. When all users of a variant are busy its arrivals go
overdue and are claimed in order: nothing is skipped, and the debt shows as schedule lag. No variant waits for another.

DANGER: `_on_time` runs in the hub and switches straight into waiting users; it must not raise.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from heapq import merge
from itertools import chain, takewhile, tee
from typing import Any

from gevent import get_hub, getcurrent

from bench.clock import monotonic_ns
from bench.load.engine.arrivals import Arrival
from bench.load.engine.lateness import LATE_NS, Lateness
from bench.load.engine.pacer import best_pacer
from bench.load.wire.deadlines import NEVER


class _Queue:
    """One variant's arrivals, and its users that wait for them, the longest idle first."""

    __slots__ = ("arrivals", "due_ns", "idle", "lateness", "next", "zero_ns")

    def __init__(self, arrivals: Iterator[Arrival], lateness: Lateness) -> None:
        self.arrivals = arrivals
        self.lateness = lateness
        self.idle: deque[Any] = deque()
        self.zero_ns = 0
        self.due_ns = 0
        self.next: Arrival | None = None
        self.advance()

    def advance(self) -> None:
        arrival = self.next = next(self.arrivals, None)
        if arrival is not None:
            self.due_ns = self.zero_ns + arrival.due_ns

    def left(self) -> Iterator[Arrival]:
        """What was not handed out, the next one first."""
        return self.arrivals if self.next is None else chain((self.next,), self.arrivals)


def _is_of(variant: int) -> Callable[[Arrival], bool]:
    return lambda arrival: arrival.variant == variant


class Dispatcher:
    """Hands out one worker's arrivals, given as one iterator a variant; `claimed` counts them.

    With `may_grow` idle users wait on when there is no arrival left, for another worker's may be added; until `cut`.
    `late_cause` says why the arrival that was just claimed is late; read it before anything else is done.
    """

    def __init__(
        self, arrivals: Sequence[Iterator[Arrival]], lateness: Sequence[Lateness], *, may_grow: bool = False
    ) -> None:
        self.claimed = 0
        self._may_grow = may_grow
        self.late_cause = ""
        self._queues = tuple(_Queue(own, late) for own, late in zip(arrivals, lateness, strict=True))
        self._zero_ns = 0
        self._pacer = best_pacer(self._on_time)
        self._armed_ns = NEVER
        self._fence_ns = NEVER
        self._at_fence: Callable[[], object] = lambda: None
        self._hub = get_hub()
        for late in lateness:
            late.exact_timer = self._pacer.exact

    @property
    def exhausted(self) -> bool:
        """There is no arrival left to hand out."""
        return all(queue.next is None for queue in self._queues)

    @property
    def pacer_name(self) -> str:
        return self._pacer.name

    def start(self, zero_ns: int) -> None:
        """The run's zero, absolute; before this everybody waits."""
        self._zero_ns = zero_ns
        for queue in self._queues:
            queue.zero_ns = zero_ns
            queue.lateness.on_time(zero_ns)
            if queue.next is not None:
                queue.due_ns = zero_ns + queue.next.due_ns
                self._arm(queue.due_ns)

    def due(self, now_ns: int) -> int:
        """How many arrivals were due by `now_ns`, claimed or not; looks ahead, so ask when the run is over."""
        overdue = 0
        for queue in self._queues:
            if queue.next is not None and self._zero_ns and queue.due_ns <= now_ns:
                overdue += 1
                for arrival in queue.arrivals:
                    if self._zero_ns + arrival.due_ns > now_ns:
                        break
                    overdue += 1
        return self.claimed + overdue

    def lag_ns(self) -> int:
        """How long the oldest unclaimed arrival has been due; 0 when none is."""
        dues = [queue.due_ns for queue in self._queues if queue.next is not None]
        return max(monotonic_ns() - min(dues), 0) if dues and self._zero_ns else 0

    def claim(self, variant: int) -> Arrival | None:
        """The variant's next arrival, once it is due; None when there are no more. Called in a user's greenlet.

        It may be another variant's if this user was moved (`move`) while it waited.
        """
        queue = self._queues[variant]
        arrival = queue.next
        if arrival is None and not self._may_grow:
            return None
        if arrival is not None and self._zero_ns:
            now_ns = monotonic_ns()
            if queue.due_ns <= now_ns:
                if now_ns <= self._fence_ns:
                    self._take(queue, now_ns)
                    return arrival
                self._at_fence()
        me = getcurrent()
        queue.idle.append(me)
        if arrival is not None and self._zero_ns:
            self._arm(queue.due_ns)
        try:
            claimed: Arrival | None = self._hub.switch()
        except BaseException:
            self.withdraw(me)
            raise
        return claimed

    def add(self, arrivals: Iterator[Arrival]) -> None:
        """Hand these out too, each when it is due; those that are overdue at once. They may be of any variant."""
        for variant, (queue, copy) in enumerate(zip(self._queues, tee(arrivals, len(self._queues)), strict=True)):
            queue.arrivals = merge(queue.left(), filter(_is_of(variant), copy))
            queue.advance()
        self._hub.loop.run_callback(self._on_time)

    def replace(self, from_ns: int, arrivals: Iterator[Arrival]) -> None:
        """From `from_ns` (since the run's zero) on these are due, and nothing else that was to be handed out then."""
        for variant, (queue, copy) in enumerate(zip(self._queues, tee(arrivals, len(self._queues)), strict=True)):
            before = takewhile(lambda arrival: arrival.due_ns < from_ns, queue.left())
            queue.arrivals = chain(before, filter(_is_of(variant), copy))
            queue.advance()
        self._hub.loop.run_callback(self._on_time)

    def fence(self, until_ns: int, at_fence: Callable[[], object]) -> None:
        """Hand out nothing later than `until_ns` (monotonic), until it is moved. `at_fence` is called, in the hub or in
        a user's greenlet, for what is held back: it must return at once."""
        self._fence_ns, self._at_fence = until_ns, at_fence
        self._hub.loop.run_callback(self._on_time)

    def withdraw(self, user: Any) -> None:
        """The greenlet `user` is about to be killed: hand it nothing any more, for it would take that along."""
        for queue in self._queues:
            if user in queue.idle:
                queue.idle.remove(user)

    def move(self, user: Any, *, to: int) -> bool:
        """Have the greenlet `user`, if it is idle, wait for arrivals of variant `to`. Says whether it was."""
        there = any(user in queue.idle for queue in self._queues)
        if there:
            self.withdraw(user)
            queue = self._queues[to]
            queue.idle.append(user)
            if queue.next is None:
                self._hub.loop.run_callback(self._on_time)
            elif self._zero_ns:
                self._arm(queue.due_ns)
        return there

    def set_users(self, counts: Sequence[int]) -> None:
        """How many users each variant has now."""
        for queue, count in zip(self._queues, counts, strict=True):
            queue.lateness.users = max(count, 1)

    def cut(self, now_ns: int) -> None:
        """The schedule ends at `now_ns`. What was due by then is handed out in the hub's next turn, as far as users
        are idle: the hub may have been busy when it was its time."""
        self._may_grow = False
        zero_ns = self._zero_ns
        for queue in self._queues:
            queue.arrivals = takewhile(lambda arrival: zero_ns + arrival.due_ns <= now_ns, queue.arrivals)
            if queue.next is not None and (not zero_ns or queue.due_ns > now_ns):
                queue.next = None
        self._hub.loop.run_callback(self._on_time)

    def close(self) -> None:
        """Wake everybody with None; nothing is handed out after this."""
        self._may_grow = False
        for queue in self._queues:
            queue.next = None
            self._release(queue)
        self._pacer.close()

    def _take(self, queue: _Queue, now_ns: int) -> None:
        """The queue's next arrival is begun now. Hot: a request that is on time costs one comparison more."""
        self.claimed += 1
        lag_ns = now_ns - queue.due_ns
        if lag_ns > LATE_NS:
            self.late_cause = queue.lateness.cause(lag_ns, now_ns, somebody_idle=bool(queue.idle))
        else:
            self.late_cause = queue.lateness.on_time(now_ns)
        queue.advance()

    def _arm(self, at_ns: int) -> None:
        if at_ns < self._armed_ns:
            self._armed_ns = at_ns
            self._pacer.arm(at_ns)

    def _on_time(self) -> None:
        self._armed_ns = NEVER
        while True:
            first: _Queue | None = None
            for queue in self._queues:
                if queue.idle and queue.next is not None and (first is None or queue.due_ns < first.due_ns):
                    first = queue
            if first is None:
                break
            now_ns = monotonic_ns()
            if first.due_ns > now_ns:
                self._arm(first.due_ns)
                break
            if now_ns > self._fence_ns:
                self._at_fence()
                break
            arrival = first.next
            self._take(first, now_ns)
            first.idle.popleft().switch(arrival)
        if not self._may_grow:
            for queue in self._queues:
                if queue.next is None:
                    self._release(queue)

    def _release(self, queue: _Queue) -> None:
        while queue.idle:
            self._hub.loop.run_callback(queue.idle.popleft().switch, None)
