"""The figures over time that plots draw, computed in a thread beside the drawing.

Folding ten million samples takes seconds, almost all of them in numpy's sorts, which let go of the interpreter lock;
meanwhile `plots` draws what needs only the summary. One thread, because each fold takes hundreds of megabytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Self

from bench.analysis import series, stream_series
from bench.analysis.outcome_series import OutcomeSeries, outcomes
from bench.analysis.run import LoadedRun
from bench.analysis.series import AuthFailureSeries, HeatMap, LatencySeries, ScheduleLagSeries
from bench.analysis.stream_series import Timeline, TokenSeries
from bench.report.side import Side

_LATENCY_STEPS = 80


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Bins:
    """Iterators that wait for their results, in the order of the sides (`lags`: of the runs; `tokens` and
    `timelines`: of the sides that streamed), and can be read once."""

    latencies: Iterator[LatencySeries]
    failures: Iterator[AuthFailureSeries]
    heat_maps: Iterator[HeatMap]
    outcomes: Iterator[OutcomeSeries]
    tokens: Iterator[TokenSeries]
    timelines: Iterator[tuple[Timeline, ...]]
    lags: Iterator[ScheduleLagSeries]

    @classmethod
    def begin(
        cls, executor: Executor, sides: Sequence[Side], runs: Sequence[LoadedRun], streamed: Sequence[Side]
    ) -> Self:
        """Start all folds on `executor` and return at once. `streamed` are the sides that have tokens."""
        return cls(
            latencies=executor.map(lambda side: series.latency(side.run, side.variant), sides),
            failures=executor.map(lambda side: series.auth_failures(side.run, side.variant), sides),
            heat_maps=executor.map(
                lambda side: series.heat_map(side.run, side.variant, latency_steps=_LATENCY_STEPS), sides
            ),
            outcomes=executor.map(lambda side: outcomes(side.run, side.variant), sides),
            tokens=executor.map(lambda side: stream_series.over_time(side.run, side.variant), streamed),
            timelines=executor.map(lambda side: stream_series.timelines(side.run, side.variant), streamed),
            lags=executor.map(series.schedule_lag, runs),
        )
