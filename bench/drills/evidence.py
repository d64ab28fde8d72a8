"""What is known after a drill, from both sides, in nanoseconds since the run's zero. Pure nouns.

The client's side is what any run leaves (samples, flights); the emulator's is the truth: the requests its control plane
got, and its own reason for every 401 and 403.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One sample. Attempts of one arrival share `intended_ns`; `request_id` is what the endpoint saw."""

    intended_ns: int
    began_ns: int
    sent_ns: int
    done_ns: int
    number: int
    status: int
    outcome: str
    cause: str
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Flight:
    """One credential fetch as the client tells it."""

    started_ns: int
    ended_ns: int
    attempts: int
    ok: bool
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request that reached the emulated control plane or identity service."""

    at_ns: int
    operation: str
    status: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything about one drill's run. `refusals` is the emulator's reason by request id; `due` the arrivals due."""

    attempts: tuple[Attempt, ...]
    flights: tuple[Flight, ...]
    calls: tuple[Call, ...]
    refusals: dict[str, str]
    due: int
