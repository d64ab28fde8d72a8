"""What plots draw over time: bins of equal width over the measured window. Pure.

Times are seconds since the run's start; a sample lies in the bin of its `intended` time. Figures of a bin
without samples are NaN. Latency counts the outcomes of `run.LATENCY_OUTCOMES`; the warm-up is left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.analysis import own_intervals
from bench.analysis.fold import fold_variant
from bench.analysis.quantiles import QuantileCurve
from bench.analysis.run import Floats, Ints, LoadedRun, Mask
from bench.analysis.time_bins import BINS, QuantileLines, index_of, lines_of, time_bins
from bench.sample import Outcome

_LEAST_HEAT_RATIO = 1.6
"""A heat map spans at least this ratio of latencies: one cell of a narrower one could not be seen."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LatencySeries:
    """Latency and throughput of one variant over time; every array has one value a bin."""

    variant: str
    t_s: Floats
    edges_s: Floats
    count: Ints
    throughput: Floats
    response_time: QuantileLines
    service_time: QuantileLines


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class AuthFailureSeries:
    """Share of the requests due in a bin that ended in an auth failure, in all and by cause (0..1)."""

    variant: str
    t_s: Floats
    edges_s: Floats
    requests: Ints
    rate: Floats
    by_cause: tuple[tuple[str, Floats], ...]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class HeatMap:
    """Samples by time and response time: `counts[i, j]` between `edges_s[i:i+2]` and `latency_edges_ms[j:j+2]`."""

    variant: str
    edges_s: Floats
    latency_edges_ms: Floats
    counts: Ints


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ScheduleLagSeries:
    """How late requests began, over all variants, in ms."""

    t_s: Floats
    edges_s: Floats
    lag: QuantileLines


@dataclass(frozen=True, slots=True, kw_only=True)
class FlightMark:
    """One credential fetch: when it went on, why, and how it ended."""

    variant: str
    start_s: float
    end_s: float
    cause: str
    outcome: str
    generation: int
    attempts: int
    waiters: int
    longest_wait_ms: float
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StallMark:
    """A stretch in which a worker's hub did nothing."""

    worker: str
    at_s: float
    duration_ms: float
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultMark:
    """A scripted fault; one that happens at once ends when it begins."""

    name: str
    from_s: float
    to_s: float


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class HealthSeries:
    """One worker's own state, once a second."""

    worker: str
    t_s: Floats
    cpu: Floats
    backlog: Floats
    in_flight: Floats


def latency(run: LoadedRun, variant: str, bins: int = BINS) -> LatencySeries:
    """Latency quantiles and throughput of `variant` over the measured window."""
    grid = time_bins(run, bins)
    rows = run.latency_rows(variant)
    index = index_of(run.samples.intended_ns[rows], grid)
    count = np.bincount(index, minlength=len(grid.t_s))
    answered = np.bincount(index_of(run.samples.intended_ns[run.rows(variant)], grid), minlength=len(grid.t_s))
    return LatencySeries(
        variant=variant,
        t_s=grid.t_s,
        edges_s=grid.edges_s,
        count=count,
        throughput=answered / grid.width_s,
        response_time=lines_of(run.samples.durations_ns("response_time", rows), index, len(grid.t_s)),
        service_time=lines_of(run.samples.durations_ns("service_time", rows), index, len(grid.t_s)),
    )


def auth_failures(run: LoadedRun, variant: str, bins: int = BINS) -> AuthFailureSeries:
    """Auth-failure rate of `variant` by cause over the measured window; causes that never occur are left out."""
    grid = time_bins(run, bins)
    rows = run.rows(variant)
    requests = np.bincount(index_of(run.samples.intended_ns[rows], grid), minlength=len(grid.t_s))
    failed = rows & run.samples.where("outcome", Outcome.AUTH_FAILURE)

    def rate(mask: Mask) -> Floats:
        hits = np.bincount(index_of(run.samples.intended_ns[mask], grid), minlength=len(grid.t_s))
        share: Floats = np.divide(hits, requests, out=np.full(len(hits), np.nan), where=requests > 0)
        return share

    causes = run.samples.counts("cause", failed)
    return AuthFailureSeries(
        variant=variant,
        t_s=grid.t_s,
        edges_s=grid.edges_s,
        requests=requests,
        rate=rate(failed),
        by_cause=tuple((cause, rate(failed & run.samples.where("cause", cause))) for cause in sorted(causes)),
    )


def heat_map(run: LoadedRun, variant: str, *, time_steps: int = 120, latency_steps: int = 60) -> HeatMap:
    """Samples of `variant` by time and the logarithm of response time."""
    grid = time_bins(run, time_steps)
    rows = run.latency_rows(variant)
    values_ms = np.maximum(run.samples.durations_ns("response_time", rows) / 1e6, 1e-3)
    low, high = (values_ms.min(), values_ms.max()) if len(values_ms) else (1.0, 10.0)
    edges = np.geomspace(low * 0.999, max(high, low * _LEAST_HEAT_RATIO) * 1.001, latency_steps + 1)
    column = np.searchsorted(edges, values_ms, side="right") - 1
    cell = index_of(run.samples.intended_ns[rows], grid) * latency_steps + column
    counts = np.bincount(cell, minlength=len(grid.t_s) * latency_steps)
    return HeatMap(
        variant=variant,
        edges_s=grid.edges_s,
        latency_edges_ms=edges,
        counts=counts.reshape(len(grid.t_s), latency_steps),
    )


def schedule_lag(run: LoadedRun, bins: int = BINS) -> ScheduleLagSeries:
    """How late requests of all variants began; all zero in the closed model."""
    grid = time_bins(run, bins)
    index = index_of(run.samples.intended_ns[run.measured], grid)
    lag = run.samples.durations_ns("schedule_lag", run.measured)
    return ScheduleLagSeries(t_s=grid.t_s, edges_s=grid.edges_s, lag=lines_of(lag, index, len(grid.t_s)))


def quantile_curve(run: LoadedRun, variant: str, *, metric: str = "response_time") -> QuantileCurve:
    """The percentile curve of one of `run.METRICS` up to p99.99, with its 95 % band."""
    return own_intervals.own_curve(fold_variant(run, metric, variant))


def flights(run: LoadedRun, variant: str | None = None) -> tuple[FlightMark, ...]:
    """Credential fetches in the order they began, of one variant or of all."""
    marks = [
        FlightMark(
            variant=str(record.get("variant", "")),
            start_s=record.get("started_ns", 0) / 1e9,
            end_s=record.get("ended_ns", record.get("started_ns", 0)) / 1e9,
            cause=str(record.get("cause", "")),
            outcome=str(record.get("outcome", "")),
            generation=int(record.get("generation", 0)),
            attempts=int(record.get("attempts", 1)),
            waiters=int(record.get("waiters", 0)),
            longest_wait_ms=record.get("longest_wait_ns", 0) / 1e6,
            error=str(record.get("error", "")),
        )
        for record in run.flights
        if variant is None or record.get("variant") == variant
    ]
    return tuple(sorted(marks, key=lambda mark: mark.start_s))


def stalls(run: LoadedRun) -> tuple[StallMark, ...]:
    """Hub stalls of all workers in the order they happened."""
    marks = [
        StallMark(
            worker=worker,
            at_s=stall.get("at_ns", 0) / 1e9,
            duration_ms=float(stall.get("ms", 0.0)),
            cause=str(stall.get("cause", "unknown")),
        )
        for worker, records in run.health.items()
        for record in records
        for stall in record.get("stalls", ())
    ]
    return tuple(sorted(marks, key=lambda mark: mark.at_s))


def faults(run: LoadedRun) -> tuple[FaultMark, ...]:
    """The faults the emulator was set up to have, in the order they begin; one without an end lasts until the run's."""
    end_s = run.window_ns[1] / 1e9
    marks = [
        FaultMark(
            name=" ".join(filter(None, (str(record["do"]).replace("_", " "), str(record.get("answer", ""))))),
            from_s=float(record["from_s"]),
            to_s=end_s if record.get("to_s") is None else float(record["to_s"]),
        )
        for record in run.manifest.get("faults", ())
    ]
    return tuple(sorted(marks, key=lambda mark: mark.from_s))


def health(run: LoadedRun) -> tuple[HealthSeries, ...]:
    """CPU, overdue arrivals and requests in flight of each worker."""
    series = []
    for worker, records in run.health.items():
        lines = [record for record in records if "at_ns" in record]
        columns = {name: np.array([float(line.get(name, np.nan)) for line in lines]) for name in _HEALTH}
        t_s = columns.pop("at_ns") / 1e9
        series.append(HealthSeries(worker=worker, t_s=t_s, **columns))
    return tuple(series)


_HEALTH = ("at_ns", "cpu", "backlog", "in_flight")
