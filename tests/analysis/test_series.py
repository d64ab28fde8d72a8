"""What the plots draw over time."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from bench.analysis import series
from bench.analysis.run import LoadedRun
from tests.analysis.synthetic import Side

MakeRun = Callable[..., LoadedRun]


def test_bins_cover_the_measured_window(two_sides: LoadedRun) -> None:
    """From the end of the warm-up to the end of the run, in equal steps."""
    found = series.latency(two_sides, "key", bins=60)
    assert (found.edges_s[0], found.edges_s[-1]) == (2.0, 32.0)
    assert len(found.t_s) == 60 == len(found.response_time.p99_ms)
    assert found.count.sum() == 6_000
    assert np.mean(found.throughput) == pytest.approx(200.0)


def test_each_bin_has_the_exact_quantiles_of_its_samples(two_sides: LoadedRun) -> None:
    """Against numpy over the samples of one bin."""
    found = series.latency(two_sides, "aml_token", bins=30)
    samples = two_sides.samples
    due_s = samples.intended_ns / 1e9
    rows = two_sides.latency_rows("aml_token") & (due_s >= found.edges_s[7]) & (due_s < found.edges_s[8])
    for lines, metric in ((found.response_time, "response_time"), (found.service_time, "service_time")):
        values = samples.durations_ns(metric, rows) / 1e6
        got = (lines.p50_ms[7], lines.p90_ms[7], lines.p99_ms[7], lines.max_ms[7])
        assert got == pytest.approx(np.quantile(values, [0.5, 0.9, 0.99, 1.0]))


def test_a_duration_below_zero_counts_as_zero(two_sides: LoadedRun) -> None:
    """A broken clock must not put a sample into another bin."""
    samples = dataclasses.replace(two_sides.samples, done_ns=two_sides.samples.intended_ns - 5)
    found = series.latency(dataclasses.replace(two_sides, samples=samples, memo={}), "key", bins=10)
    assert set(found.response_time.max_ms) == {0.0}


def test_a_bin_without_samples_is_nan(make_run: MakeRun) -> None:
    """A gap in the line, not a zero."""
    found = series.latency(make_run(rate=2, duration_s=20), "key", bins=80)
    assert (found.count == 0).any()
    assert np.array_equal(np.isnan(found.response_time.p50_ms), found.count == 0)


def test_auth_failures_over_time_add_up(make_run: MakeRun) -> None:
    """The causes of each bin sum to its rate, and all bins to the count."""
    side = Side("aml_token", auth_failures={"expired": 0.05, "refused": 0.05})
    run = make_run(sides=(Side("key"), side))
    found = series.auth_failures(run, "aml_token", bins=20)
    assert [cause for cause, _ in found.by_cause] == ["expired", "refused"]
    assert sum(rate for _, rate in found.by_cause) == pytest.approx(found.rate)
    failed = run.samples.counts("outcome", run.rows("aml_token"))["auth_failure"]
    assert (found.rate * found.requests).sum() == pytest.approx(failed)
    assert series.auth_failures(run, "key").by_cause == ()


def test_the_heat_map_holds_every_sample_once(two_sides: LoadedRun) -> None:
    """Nothing falls off its edges."""
    found = series.heat_map(two_sides, "key", time_steps=40, latency_steps=25)
    assert found.counts.shape == (40, 25)
    assert found.counts.sum() == 6_000
    assert len(found.edges_s) == 41
    assert len(found.latency_edges_ms) == 26


def test_one_sample_fills_a_cell_that_can_be_seen(make_run: MakeRun) -> None:
    """However alike latencies are, a cell is one of 60 steps over a ratio of 1.6 at least."""
    run = make_run(sides=(Side("key"),), rate=1.0, warm_up_s=0.0, duration_s=1.0)
    found = series.heat_map(run, "key")
    assert found.counts.sum() == 1
    assert found.latency_edges_ms[-1] / found.latency_edges_ms[0] > 1.6


def test_schedule_lag_is_of_all_variants(two_sides: LoadedRun) -> None:
    """About the 30 us that the run was made with."""
    found = series.schedule_lag(two_sides)
    assert np.nanmedian(found.lag.p50_ms) == pytest.approx(0.03 * np.log(2), rel=0.1)


def test_flights_and_stalls_are_marked_in_order(make_run: MakeRun) -> None:
    """Seconds since the run's start, sorted, of one variant or of all."""
    run = make_run(stalls=((9.0, 4.0), (3.5, 6.0)))
    marks = series.flights(run, "aml_token")
    assert [(mark.start_s, mark.cause) for mark in marks] == [
        (0.0, "initial"),
        (8.0, "stale"),
        (16.0, "stale"),
        (24.0, "stale"),
    ]
    assert len(series.flights(run)) == 5
    assert [(mark.at_s, mark.duration_ms) for mark in series.stalls(run)] == [(3.5, 6.0), (9.0, 4.0)]


def test_health_is_a_series_a_worker(make_run: MakeRun) -> None:
    """Once a second, without the last line that only counts."""
    found = series.health(make_run(workers=2, duration_s=10, cpu=0.4))
    assert [one.worker for one in found] == ["w0", "w1"]
    assert len(found[0].t_s) == 12
    assert set(found[0].cpu) == {0.4}


def test_the_percentile_curve_has_a_band_that_knows_about_time(make_run: MakeRun) -> None:
    """Autocorrelated latencies have a wider band than the same values taken as independent."""
    run = make_run(sides=(Side("key"),), noise_ms=3.0, noise_time_s=2.0)
    curve = series.quantile_curve(run, "key")
    middle = int(np.searchsorted(curve.q, 0.5))
    assert curve.low_ms[middle] < curve.value_ms[middle] < curve.high_ms[middle]
    assert curve.high_ms[middle] - curve.low_ms[middle] > 1.0
    assert curve.q[-1] > 0.9999 - 1 / 12_000


def test_a_run_without_samples_draws_empty_bins(make_run: MakeRun) -> None:
    """No error: every array is there and holds nothing."""
    run = make_run(cut_off=10**9)
    assert series.latency(run, "key").count.sum() == 0
    assert series.heat_map(run, "key").counts.sum() == 0
    assert np.isnan(series.schedule_lag(run).lag.max_ms).all()
    assert len(series.quantile_curve(run, "key").q) == 0
