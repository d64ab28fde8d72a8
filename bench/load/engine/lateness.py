"""Why a request was begun late: one word a request, for the column `late_cause`. Edge: reads the hub's watch.

A backlog outlives its cause: after an outage of the credential of 16 s the arrivals of another 16 s are late. So what
counts is what happened since the variant last was on time, its late period:

    hub         this process was busy for more than 1 ms at a time (its garbage, its files, somebody's listener)
    cpu         it was not given the processor, or had nothing left of it
    credential  the variant's users waited for a lease
    users       they all awaited answers that the target had not given
    pacer       none of these: a user was idle, the hub was free, and the timer came late; where the timer is one that
                is never late by itself (timerfd), the processor was given to somebody else meanwhile, and it is `cpu`

The first that explains at least half of the lag is the word. Costs one comparison for a request that is on time, and no
more than a microsecond for one that is not.
"""

from __future__ import annotations

from bench.load.wire.hub_watch import STALL_NS, HubWatch
from bench.sample import LateCause

LATE_NS = 1_000_000
_ALL_OF_A_PROCESSOR = 0.9


class LeaseWaits:
    """Time that one variant's users have waited for leases, including those who still wait. Hot."""

    __slots__ = ("_over_ns", "_since_ns", "_waiting")

    def __init__(self) -> None:
        self._over_ns = 0
        self._waiting = 0
        self._since_ns = 0  # sum of the times at which those who wait began

    def begin(self, now_ns: int) -> None:
        self._waiting += 1
        self._since_ns += now_ns

    def end(self, began_ns: int, now_ns: int) -> None:
        self._waiting -= 1
        self._since_ns -= began_ns
        self._over_ns += now_ns - began_ns

    def total_ns(self, now_ns: int) -> int:
        return self._over_ns + self._waiting * now_ns - self._since_ns


class Lateness:
    """One variant's. `users` is how many it has now; `exact_timer` that the pacer is never late by itself."""

    __slots__ = (
        *("_busy_ns", "_cpu_ns", "_late", "_leases", "_leases_ns", "_stalled_ns", "_start_ns", "_watch"),
        *("exact_timer", "users"),
    )

    def __init__(self, watch: HubWatch, leases: LeaseWaits) -> None:
        self.users = 1
        self.exact_timer = False
        self._watch = watch
        self._leases = leases
        self._late = True
        self._start_ns = self._leases_ns = self._stalled_ns = self._cpu_ns = self._busy_ns = 0

    def on_time(self, now_ns: int) -> str:
        """A request is begun when it was due: a late period, if there was one, is over."""
        if self._late or now_ns - self._start_ns > LATE_NS:
            watch = self._watch
            self._late = False
            self._start_ns = now_ns
            self._leases_ns = self._leases.total_ns(now_ns)
            self._stalled_ns, self._cpu_ns, self._busy_ns = watch.stalled_ns, watch.descheduled_ns, watch.busy_ns
        return LateCause.NONE.value

    def cause(self, lag_ns: int, now_ns: int, *, somebody_idle: bool) -> str:
        """The word for a request that is begun `lag_ns` late."""
        if lag_ns <= LATE_NS:
            return self.on_time(now_ns)
        self._late = True
        watch = self._watch
        half_ns = lag_ns // 2
        turn_ns = now_ns - watch.polled_ns
        if watch.descheduled_ns - self._cpu_ns >= half_ns:
            return LateCause.CPU.value
        if watch.stalled_ns - self._stalled_ns + (turn_ns if turn_ns > STALL_NS else 0) >= half_ns:
            return LateCause.HUB.value
        if (self._leases.total_ns(now_ns) - self._leases_ns) >= half_ns * self.users:
            return LateCause.CREDENTIAL.value
        if watch.busy_ns - self._busy_ns + turn_ns > _ALL_OF_A_PROCESSOR * (now_ns - self._start_ns):
            return LateCause.CPU.value
        if not somebody_idle:
            return LateCause.USERS.value
        return LateCause.CPU.value if self.exact_timer else LateCause.PACER.value
