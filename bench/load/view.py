"""What can be seen of a run while it goes on: counters, the latest times, the leases. Never a secret.

Made by each participant, merged by the leader, shown by `progress` and the web UI's Auth tab.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from bench.credentials import CredentialManager
    from bench.load.participant import Participant


class View(TypedDict):
    """Plain values, so that a worker can send it. `lately_ms` are the latest response times, sorted."""

    requests: int
    failures: int
    auth_failures: int
    in_flight: int
    lag_ms: float
    lately_ms: list[float]
    leases: list[dict[str, Any]]


NOTHING: View = {
    "requests": 0,
    "failures": 0,
    "auth_failures": 0,
    "in_flight": 0,
    "lag_ms": 0.0,
    "lately_ms": [],
    "leases": [],
}


def view_of(participant: Participant | None) -> View:
    """One process's."""
    if participant is None:
        return NOTHING
    tally = participant.tally
    return {
        "requests": tally.requests,
        "failures": tally.failures,
        "auth_failures": tally.auth_failures,
        "in_flight": tally.in_flight,
        "lag_ms": participant.lag_ms(),
        "lately_ms": participant.lately.recent_ms(),
        "leases": leases_of(participant.managers),
    }


def leases_of(managers: Iterable[CredentialManager]) -> list[dict[str, Any]]:
    """One row a variant, without its secret."""
    snapshots = [manager.snapshot() for manager in managers]
    return [{**dataclasses.asdict(shot), "freshness": str(shot.freshness or "")} for shot in snapshots]


def merge(views: Iterable[View]) -> View:
    """All workers' together; of leases the first worker's, which all share or fetch alike."""
    views = list(views)
    if not views:
        return NOTHING
    return {
        "requests": sum(view["requests"] for view in views),
        "failures": sum(view["failures"] for view in views),
        "auth_failures": sum(view["auth_failures"] for view in views),
        "in_flight": sum(view["in_flight"] for view in views),
        "lag_ms": max(view["lag_ms"] for view in views),
        "lately_ms": sorted(time for view in views for time in view["lately_ms"]),
        "leases": views[0]["leases"],
    }
