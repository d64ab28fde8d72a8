"""Was the target steady while it was measured? A warm-up that was still going on, a step, a drift over the run. Pure.

The medians of service time in twenty batches of equal time are looked at. Drift is Spearman's rank correlation of them
with time. A warm-up are the batches at the beginning that lie outside the second half's, one after the other. MSER
(White, Simulation 69, 1997), which minimises the standard error of the rest, left out up to six batches more than were
cold. A step, as where a deployment is scaled, parts the batches in two that a straight line fits half as well at most.
All count only when they are larger than a tenth of the median and than the smallest difference that matters.
Batches resemble their neighbours, so the limits are those at which such noise (autocorrelation up to 0.5) raises an
alarm in fewer than 1 of 100 runs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bench.analysis.run import Floats, LoadedRun
from bench.analysis.warm_up import AMONG, LEAST_SHARE

BATCHES = 20
LEAST_IN_BATCH = 20
LEAST_RHO = 0.8
LEAST_T = 8.0
_MOST_LEFT_OUT = BATCHES // 2
_LEAST_BESIDE_STEP = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsteady:
    """What was found in a run's batches: medians `before_ms` and `after_ms`.

    `steady_from` is the batch from which on it was steady; None for a drift through the whole run, with its `rho`.
    `step`: it was steady before that too, at another level.
    """

    before_ms: float
    after_ms: float
    steady_from: int | None
    rho: float
    step: bool = False


def unsteady(medians_ms: Floats, *, least_ms: float) -> Unsteady | None:
    """What is not steady about a series of batches; None when nothing is, or it has not `BATCHES` that are known."""
    if len(medians_ms) != BATCHES or not np.isfinite(medians_ms).all():
        return None
    least = max(least_ms, LEAST_SHARE * float(np.median(medians_ms)))
    left_out = _beginning(medians_ms, least)
    rest = medians_ms[left_out:]
    rho = _rho(rest)
    if left_out and abs(rho) < LEAST_RHO:
        gap = float(medians_ms[:left_out].mean() - rest.mean())
        error = float(rest.std(ddof=1)) * math.sqrt(1 / left_out + 1 / len(rest))
        if abs(gap) >= max(least, LEAST_T * error):
            before = float(medians_ms[:left_out].mean())
            return Unsteady(before_ms=before, after_ms=float(rest.mean()), steady_from=left_out, rho=rho)
    if found := _step(medians_ms, least):
        return found
    rho, quarter = _rho(medians_ms), BATCHES // 4
    before, after = float(medians_ms[:quarter].mean()), float(medians_ms[-quarter:].mean())
    if abs(rho) >= LEAST_RHO and abs(after - before) >= least:
        return Unsteady(before_ms=before, after_ms=after, steady_from=None, rho=rho)
    return None


def batch_medians_ms(run: LoadedRun, variant: str) -> Floats:
    """Medians of service time over the measured time of a run of one load; empty where a batch has too few requests."""
    if run.plan.stages or run.plan.changes or not run.span_s:
        return np.zeros(0)
    rows = np.flatnonzero(run.latency_rows(variant))
    begin, until = run.window_ns
    at = ((run.samples.intended_ns[rows] - begin) * BATCHES // max(until - begin, 1)).clip(0, BATCHES - 1)
    service_ms = run.samples.durations_ns("service_time", rows) / 1e6
    if np.bincount(at, minlength=BATCHES).min() < LEAST_IN_BATCH:
        return np.zeros(0)
    return np.array([float(np.median(service_ms[at == batch])) for batch in range(BATCHES)])


def _beginning(values: Floats, least: float) -> int:
    """How many batches at the beginning are not like the second half."""
    half = values[_MOST_LEFT_OUT:]
    room = max(AMONG * float(half.std(ddof=1)), least / 2)
    outside = np.abs(values[:_MOST_LEFT_OUT] - half.mean()) > room
    return int(outside.argmin()) if not outside.all() else 0


def _step(values: Floats, least: float) -> Unsteady | None:
    """Where the squares around the means of both sides are least, if the two are apart and no slope fits better."""
    at, sides = min(
        ((at, (values[:at], values[at:])) for at in range(_LEAST_BESIDE_STEP, len(values) - _LEAST_BESIDE_STEP + 1)),
        key=lambda split: _squares(*split[1]),
    )
    squares, (before, after) = _squares(*sides), (float(side.mean()) for side in sides)
    error = math.sqrt(squares / (len(values) - 2) * (1 / at + 1 / (len(values) - at)))
    time = np.arange(len(values))
    line = values - np.polyval(np.polyfit(time, values, 1), time)
    if abs(after - before) < max(least, LEAST_T * error) or squares > float(line @ line) / 2:
        return None
    return Unsteady(before_ms=before, after_ms=after, steady_from=at, rho=_rho(values), step=True)


def _squares(*sides: Floats) -> float:
    return sum(float(((side - side.mean()) ** 2).sum()) for side in sides)


def _rho(values: Floats) -> float:
    """Spearman's rank correlation with time; ties have no bearing on medians in nanoseconds."""
    ranks = values.argsort().argsort().astype(float)
    if not np.ptp(values):
        return 0.0
    return float(np.corrcoef(ranks, np.arange(len(values)))[0, 1])
