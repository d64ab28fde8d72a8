"""When to fetch a credential, who waits, what is served: the whole policy as a pure state machine.

    (state, event, now) -> (state, actions)

Events   Asked    somebody wants a usable lease           Fetched  the flight brought one
         Refused  the endpoint answered 401 or 403 to one  Failed   the flight brought none
                                                           Pushed   one came unasked, from a relay's master
Actions  Serve    hand this lease to whoever asked        Launch   start the one flight, not before a time
         Wait     whoever asked joins the flight          Publish  the flight's waiters may go on
         Reject   whoever asked gets this failure         Share    the flight's waiters all get this failure

The manager (and nobody else) carries the actions out. Nothing here reads a clock, draws a random number,
or knows what a greenlet is: `now_ns` is monotonic, `jitter` is uniform in [0, 1).

Rules
- FRESH is served. STALE is served too, and the first to see it launches a background flight.
  EXPIRED, refused or none: everybody joins the one flight.
- After a failure the next flight waits for its back-off: up to `WAITING_CAP_S` when nobody has a lease; while an old
  one still serves up to a tenth of what it has left, between that and `SERVING_CAP_S`. A server's Retry-After is a
  floor. There is no last attempt.
- A 401 to the current lease drops it and launches a flight at once. A key comes with its secondary, which is taken
  when the primary was just refused. A 401 to what such a flight brought, within `DENIAL_WINDOW_S` and before it ever
  worked, is a denial: renewing does not help, so the refused fail at once and the next flight backs off.
- A 403 is never cured by renewing: the lease stays, the refused one gets a denial.
"""

from __future__ import annotations

import dataclasses

from bench.credentials.backoff import honoured_retry_after_s, next_delay_s
from bench.credentials.failure import Failure, FailureKind
from bench.credentials.lease import NS_PER_S, Grant, Lease, freshness
from bench.credentials.moves import (
    Asked,
    Event,
    Failed,
    Fetched,
    Flight,
    FlightCause,
    Launch,
    Publish,
    Pushed,
    Refused,
    Reject,
    Serve,
    Share,
    State,
    Step,
    Wait,
)
from bench.sample import Freshness

BASE_S = 0.1
WAITING_CAP_S = 0.8
SERVING_CAP_S = 10.0
DENIAL_WINDOW_S = 5.0
_LEFT_SHARE = 0.1
_REMEMBERED_REFUSALS = 2
_FORBIDDEN = 403


def decide(state: State, event: Event, *, now_ns: int, jitter: float) -> Step:
    """The next state and what to do about it."""
    match event:
        case Asked(newer_than):
            return _asked(state, newer_than, now_ns)
        case Refused():
            return _refused(state, event, now_ns=now_ns, jitter=jitter)
        case Fetched(grant):
            cause = state.flight.cause if state.flight is not None else FlightCause.STALE
            return _published(dataclasses.replace(state, flight=None), grant, cause=cause, now_ns=now_ns)
        case Pushed(grant):
            return _published(state, grant, cause=FlightCause.STALE, now_ns=now_ns)
        case Failed(failure):
            return _failed(state, failure, now_ns=now_ns, jitter=jitter)


def _asked(state: State, newer_than: int, now_ns: int) -> Step:
    lease = state.lease
    if lease is None:
        cause = FlightCause.REFUSED if state.generation else FlightCause.INITIAL
        return _wait(state, cause, now_ns)
    zone = freshness(lease, now_ns)
    if zone is Freshness.EXPIRED:
        return _wait(state, FlightCause.EXPIRED, now_ns)
    if zone is Freshness.FRESH:
        return state, (Serve(lease),)
    if lease.generation > newer_than:
        return _renew(state, lease, now_ns)
    return _wait(state, FlightCause.STALE, now_ns)


def _renew(state: State, lease: Lease, now_ns: int) -> Step:
    """STALE: everybody goes on with the old lease, one flight runs behind their backs."""
    if state.flight is not None or now_ns < state.background_from:
        return state, (Serve(lease),)
    flight = Flight(cause=FlightCause.STALE, starts_at=now_ns)
    return dataclasses.replace(state, flight=flight), (Launch(flight), Serve(lease))


def _wait(state: State, cause: FlightCause, now_ns: int) -> Step:
    """Nothing usable: join the flight, or start the one everybody joins."""
    if state.flight is not None:
        return state, (Wait(),)
    flight = Flight(cause=cause, starts_at=max(now_ns, state.waiting_from), refused=state.dropped)
    return dataclasses.replace(state, flight=flight), (Launch(flight), Wait())


def _refused(state: State, event: Refused, *, now_ns: int, jitter: float) -> Step:
    lease = event.lease
    if event.status == _FORBIDDEN:
        return state, (Reject(forbidden(lease)),)
    if lease.generation < state.generation or state.lease is None:
        if state.lease is None and state.failure is not None and state.failure.kind is FailureKind.DENIED:
            return state, (Reject(state.failure),)
        return _asked(state, 0, now_ns)
    if freshness(lease, now_ns) is Freshness.EXPIRED:
        return _asked(state, 0, now_ns)
    refused = (*state.refused, lease.secret)[-_REMEMBERED_REFUSALS:]
    dropped = dataclasses.replace(state, lease=None, dropped=lease, refused=refused)
    just_renewed = state.renewed_by is FlightCause.REFUSED and now_ns - lease.issued_at < DENIAL_WINDOW_S * NS_PER_S
    if just_renewed and not event.worked:
        denial = denied(lease)
        return _backed_off(dropped, denial, now_ns=now_ns, jitter=jitter), (Reject(denial),)
    if state.failure is None:
        dropped = dataclasses.replace(dropped, waiting_from=now_ns, delay_s=0.0)
    return _wait(dropped, FlightCause.REFUSED, now_ns)


def _published(state: State, grant: Grant, *, cause: FlightCause, now_ns: int) -> Step:
    known = state.lease
    again = known is not None and 0 < grant.generation <= known.generation and known.secret in grant.secrets
    lease = Lease(
        secret=next((secret for secret in grant.secrets if secret not in state.refused), grant.secrets[0]),
        auth_mode=grant.auth_mode,
        generation=known.generation if known is not None and again else max(state.generation + 1, grant.generation),
        issued_at=grant.valid.issued_at,
        refresh_after=grant.valid.refresh_after,
        expires_at=grant.valid.expires_at,
    )
    was_denied = state.failure is not None and state.failure.kind is FailureKind.DENIED
    earliest = now_ns + int(BASE_S * NS_PER_S)  # whatever times Azure sends, ten fetches a second are the most
    published = dataclasses.replace(
        state,
        lease=lease,
        generation=lease.generation,
        background_from=earliest,
        waiting_from=earliest,
        delay_s=state.delay_s if was_denied else 0.0,
        failure=None,
        renewed_by=cause,
        dropped=None,
    )
    return published, (Publish(lease),)


def _failed(state: State, failure: Failure, *, now_ns: int, jitter: float) -> Step:
    after = _backed_off(dataclasses.replace(state, flight=None), failure, now_ns=now_ns, jitter=jitter)
    return after, (Share(failure),)


def _backed_off(state: State, failure: Failure, *, now_ns: int, jitter: float) -> State:
    """When the next flight may start: soon for those who wait, later behind the backs of those who do not."""
    left_s = 0.0 if state.lease is None else (state.lease.usable_until - now_ns) / NS_PER_S
    cap_s = min(max(left_s * _LEFT_SHARE, WAITING_CAP_S), SERVING_CAP_S)
    delay_s = next_delay_s(state.delay_s, base_s=BASE_S, cap_s=cap_s, jitter=jitter)
    floor_s = honoured_retry_after_s(failure.retry_after_s)
    return dataclasses.replace(
        state,
        failure=failure,
        delay_s=delay_s,
        background_from=now_ns + int(max(delay_s, floor_s) * NS_PER_S),
        waiting_from=now_ns + int(max(min(delay_s, WAITING_CAP_S), floor_s) * NS_PER_S),
    )


def denied(lease: Lease) -> Failure:
    """A lease was refused right after its renewal."""
    return Failure(
        kind=FailureKind.DENIED,
        message=f"the endpoint refuses the {lease.auth_mode} it was just given (401, generation {lease.generation})",
        hint="renewing does not help: check the scoring URI, the endpoint's auth mode and the principal's roles on it",
    )


def forbidden(lease: Lease) -> Failure:
    """The endpoint knows the principal and does not let it score."""
    return Failure(
        kind=FailureKind.DENIED,
        message=f"the endpoint forbids scoring (403, {lease.auth_mode}, generation {lease.generation})",
        hint="renewing does not help: the principal lacks a role on the endpoint, or belongs to another tenant",
    )
