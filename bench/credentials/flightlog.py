"""What a manager's flights amounted to: who waited for them, how long, and how they ended. Pure.

Who calls it: the manager alone, which passes in the time. One record a finished flight, with the keys of
flights.jsonl and times in monotonic ns.
"""

from __future__ import annotations

from typing import Any

from bench.credentials.failure import Failure
from bench.credentials.lease import Grant


class FlightLog:
    """Counts of the flights so far, and the waiters of the one under way."""

    def __init__(self) -> None:
        self.flights = 0
        self.failures = 0
        self._joined_at: dict[int, int] = {}
        self._tickets = 0
        self._waiters = 0
        self._longest_wait_ns = 0

    @property
    def waiting(self) -> int:
        """How many wait now."""
        return len(self._joined_at)

    def join(self, now_ns: int) -> int:
        """Somebody starts to wait; the ticket is for `leave`."""
        self._tickets += 1
        self._waiters += 1
        self._joined_at[self._tickets] = now_ns
        return self._tickets

    def leave(self, ticket: int, now_ns: int) -> None:
        """Served, or tired of waiting. After the flight has landed this no longer counts for it."""
        joined_at = self._joined_at.pop(ticket, None)
        if joined_at is not None:
            self._longest_wait_ns = max(self._longest_wait_ns, now_ns - joined_at)

    def land(self, answer: Grant | Failure, now_ns: int) -> dict[str, Any]:
        """The flight is over: its waiters, its longest wait and its outcome, and a clean sheet for the next."""
        failed = isinstance(answer, Failure)
        first = next(iter(self._joined_at.values()), now_ns)  # tickets are in order of time: the first waits longest
        record = {
            "ended_ns": now_ns,
            "waiters": self._waiters,
            "longest_wait_ns": max(self._longest_wait_ns, now_ns - first),
            "outcome": "failed" if failed else "ok",
            "error": answer.error().describe() if isinstance(answer, Failure) else "",
        }
        self.flights += 1
        self.failures += failed
        self._joined_at.clear()
        self._waiters = self._longest_wait_ns = 0
        return record
