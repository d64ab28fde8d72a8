"""What a drill's evidence amounts to. Pure.

lost         arrivals of which no attempt went well; in flight: their request was under way when the fault began
without      longest stretch in which a request waited for a credential, or was refused one
recovered    from the fault's end until the last arrival was lost, and the last wait for a credential was over
renewed      from the fault's end until the next fetch went well, when one had failed
calls        requests to control plane and identity from the fault's begin until then
classified   causes of 401s and 403s that agree with the emulator's own reasons
"""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bench.drills.drill import Drill
from bench.drills.evidence import Attempt, Call, Evidence, Flight
from bench.sample import Cause, Outcome

_CAUSE_OF_REASON = {"expired": Cause.EXPIRED, "forbidden": Cause.FORBIDDEN}
"""The emulator's other reasons (rotated, revoked, unknown_key, malformed, ...) are all a refused credential."""
_WAITED_NS = 1_000_000
"""A request that is handed its lease is sent within microseconds. One that took longer waited, if a fetch landed
meanwhile; otherwise this host was busy."""
_TOGETHER_NS = 50_000_000
"""Waits closer than this are one: between a failed flight and the next one nobody has a lease either."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What one drill cost. Durations in seconds; `by_cause` counts auth failures, attempts that were replayed too."""

    arrivals: int
    missing: int
    lost: int
    lost_in_flight: int
    by_cause: dict[str, int]
    without_lease_s: float
    recovered_s: float
    renewed_s: float | None
    calls: int
    fetches: int
    failed_fetches: int
    shortest_pause_s: float | None
    unexplained_calls: int
    overlapping_fetches: int
    classified: int
    refused: int
    misjudged: tuple[str, ...]
    errors: tuple[str, ...]


def find(drill: Drill, evidence: Evidence) -> Findings:
    """Fold the evidence over the drill's window."""
    begins_ns, ends_ns = round(drill.begins_s * 1e9), round(drill.ends_s * 1e9)
    arrivals = _by_arrival(evidence.attempts)
    lost = [attempts for attempts in arrivals.values() if all(a.outcome != Outcome.OK for a in attempts)]
    in_flight = [attempts for attempts in lost if any(_under_way(attempt, begins_ns) for attempt in attempts)]
    landed = sorted(flight.ended_ns for flight in evidence.flights)
    waits = [wait for wait in _together(_waits(arrivals.values(), landed)) if wait[1] > begins_ns]
    over_ns = max([ends_ns, *(wait[1] for wait in waits), *(attempts[-1].done_ns for attempts in lost)])
    renewed_ns = _renewed_ns(evidence.flights, ends_ns)
    until_ns = max(over_ns, renewed_ns or 0)
    flights = [flight for flight in evidence.flights if begins_ns <= flight.ended_ns and flight.started_ns <= until_ns]
    judged = list(_judged(evidence))
    return Findings(
        arrivals=len(arrivals),
        missing=evidence.due - len(arrivals),
        lost=len(lost),
        lost_in_flight=len(in_flight),
        by_cause=dict(sorted(Counter(a.cause for a in evidence.attempts if a.outcome == Outcome.AUTH_FAILURE).items())),
        without_lease_s=max((end - start for start, end in waits), default=0) / 1e9,
        recovered_s=(over_ns - ends_ns) / 1e9,
        renewed_s=None if renewed_ns is None else (renewed_ns - ends_ns) / 1e9,
        calls=sum(begins_ns <= call.at_ns <= until_ns for call in evidence.calls),
        fetches=len(flights),
        failed_fetches=sum(not flight.ok for flight in flights),
        shortest_pause_s=_shortest_pause_s(evidence.flights),
        unexplained_calls=_unexplained(evidence.calls, evidence.flights),
        overlapping_fetches=sum(a.ended_ns > b.started_ns for a, b in _pairs(evidence.flights)),
        classified=sum(right for _, right in judged),
        refused=len(judged),
        misjudged=tuple(sorted({how for how, right in judged if not right})),
        errors=tuple(dict.fromkeys(flight.error for flight in evidence.flights if flight.error)),
    )


def _by_arrival(attempts: Iterable[Attempt]) -> dict[int, list[Attempt]]:
    arrivals: dict[int, list[Attempt]] = {}
    for attempt in sorted(attempts, key=lambda attempt: (attempt.intended_ns, attempt.number)):
        arrivals.setdefault(attempt.intended_ns, []).append(attempt)
    return arrivals


def _under_way(attempt: Attempt, at_ns: int) -> bool:
    return attempt.sent_ns <= at_ns < attempt.done_ns


def _waits(arrivals: Iterable[list[Attempt]], landed: list[int]) -> Iterator[tuple[int, int]]:
    """(from, until) of every wait for a credential: before the first attempt, and between a 401 and its replay."""
    for attempts in arrivals:
        since_ns = attempts[0].began_ns
        for attempt in attempts:
            waited = attempt.sent_ns - since_ns > _WAITED_NS and _one_within(landed, since_ns, attempt.sent_ns)
            if waited or attempt.cause == Cause.NO_LEASE:
                yield since_ns, attempt.sent_ns
            since_ns = attempt.done_ns


def _one_within(times: list[int], start: int, end: int) -> bool:
    """Whether one of the sorted `times` lies there."""
    place = bisect_left(times, start)
    return place < len(times) and times[place] <= end


def _together(waits: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Overlapping and neighbouring waits as one."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(waits):
        if joined and start - joined[-1][1] <= _TOGETHER_NS:
            joined[-1] = joined[-1][0], max(joined[-1][1], end)
        else:
            joined.append((start, end))
    return joined


def _renewed_ns(flights: Iterable[Flight], ends_ns: int) -> int | None:
    """When the first fetch after the fault went well; None when none had failed before it."""
    failed = False
    for flight in flights:
        if flight.ok and failed and flight.ended_ns >= ends_ns:
            return flight.ended_ns
        failed = failed or not flight.ok
    return None


def _pairs(flights: Iterable[Flight]) -> Iterator[tuple[Flight, Flight]]:
    ordered = sorted(flights, key=lambda flight: flight.started_ns)
    return itertools.pairwise(ordered)


def _shortest_pause_s(flights: Iterable[Flight]) -> float | None:
    """From a fetch's end to the start of the next."""
    return min(((after.started_ns - before.ended_ns) / 1e9 for before, after in _pairs(flights)), default=None)


def _unexplained(calls: Iterable[Call], flights: tuple[Flight, ...]) -> int:
    """Calls after the run's zero that no fetch accounts for: each may ask once for every operation an attempt."""
    allowed = {id(flight): Counter[str]() for flight in flights}
    unexplained = 0
    for call in calls:
        if call.at_ns < 0:
            continue
        flight = next((f for f in flights if f.started_ns <= call.at_ns <= f.ended_ns), None)
        if flight is None or allowed[id(flight)][call.operation] >= flight.attempts:
            unexplained += 1
        else:
            allowed[id(flight)][call.operation] += 1
    return unexplained


def _judged(evidence: Evidence) -> Iterator[tuple[str, bool]]:
    """Every 401 and 403: what the endpoint knew and the client said, and whether that agrees."""
    for attempt in evidence.attempts:
        if attempt.status in {401, 403}:
            reason = evidence.refusals.get(attempt.request_id)
            right = reason is not None and attempt.cause == _CAUSE_OF_REASON.get(reason, Cause.REFUSED)
            yield f"{reason or 'unknown'} called {attempt.cause}", right
