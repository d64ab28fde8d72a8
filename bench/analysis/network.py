"""The way to the first TCP end, as the workers' kernels report it, and what bandwidth held back. Pure.

The round trip of a variant is the middle one of its connections, each with the shortest it ever had: what a request and
its answer need at least. What lies behind the first TCP end (a proxy, Azure's front door) is not in it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bench.analysis.run import LoadedRun

_TICK_NS = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One address. `connections` at most at once, `opened` in the whole run; `round_trip_ms` NaN where not known."""

    to: str
    connections: int
    opened: int
    round_trip_ms: float
    sent_again: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldBack:
    """Answers that say that bandwidth held them or their request back; means over those, in ms."""

    answers: int
    request_ms: float
    response_ms: float


def places(run: LoadedRun, variant: str) -> tuple[Place, ...]:
    """Every address its connections led to, the busiest first; none where no worker reported any."""
    found: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for worker, records in run.health.items():
        for record in records:
            for way in record.get("ways", ()):
                if way["variant"] == variant:
                    found.setdefault(way["to"], {}).setdefault(worker, []).append(way)
    return tuple(sorted((_place(to, by_worker) for to, by_worker in found.items()), key=lambda one: -one.connections))


def _place(to: str, by_worker: dict[str, list[dict[str, Any]]]) -> Place:
    ways = [way for of_worker in by_worker.values() for way in of_worker]
    round_trips = [way["round_trip_ms"] for way in ways if way["round_trip_ms"] is not None]
    return Place(
        to=to,
        connections=sum(
            max(max(way["open"], min(way["opened"], 1)) for way in of_worker) for of_worker in by_worker.values()
        ),
        opened=sum(way["opened"] for way in ways),
        round_trip_ms=float(np.median(round_trips)) if round_trips else math.nan,
        sent_again=sum(way["sent_again"] for way in ways),
    )


def round_trip_ms(run: LoadedRun, variant: str) -> float:
    """Of a request of this variant: the mean over its addresses by their connections; NaN where it is not known."""
    known = [place for place in places(run, variant) if not math.isnan(place.round_trip_ms)]
    if not known:
        return math.nan
    return float(np.average([one.round_trip_ms for one in known], weights=[one.connections for one in known]))


def blocks(run: LoadedRun, variant: str) -> dict[str, Any]:
    """For the summary; `network` is None where no worker reported a connection."""
    found = places(run, variant)
    network = {
        "round_trip_ms": round_trip_ms(run, variant),
        "sent_again": sum(place.sent_again for place in found),
        "places": [asdict(place) for place in found],
    }
    return {"network": network if found else None, "held_back": asdict(held_back(run, variant))}


def held_back(run: LoadedRun, variant: str) -> HeldBack:
    """Over the measured window."""
    records = list(_held_back(run, variant))
    answers = sum(one["answers"] for one in records)
    mean = {key: sum(one[key] for one in records) / max(answers, 1) for key in ("request_ms", "response_ms")}
    return HeldBack(answers=answers, **mean)


def _held_back(run: LoadedRun, variant: str) -> Iterator[dict[str, Any]]:
    begin, until = run.window_ns
    for records in run.health.values():
        for record in records:
            if begin < record.get("at_ns", 0) <= until + _TICK_NS:
                yield from (one for one in record.get("held_back", ()) if one["variant"] == variant)
