"""How many requests were refused, why, and what the refreshes did. Pure.

An auth failure is a sample whose outcome is `auth_failure`: a 401 or 403 on scoring, or no lease to send. A refresh
failure is a flight that ended without a lease. The figures over time are in `series`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.analysis import rates
from bench.analysis.blocks import CELLS, cell_of
from bench.analysis.run import LoadedRun
from bench.sample import Outcome

_INITIAL = "initial"
_REASONS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthFailures:
    """`rate` and its interval are shares (0..1) of the measured requests; NaN without requests."""

    count: int
    rate: float
    low: float
    high: float
    by_cause: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refreshes:
    """Credential fetches of one variant over the whole run, the warm-up too.

    `count` and `by_cause` are of the flights after the initial one; `failures` are of all flights. Durations are NaN
    without a flight. `reasons` are what the failed ones said, the most frequent first.
    """

    count: int
    failures: int
    by_cause: Mapping[str, int]
    reasons: Mapping[str, int]
    flights: int
    attempts: int
    waiters: int
    longest_wait_ms: float
    mean_ms: float
    max_ms: float


def of(run: LoadedRun, variant: str) -> AuthFailures:
    """Auth failures among the measured samples of `variant`."""
    share = failure_share(run, variant, auth_only=True)
    interval = rates.own(share)
    failed = run.rows(variant) & run.samples.where("outcome", Outcome.AUTH_FAILURE)
    by_cause = run.samples.counts("cause", failed)
    return AuthFailures(
        count=sum(by_cause.values()),
        rate=share.rate,
        low=interval.low,
        high=interval.high,
        by_cause=dict(sorted(by_cause.items())),
    )


def refreshes(run: LoadedRun, variant: str) -> Refreshes:
    """What flights.jsonl tells of `variant`."""
    flights: list[Mapping[str, Any]] = [flight for flight in run.flights if flight.get("variant") == variant]
    causes = Counter(str(flight.get("cause", "")) for flight in flights)
    initial = causes.pop(_INITIAL, 0)
    reasons = Counter(str(error) for flight in flights if (error := flight.get("error")))
    lasted_ms = [(flight["ended_ns"] - flight["started_ns"]) / 1e6 for flight in flights if "ended_ns" in flight]
    return Refreshes(
        count=len(flights) - initial,
        failures=sum(flight.get("outcome") != "ok" for flight in flights),
        by_cause=dict(sorted(causes.items())),
        reasons=dict(reasons.most_common(_REASONS)),
        flights=len(flights),
        attempts=sum(int(flight.get("attempts", 1)) for flight in flights),
        waiters=sum(int(flight.get("waiters", 0)) for flight in flights),
        longest_wait_ms=max((flight.get("longest_wait_ns", 0) / 1e6 for flight in flights), default=0.0),
        mean_ms=sum(lasted_ms) / len(lasted_ms) if lasted_ms else float("nan"),
        max_ms=max(lasted_ms, default=float("nan")),
    )


def failure_share(run: LoadedRun, variant: str, *, auth_only: bool) -> rates.Share:
    """Auth failures, or everything that is not ok, as a share of the measured samples of `variant`."""
    rows = run.rows(variant)
    outcome = run.samples.where("outcome", Outcome.AUTH_FAILURE if auth_only else Outcome.OK)
    failed = rows & (outcome if auth_only else ~outcome)
    times = run.samples.intended_ns
    key = f"requests of {variant} by cell"
    if key not in run.memo:
        run.memo[key] = np.bincount(cell_of(times[np.flatnonzero(rows)], run.window_ns), minlength=CELLS)
    hits = np.bincount(cell_of(times[np.flatnonzero(failed)], run.window_ns), minlength=CELLS)
    return rates.Share(hits=hits, count=run.memo[key])
