"""Who sends the next arrival. Edge on the hub: a pacer, idle users, and what is overdue.

An idle user is handed the next arrival when it is due. When all users are busy arrivals go overdue and
are claimed in order: nothing is skipped, and the debt shows as schedule lag.

DANGER: `_on_time` runs in the hub and switches straight into waiting users; it must not raise.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from heapq import merge
from itertools import chain, takewhile
from typing import Any

from gevent import get_hub, getcurrent

from bench.clock import monotonic_ns
from bench.load.engine.arrivals import Arrival
from bench.load.engine.pacer import best_pacer


class Dispatcher:
    """Hands out one worker's arrivals; `claimed` counts them.

    With `may_grow` idle users wait on when there is no arrival left, for another worker's may be added; until `cut`.
    """

    def __init__(self, arrivals: Iterator[Arrival], *, may_grow: bool = False) -> None:
        self.claimed = 0
        self._may_grow = may_grow
        self._arrivals = arrivals
        self._next: Arrival | None = None
        self._due_ns = 0
        self._zero_ns = 0
        self._idle: deque[Any] = deque()
        self._pacer = best_pacer(self._on_time)
        self._armed = False
        self._hub = get_hub()
        self._advance()

    @property
    def exhausted(self) -> bool:
        """There is no arrival left to hand out."""
        return self._next is None

    @property
    def pacer_name(self) -> str:
        return self._pacer.name

    def start(self, zero_ns: int) -> None:
        """The run's zero, absolute; before this everybody waits."""
        self._zero_ns = zero_ns
        if self._next is not None:
            self._due_ns = zero_ns + self._next.due_ns
        self._arm()

    def due(self, now_ns: int) -> int:
        """How many arrivals were due by `now_ns`, claimed or not; looks ahead, so ask when the run is over."""
        overdue = 0
        if self._next is not None and self._zero_ns:
            overdue = int(self._due_ns <= now_ns)
            for arrival in self._arrivals:
                if self._zero_ns + arrival.due_ns > now_ns:
                    break
                overdue += 1
        return self.claimed + overdue

    def lag_ns(self) -> int:
        """How long the oldest unclaimed arrival has been due; 0 when none is."""
        if self._next is None or not self._zero_ns:
            return 0
        return max(monotonic_ns() - self._due_ns, 0)

    def claim(self) -> Arrival | None:
        """The next arrival, once it is due; None when there are no more. Called in a user's greenlet."""
        arrival = self._next
        if arrival is None and not self._may_grow:
            return None
        if arrival is not None and self._zero_ns and self._due_ns <= monotonic_ns():
            self._advance()
            return arrival
        me = getcurrent()
        self._idle.append(me)
        if self._zero_ns and not self._armed:
            self._arm()
        try:
            claimed: Arrival | None = self._hub.switch()
        except BaseException:
            if me in self._idle:
                self._idle.remove(me)
            raise
        return claimed

    def add(self, arrivals: Iterator[Arrival]) -> None:
        """Hand these out too, each when it is due; those that are overdue at once."""
        own = self._arrivals if self._next is None else chain((self._next,), self._arrivals)
        self._arrivals = merge(own, arrivals)
        self._next = None
        self._advance()
        self._hub.loop.run_callback(self._on_time)

    def withdraw(self, user: Any) -> None:
        """The greenlet `user` is about to be killed: hand it nothing any more, for it would take that along."""
        if user in self._idle:
            self._idle.remove(user)

    def cut(self, now_ns: int) -> None:
        """The schedule ends at `now_ns`. What was due by then is handed out in the hub's next turn, as far as users
        are idle: the hub may have been busy when it was its time."""
        self._may_grow = False
        self._arrivals = takewhile(lambda arrival: self._zero_ns + arrival.due_ns <= now_ns, self._arrivals)
        if self._next is not None and (not self._zero_ns or self._due_ns > now_ns):
            self._next = None
        self._hub.loop.run_callback(self._on_time)

    def close(self) -> None:
        """Wake everybody with None; nothing is handed out after this."""
        self._next = None
        self._may_grow = False
        self._pacer.close()
        self._release()

    def _advance(self) -> None:
        """Move on to the arrival after the one just handed out."""
        if self._next is not None:
            self.claimed += 1
        self._next = next(self._arrivals, None)
        if self._next is not None:
            self._due_ns = self._zero_ns + self._next.due_ns

    def _arm(self) -> None:
        if self._next is not None:
            self._armed = True
            self._pacer.arm(self._due_ns)

    def _on_time(self) -> None:
        self._armed = False
        idle = self._idle
        while idle and self._next is not None:
            if self._due_ns > monotonic_ns():
                self._arm()
                return
            arrival = self._next
            self._advance()
            idle.popleft().switch(arrival)
        if self._next is None and not self._may_grow:
            self._release()

    def _release(self) -> None:
        while self._idle:
            self._hub.loop.run_callback(self._idle.popleft().switch, None)
