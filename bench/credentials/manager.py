"""One credential for all greenlets: carries out what the policy decides.

Who calls it: every user of a Locust process, before each request. It may touch gevent; never the network, the disk
or a clock other than the one it is given. It works in a patched and in an unpatched process.

The hot path is `lease()`: one attribute read, one comparison, no lock, no call besides the clock's. It is safe because
`current` is replaced in one step by a frozen lease that carries its own deadline; there is no second variable to
disagree with it. Everything else happens between two switches of greenlets, which gevent makes atomic.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import gevent
from gevent.event import AsyncResult

from bench import clock
from bench.credentials import moves, policy
from bench.credentials.failure import Failure, FailureKind
from bench.credentials.flightlog import FlightLog
from bench.credentials.lease import NEVER_NS, NS_PER_S, Grant, Lease, freshness
from bench.credentials.patience import Patience
from bench.credentials.source import Source
from bench.process import supervise
from bench.sample import Freshness

DEFAULT_TIMEOUT_S = 30.0
_CLOSED = Failure(kind=FailureKind.CLOSED, message="the credential manager is closed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What a display shows; never a secret. Seconds are None where nothing ends, or nothing is there yet."""

    variant: str
    auth_mode: str
    generation: int
    freshness: Freshness | None
    refresh_in_s: float | None
    life_left_s: float | None
    in_flight: bool
    waiters: int
    flights: int
    failures: int
    error: str


class CredentialManager:
    """Leases of one variant's credential, shared by everybody in the process.

    `on_flight` gets one record per finished flight (the keys of flights.jsonl, times in monotonic ns).
    `clock_ns` and `jitter` (uniform in [0, 1)) exist for tests.
    """

    def __init__(
        self,
        source: Source,
        *,
        variant: str = "",
        on_flight: Callable[[Mapping[str, Any]], None] | None = None,
        clock_ns: Callable[[], int] = clock.monotonic_ns,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.current: Lease | None = None
        self._source = source
        self._variant = variant
        self._on_flight = on_flight
        self._now_ns = clock_ns
        self._jitter = jitter
        self._state = moves.State()
        self._news = AsyncResult()
        self._flight: gevent.Greenlet | None = None
        self._log = FlightLog()
        self._listeners: list[Callable[[Lease], None]] = []
        self._closed = False

    def lease(self, timeout_s: float = DEFAULT_TIMEOUT_S) -> Lease:
        """A usable lease, at once when there is one. CredentialError when none came within `timeout_s`."""
        lease = self.current
        if lease is not None and self._now_ns() < lease.refresh_after:
            return lease
        return self._lease_or_raise(moves.Asked(), timeout_s)

    def first_lease(self, patience: Patience) -> Lease:
        """A lease before the run begins: while Azure is in trouble it is asked again. CredentialError in the end."""
        answer = patience.ask(lambda: self.ask(moves.Asked(), patience.timeout_s), waits=False)
        if isinstance(answer, Failure):
            raise answer.error()
        return answer

    def refused(
        self, lease: Lease, *, status: int, worked: bool = False, timeout_s: float = DEFAULT_TIMEOUT_S
    ) -> Lease:
        """After a 401 or 403 to a request with `lease`: the lease to replay it with, once.

        `worked`: the endpoint had accepted it before, so it was rotated or revoked since. Denied when renewing does not
        help (a 403, or a 401 right after a renewal to a lease that never worked); CredentialError when no newer lease
        could be had within `timeout_s`.
        """
        return self._lease_or_raise(moves.Refused(lease, status, worked), timeout_s)

    def ask(self, event: moves.Asked | moves.Refused, timeout_s: float) -> Lease | Failure:
        """Put the question to the policy until it serves or rejects, waiting for news in between. Does not raise."""
        deadline_ns = self._now_ns() + int(timeout_s * NS_PER_S)
        while not self._closed:
            for action in self._step(event):
                match action:
                    case moves.Serve(lease):
                        return lease
                    case moves.Reject(failure):
                        return failure
            if (failure_or_none := self._wait(deadline_ns)) is not None:
                return failure_or_none
        return _CLOSED

    def listen(self, on_lease: Callable[[Lease], None]) -> None:
        """Call `on_lease` with every lease published from now on."""
        self._listeners.append(on_lease)

    def push(self, grant: Grant) -> None:
        """A credential that came unasked, from a relay's master."""
        if not self._closed:
            self._step(moves.Pushed(grant))

    @property
    def fresh_until_ns(self) -> int:
        """`current` may be used without asking until then (monotonic ns); 0 when there is none."""
        lease = self.current
        return 0 if lease is None else lease.refresh_after

    def freshness(self, lease: Lease, now_ns: int) -> Freshness:
        """The validity zone `lease` is in at `now_ns`."""
        return freshness(lease, now_ns)

    def close(self) -> None:
        """Forget every secret; whoever waits, or asks from now on, gets a CredentialError."""
        self._closed = True
        self.current = None
        self._state = moves.State()
        if self._flight is not None:
            self._flight.kill(block=False)
            self._flight = None
        self._tell(_CLOSED)

    def snapshot(self) -> Snapshot:
        """The state of things for a display."""
        lease, now_ns = self.current, self._now_ns()
        ends = lease is not None and lease.expires_at != NEVER_NS
        failure = self._state.failure
        return Snapshot(
            variant=self._variant,
            auth_mode="" if lease is None else lease.auth_mode.value,
            generation=self._state.generation,
            freshness=None if lease is None else freshness(lease, now_ns),
            refresh_in_s=(lease.refresh_after - now_ns) / NS_PER_S if lease is not None and ends else None,
            life_left_s=(lease.expires_at - now_ns) / NS_PER_S if lease is not None and ends else None,
            in_flight=self._state.flight is not None,
            waiters=self._log.waiting,
            flights=self._log.flights,
            failures=self._log.failures,
            error="" if failure is None else failure.error().describe(),
        )

    def _lease_or_raise(self, event: moves.Asked | moves.Refused, timeout_s: float) -> Lease:
        answer = self.ask(event, timeout_s)
        if isinstance(answer, Failure):
            raise answer.error()
        return answer

    def _wait(self, deadline_ns: int) -> Failure | None:
        """Until the flight lands: None when it brought a lease, else the shared failure, or that time is up."""
        news, ticket = self._news, self._log.join(self._now_ns())
        try:
            landed: Failure | None = news.get(timeout=max(0.0, (deadline_ns - self._now_ns()) / NS_PER_S))
        except gevent.Timeout:
            return self._too_late()
        finally:
            self._log.leave(ticket, self._now_ns())
        return landed

    def _too_late(self) -> Failure:
        last = self._state.failure
        if last is None:
            return Failure(
                kind=FailureKind.TIMED_OUT, message="no credential came in time; the fetch is still under way"
            )
        return Failure(
            kind=last.kind, message=f"no credential in time: {last.message}", hint=last.hint, action=last.action
        )

    def _step(self, event: moves.Event) -> tuple[moves.Action, ...]:
        """Decide, publish the outcome in one step, then act on what concerns everybody."""
        self._state, actions = policy.decide(self._state, event, now_ns=self._now_ns(), jitter=self._jitter())
        self.current = self._state.lease
        for action in actions:
            match action:
                case moves.Launch(flight):
                    self._flight = supervise.start(self._fly, flight, where="a credential fetch")
                case moves.Publish(lease):
                    self._tell(None)
                    for listener in self._listeners:
                        listener(lease)
                case moves.Share(failure):
                    self._tell(failure)
        return actions

    def _tell(self, failure: Failure | None) -> None:
        """Wake everybody who waits now; whoever comes later waits for the next news."""
        news, self._news = self._news, AsyncResult()
        news.set(failure)

    def _fly(self, flight: moves.Flight) -> None:
        """The one fetch. Whatever happens in it, its waiters hear of it."""
        while (early_ns := flight.starts_at - self._now_ns()) > 0:
            gevent.sleep(early_ns / NS_PER_S)
        started_ns = self._now_ns()
        attempts, answer = 1, self._fetch(flight.refused)
        if isinstance(answer, Failure) and answer.kind is FailureKind.AGENT:
            attempts, answer = 2, self._fetch(flight.refused)
        if self._closed:
            return
        landed = self._log.land(answer, self._now_ns())
        self._step(moves.Fetched(answer) if isinstance(answer, Grant) else moves.Failed(answer))
        auth_mode = answer.auth_mode if isinstance(answer, Grant) else self._source.auth_mode
        if self._on_flight is not None:
            self._on_flight(
                {
                    "variant": self._variant,
                    "auth_mode": "" if auth_mode is None else auth_mode.value,
                    "source": self._source.kind,
                    "cause": flight.cause.value,
                    "generation": self._state.generation,
                    "started_ns": started_ns,
                    "attempts": attempts,
                    **_life(answer),
                    **landed,
                }
            )

    def _fetch(self, refused: Lease | None) -> Grant | Failure:
        try:
            return self._source.fetch(refused)
        except Exception as exc:  # noqa: BLE001 - a source's bug must not leave its waiters waiting
            return Failure(kind=FailureKind.UNEXPECTED, message=f"the source broke: {type(exc).__name__}")


def _life(answer: Grant | Failure) -> dict[str, float]:
    """How long what was fetched is good for, and when it is to be refreshed; nothing of a key, which never ends."""
    if isinstance(answer, Failure) or answer.valid.expires_at == NEVER_NS:
        return {}
    valid = answer.valid
    return {
        "life_s": (valid.expires_at - valid.issued_at) / NS_PER_S,
        "refresh_in_s": (valid.refresh_after - valid.issued_at) / NS_PER_S,
    }
