"""The manager of a static secret: one lease for the whole run, never renewed, for there is nothing to renew it with.

Like `manager` it may touch gevent and nothing else. A JWT states when it ends; a secret that does not is taken to last.
"""

from __future__ import annotations

import dataclasses

from bench import clock
from bench.credentials.claims import expiry_ns
from bench.credentials.failure import Failure, FailureKind
from bench.credentials.lease import Lease
from bench.credentials.manager import DEFAULT_TIMEOUT_S, CredentialManager
from bench.credentials.patience import Patience


class StaticManager(CredentialManager):
    """Hands out the same lease also after its end: whether it still works is for the endpoint to say."""

    _lease: Lease | None = None

    def lease(self, timeout_s: float = DEFAULT_TIMEOUT_S) -> Lease:
        """The one lease. The policy takes it for one without end, lest it ask for another."""
        if self._lease is None:
            granted, now_ns = super().lease(timeout_s), self._now_ns()
            ends_ns = expiry_ns(granted.secret, now_ns=now_ns, wall_s=clock.wall_s())
            self._lease = dataclasses.replace(granted, refresh_after=ends_ns, expires_at=ends_ns)
        return self._lease

    def first_lease(self, patience: Patience) -> Lease:
        return self.lease(patience.timeout_s)

    def close(self) -> None:
        self._lease = None
        super().close()

    def refused(
        self,
        lease: Lease,
        *,
        status: int,
        worked: bool = False,  # noqa: ARG002 - the same signature
        timeout_s: float = DEFAULT_TIMEOUT_S,  # noqa: ARG002
    ) -> Lease:
        """CredentialError: asking for the same secret again would be no refresh."""
        ended = self._now_ns() >= lease.expires_at
        raise Failure(
            kind=FailureKind.REFUSED,
            message=f"the static {lease.auth_mode} is refused ({status}){': it has expired' if ended else ''}",
            hint="give a new one, or name the endpoint with --endpoint to have it renewed",
        ).error()
