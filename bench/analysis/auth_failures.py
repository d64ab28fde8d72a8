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

from bench.analysis import checked, rates
from bench.analysis.blocks import CELLS, cell_of
from bench.analysis.run import Ints, LoadedRun, Part
from bench.sample import Outcome

_INITIAL = "initial"
_REASONS = 5
_SHOWN_BY_A_CHECK = (Outcome.OK, Outcome.UNEXPECTED)


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
    """What flights.jsonl records of `variant`."""
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


def failure_share(run: LoadedRun, variant: str, *, auth_only: bool, part: Part | None = None) -> rates.Share:
    """Auth failures, or everything that is not ok, as a share of the measured samples of `variant`."""
    if auth_only:
        return outcome_share(run, variant, Outcome.AUTH_FAILURE, part)
    rows = run.rows(variant, part)
    if checked.on_a_sample(run, rows):
        return checked.share(run, rows, ~run.samples.where("outcome", Outcome.OK), failing=True)
    good = outcome_share(run, variant, Outcome.OK, part)
    return rates.Share(hits=good.count - good.hits, count=good.count, span_s=run.span_s)


def outcome_share(run: LoadedRun, variant: str, outcome: Outcome, part: Part | None = None) -> rates.Share:
    """The samples with one outcome as a share of the measured samples of `variant`."""
    if outcome in _SHOWN_BY_A_CHECK and checked.on_a_sample(run, rows := run.rows(variant, part)):
        return checked.share(run, rows, run.samples.where("outcome", outcome))
    words = run.samples.words["outcome"]
    table = _by_cell(run, variant, part)
    hits = table[:, words.index(outcome)] if outcome in words else np.zeros(CELLS, np.int64)
    return rates.Share(hits=hits, count=table.sum(axis=1), span_s=run.span_s)


def within(run: LoadedRun, variant: str, deadline_ms: float, part: Part | None = None) -> rates.Share:
    """The samples answered well within `deadline_ms` of when they were due, as a share of all measured ones."""
    rows = run.rows(variant, part)
    good = np.flatnonzero(rows & run.samples.where("outcome", Outcome.OK))
    good = good[run.samples.durations_ns("response_time", good) <= deadline_ms * 1e6]
    if checked.on_a_sample(run, rows):
        return checked.share(run, rows, np.isin(np.arange(len(rows)), good))
    hits = np.bincount(cell_of(run.samples.intended_ns[good], run.window_ns), minlength=CELLS)
    return rates.Share(hits=hits, count=_by_cell(run, variant, part).sum(axis=1), span_s=run.span_s)


def _by_cell(run: LoadedRun, variant: str, part: Part | None) -> Ints:
    """Measured samples of a variant by cell of time (first axis) and outcome; counted once a run."""
    key = f"outcomes of {variant} {part} by cell"
    if key not in run.memo:
        rows = np.flatnonzero(run.rows(variant, part))
        codes = run.samples.outcome[rows].astype(np.int64)
        width = max(len(run.samples.words["outcome"]), int(codes.max(initial=0)) + 1)
        place = cell_of(run.samples.intended_ns[rows], run.window_ns).astype(np.int64) * width + codes
        run.memo[key] = np.bincount(place, minlength=CELLS * width).reshape(CELLS, width)
    table: Ints = run.memo[key]
    return table
