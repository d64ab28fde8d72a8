"""Latency around credential refreshes against quiet time. Pure.

A sample is near a refresh when some of it, from `intended` to `done`, lies between the start of a flight of its
variant and `RECOVERY_S` after its end. The initial flight is not a refresh.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.analysis import quantiles
from bench.analysis.fold import pick_variant
from bench.analysis.run import Ints, LoadedRun

RECOVERY_S = 0.1
"""How long after a flight its effect may last: waiters released at once, a burst at the endpoint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Response time of some samples in ms; NaN when there are none."""

    samples: int
    p50_ms: float
    p99_ms: float
    mean_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshTime:
    """`cost_ms` is what refreshes add to the mean response time of all samples of the variant."""

    near: Latency
    quiet: Latency
    cost_ms: float


def of(run: LoadedRun, variant: str) -> RefreshTime | None:
    """Split the latency samples of `variant`; None when it had no refresh."""
    flights = sorted(
        (int(flight["started_ns"]), int(flight["ended_ns"]) + round(RECOVERY_S * 1e9))
        for flight in run.flights
        if flight.get("variant") == variant and flight.get("cause") != "initial" and "ended_ns" in flight
    )
    if not flights:
        return None
    rows = pick_variant(run, variant).rows
    response = run.samples.durations_ns("response_time", rows)
    near = _touching(run.samples.intended_ns[rows], run.samples.done_ns[rows], flights)
    inside, outside = _latency(response[near]), _latency(response[~near])
    share = inside.samples / max(len(response), 1)
    cost_ms = share * (inside.mean_ms - outside.mean_ms) if inside.samples and outside.samples else 0.0
    return RefreshTime(near=inside, quiet=outside, cost_ms=cost_ms)


def _touching(
    begin_ns: Ints, end_ns: Ints, flights: list[tuple[int, int]]
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which stretches overlap one of the flights (sorted by start)."""
    starts = np.array([start for start, _ in flights])
    latest_end = np.maximum.accumulate([end for _, end in flights])
    before_end = np.searchsorted(starts, end_ns, side="right") - 1
    overlaps = (before_end >= 0) & (latest_end[np.maximum(before_end, 0)] >= begin_ns)
    return np.asarray(overlaps)


def _latency(response_ns: Ints) -> Latency:
    ordered = np.sort(response_ns)
    return Latency(
        samples=len(ordered),
        p50_ms=float(quantiles.at(ordered, 0.5)) / 1e6,
        p99_ms=float(quantiles.at(ordered, 0.99)) / 1e6,
        mean_ms=float(ordered.mean()) / 1e6 if len(ordered) else float("nan"),
    )
