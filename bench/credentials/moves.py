"""The policy's vocabulary: its state, the events it receives, the actions it answers with. Pure nouns.

Who calls it: `policy` decides in them, the manager and the relay act on them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from bench.credentials.failure import Failure
from bench.credentials.lease import Grant, Lease


class FlightCause(StrEnum):
    """Why a flight was launched."""

    INITIAL = "initial"
    STALE = "stale"
    EXPIRED = "expired"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flight:
    """The one fetch under way, or waiting for its back-off to pass. `refused` is the lease it is to replace, if any."""

    cause: FlightCause
    starts_at: int
    refused: Lease | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Everything the policy knows. `lease` is None before the first and after a refusal.

    generation          number of the newest lease there ever was
    background_from     a STALE lease starts no flight before this (monotonic ns)
    waiting_from        nor does anybody who has no usable lease before this
    delay_s             the last back-off
    failure             why the last flight failed, or a denial that stands; None when all is well
    renewed_by          cause of the flight that brought the newest lease
    dropped             the lease whose refusal left us without one
    refused             the secrets refused last, so that a key's other half is tried
    """

    lease: Lease | None = None
    generation: int = 0
    flight: Flight | None = None
    background_from: int = 0
    waiting_from: int = 0
    delay_s: float = 0.0
    failure: Failure | None = None
    renewed_by: FlightCause = FlightCause.INITIAL
    dropped: Lease | None = None
    refused: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Asked:
    """Somebody wants a usable lease, newer than generation `newer_than`."""

    newer_than: int = 0


@dataclass(frozen=True, slots=True)
class Refused:
    """The endpoint answered `status`, 401 or 403, to a request with `lease`. `worked`: it had been accepted before."""

    lease: Lease
    status: int
    worked: bool = False


@dataclass(frozen=True, slots=True)
class Fetched:
    """The flight under way brought this."""

    grant: Grant


@dataclass(frozen=True, slots=True)
class Pushed:
    """A relay's master sent this unasked; a flight under way stays under way."""

    grant: Grant


@dataclass(frozen=True, slots=True)
class Failed:
    """The flight under way failed."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class Serve:
    """Hand `lease` to whoever asked."""

    lease: Lease


@dataclass(frozen=True, slots=True)
class Launch:
    """Start the one flight, not before `flight.starts_at`."""

    flight: Flight


@dataclass(frozen=True, slots=True)
class Wait:
    """Whoever asked joins the flight."""


@dataclass(frozen=True, slots=True)
class Reject:
    """Whoever asked gets `failure`."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class Publish:
    """`lease` is the newest; the flight's waiters may go on."""

    lease: Lease


@dataclass(frozen=True, slots=True)
class Share:
    """All of the flight's waiters get `failure`."""

    failure: Failure


Event: TypeAlias = Asked | Refused | Fetched | Pushed | Failed
Action: TypeAlias = Serve | Launch | Wait | Reject | Publish | Share
Step: TypeAlias = tuple[State, tuple[Action, ...]]
