"""What the relay's two ends send each other, and how a deadline crosses hosts. Pure.

    worker -> master   {"ask": 7, "variant": "aml_token", "newer_than": 3, "refused": 0}     7 numbers the question
    master -> worker   {"reply": 7, "working": true, ...}                    at once, then every second
                       {"reply": 7, "lease": {...}, ...}                     or "failure": {...}
                       {"lease": {...}, ...}                                 unasked: a new lease
                       all with "variant" and "sent_at"

Times are ns on the master's monotonic clock. A worker may sit on another host, whose clock has another zero: see
`ClockBridge`.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from bench.credentials.lease import NEVER_NS, Grant, Lease, Validity

MASTER = "master"
"""What the master is called on an envelope; a worker goes by its own id."""
WORKING_EVERY_S = 1.0


class ClockBridge:
    """How far the master's monotonic clock is ahead of ours, as an upper bound.

    A reply was sent after its question was: sent_at >= asked_at + offset, so offset <= sent_at - asked_at. The quickest
    reply gives the tightest bound. With it a deadline is moved to our clock a little early, never late.
    """

    def __init__(self) -> None:
        self._ahead_ns: int | None = None

    def learn(self, *, asked_at: int, sent_at: int) -> None:
        """A question we asked at `asked_at` (our clock) got a reply sent at `sent_at` (the master's)."""
        bound = sent_at - asked_at
        self._ahead_ns = bound if self._ahead_ns is None else min(self._ahead_ns, bound)

    def ours(self, theirs: int) -> int:
        """The master's time `theirs` on our clock; NEVER_NS stays what it is."""
        return theirs if theirs == NEVER_NS else theirs - (self._ahead_ns or 0)


def lease_as_json(lease: Lease) -> dict[str, Any]:
    """For a sealed message only: the secret is in it."""
    grant = Grant(
        secrets=(lease.secret,),
        auth_mode=lease.auth_mode,
        generation=lease.generation,
        valid=Validity(issued_at=lease.issued_at, refresh_after=lease.refresh_after, expires_at=lease.expires_at),
    )
    return grant.as_json()


def grant_from_json(values: dict[str, Any], bridge: ClockBridge) -> Grant:
    """The master's lease as a grant on our clock; it keeps the master's generation."""
    grant = Grant.from_json(values)
    valid = Validity(
        issued_at=bridge.ours(grant.valid.issued_at),
        refresh_after=bridge.ours(grant.valid.refresh_after),
        expires_at=bridge.ours(grant.valid.expires_at),
    )
    return dataclasses.replace(grant, valid=valid)
