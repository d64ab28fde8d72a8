"""What a run reports about its own harness: lag, rate, CPU, stalls, losses. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.analysis import quantiles
from bench.analysis.backlog import busy_share
from bench.analysis.conversations import later_turns
from bench.analysis.run import LoadedRun, Mask
from bench.plan.load_over_time import asked_rate

SUSTAINABLE_CPU = 0.75
"""Client CPU at which schedules still held in every calibration; the rate that would hold is scaled to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Facts about the harness over the measured window. Rates are 1/s; what is not known is NaN, a count of it None.

    `cpu` is the share of a core the busiest worker used in its busiest tenth of seconds.
    `users_busy` is the share of late requests that were due while every user had one in flight.
    `sustainable_rate` is the arrival rate this client would hold, from its CPU a request; NaN in the closed model.
    """

    lag_ms: Mapping[str, float]
    asked_rate: float
    achieved_rate: float
    cpu: float
    users_busy: float
    sustainable_rate: float
    stalls: int
    stalled_share: float
    longest_stall_ms: float
    overhead_ms: Mapping[str, float]
    dropped_arrivals: int | None
    unwritten_samples: int | None

    @property
    def kept(self) -> float:
        """Achieved over asked rate; 1 in the closed model, where nothing is asked."""
        return self.achieved_rate / self.asked_rate if self.asked_rate > 0 else 1.0


def gather(run: LoadedRun) -> Evidence:
    """Fold samples and health records; never fails for what is missing."""
    begin, until = run.window_ns
    began = run.samples.began_ns[_arrivals(run)]
    achieved = int(((began >= begin) & (began < until)).sum()) / run.span_s if run.span_s else 0.0
    busiest, mean = _client_cpu(run)
    stalls_ms = [ms for at_ns, ms in _stalls(run) if begin <= at_ns < until]
    return Evidence(
        lag_ms=_tail(run.samples.durations_ns("schedule_lag", run.measured), 1e-6),
        asked_rate=_due_rate(run) if run.plan.arrivals == "poisson" else _asked_rate(run),
        achieved_rate=achieved,
        cpu=busiest,
        users_busy=busy_share(run),
        sustainable_rate=achieved * SUSTAINABLE_CPU / mean * len(run.health) if run.open_model and mean else math.nan,
        stalls=len(stalls_ms),
        stalled_share=sum(stalls_ms) / 1e3 / run.span_s / max(len(run.health), 1) if run.span_s else 0.0,
        longest_stall_ms=max(stalls_ms, default=0.0),
        overhead_ms=_overhead(run),
        dropped_arrivals=last_total(run, "dropped_arrivals"),
        unwritten_samples=last_total(run, "unwritten"),
    )


def _due_rate(run: LoadedRun) -> float:
    """Arrivals (1/s) that were really due: a Poisson schedule of a mean rate has more of them at times, or fewer."""
    begin, until = run.window_ns
    intended = run.samples.intended_ns[_arrivals(run)]
    due = int(((intended >= begin) & (intended < until)).sum()) + (last_total(run, "dropped_arrivals") or 0)
    return due / run.span_s if run.open_model and run.span_s else 0.0


def _arrivals(run: LoadedRun) -> Mask:
    """Requests that were begun because an arrival was due, each once; of a closed model, all."""
    arrivals: Mask = run.measured & (run.samples.attempt == 0)
    if run.open_model:
        arrivals &= ~later_turns(run)
    return arrivals


def _asked_rate(run: LoadedRun) -> float:
    """Mean arrival rate (1/s) the plan asked for over its measured part, in all its stages; 0 in the closed model."""
    if not (run.plan.stages or run.plan.changes):
        return run.plan.arrival_rate or 0.0
    begin_s, until_s = (time_ns / 1e9 for time_ns in run.window_ns)
    return asked_rate(run.plan, from_s=begin_s, to_s=until_s)


def _client_cpu(run: LoadedRun) -> tuple[float, float]:
    """CPU of the busiest worker in its busiest tenth of seconds, and the mean sum over workers; NaN when unknown."""
    begin, until = run.window_ns
    busiest, mean = math.nan, 0.0
    for records in run.health.values():
        cpu_shares = [
            float(r["cpu"]) for r in records if "cpu" in r and begin <= r.get("at_ns", 0) <= until + 1_000_000_000
        ]
        if cpu_shares:
            busiest = max(float(np.quantile(cpu_shares, 0.9)), 0.0 if math.isnan(busiest) else busiest)
            mean += float(np.mean(cpu_shares))
    return busiest, mean


def _stalls(run: LoadedRun) -> Iterator[tuple[int, float]]:
    """(at_ns, ms) of every stall of every worker."""
    for records in run.health.values():
        for record in records:
            for stall in record.get("stalls", ()):
                yield int(stall.get("at_ns", 0)), float(stall.get("ms", 0.0))


def last_total(run: LoadedRun, name: str) -> int | None:
    """Sum over the workers of a number in their last health line; None when one of them left no such line."""
    ends = [next((record for record in records if record.get("end")), None) for records in run.health.values()]
    totals = [int(end[name]) for end in ends if end is not None]
    return sum(totals) if totals and len(totals) == len(ends) else None


def _overhead(run: LoadedRun) -> dict[str, float]:
    """Time a request that is the harness's own, as each worker measured it every second."""
    begin, until = run.window_ns
    overhead_ms = np.array(
        [
            float(record["overhead_ms"])
            for records in run.health.values()
            for record in records
            if isinstance(record.get("overhead_ms"), int | float) and begin <= record.get("at_ns", 0) <= until
        ]
    )
    return _tail(overhead_ms)


def _tail(values: NDArray[Any], scale: float = 1.0) -> dict[str, float]:
    found = quantiles.of_unsorted(values, (0.5, 0.99, 1.0))
    return {name: value * scale for name, value in zip(("p50", "p99", "max"), found, strict=True)}
