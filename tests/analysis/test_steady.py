"""Warm-ups and drifts that were planted are reported with their time; what is steady, or only looks alike, is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.analysis import trust
from bench.analysis.steady import BATCHES, batch_medians_ms, unsteady
from bench.runreader import load_run
from tests.analysis.synthetic import Side, write_run


def noise(rng: np.random.Generator, correlation: float, spread: float = 1.0) -> np.ndarray:
    """Batches around 10 ms, each like the one before it."""
    values = rng.normal(0, 1, BATCHES + 30)
    for at in range(1, len(values)):
        values[at] = correlation * values[at - 1] + np.sqrt(1 - correlation**2) * values[at]
    return 10 + spread * values[30:]


@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.5])
@pytest.mark.parametrize("spread", [0.1, 1.0, 3.0])
def test_at_most_one_steady_run_in_a_hundred_raises_an_alarm(correlation: float, spread: float) -> None:
    rng = np.random.default_rng(5)
    alarms = [unsteady(noise(rng, correlation, spread), least_ms=0.01) is not None for _ in range(3000)]
    assert np.mean(alarms) <= 0.01


@pytest.mark.parametrize("batches", [1, 2, 5, 9])
@pytest.mark.parametrize("cold_ms", [-6.0, 5.0, 30.0])
def test_a_warm_up_that_goes_on_is_reported_with_its_end(batches: int, cold_ms: float) -> None:
    for seed in range(20):
        values = noise(np.random.default_rng(seed), 0.0, 0.2)
        values[:batches] += cold_ms
        found = unsteady(values, least_ms=0.5)
        assert found is not None
        assert found.steady_from == batches
        assert found.before_ms - found.after_ms == pytest.approx(cold_ms, abs=0.6)


def test_a_drift_through_the_run_is_reported_as_one() -> None:
    for seed in range(20):
        values = noise(np.random.default_rng(seed), 0.3, 0.3) + np.linspace(0, 6, BATCHES)
        found = unsteady(values, least_ms=0.5)
        assert found is not None
        assert found.steady_from is None
        assert found.rho > 0.9


@pytest.mark.parametrize("at", [11, 13, 15, 17])
@pytest.mark.parametrize("gap_ms", [-3.0, 4.0, 40.0])
def test_a_step_late_in_the_run_is_reported_with_its_place(at: int, gap_ms: float) -> None:
    """As where a deployment is scaled out, or a neighbour comes."""
    for seed in range(20):
        values = noise(np.random.default_rng(seed), 0.0, 0.2)
        values[at:] += gap_ms
        found = unsteady(values, least_ms=0.5)
        assert found is not None
        assert (found.step, found.steady_from) == (True, at)
        assert found.after_ms - found.before_ms == pytest.approx(gap_ms, abs=0.6)


def test_one_slow_batch_or_two_are_no_step() -> None:
    for slow in (1, 2):
        values = noise(np.random.default_rng(7), 0.0, 0.2)
        values[-slow:] += 8
        found = unsteady(values, least_ms=0.5)
        assert found is None or not found.step
        values[12 : 12 + slow], values[-slow:] = 18, 10
        assert unsteady(values, least_ms=0.5) is None


@pytest.mark.parametrize("least_ms", [5.0, 0.0])
def test_a_drift_that_does_not_matter_is_none(least_ms: float) -> None:
    """Smaller than the difference that matters, or than a tenth."""
    rise = 4.0 if least_ms else 0.5
    assert unsteady(10 + np.linspace(0, rise, BATCHES), least_ms=least_ms) is None


@pytest.mark.parametrize("values", [np.zeros(0), np.full(BATCHES, 7.0), np.array([np.nan] * BATCHES)])
def test_nothing_to_tell(values: np.ndarray) -> None:
    assert unsteady(values, least_ms=0.1) is None


def test_a_run_that_drifts_is_suspect_and_a_steady_one_is_not(tmp_path: Path) -> None:
    steady = load_run(write_run(tmp_path / "20260101-000000-000-aaaa", sides=(Side("key"),)))
    assert not [reason for reason in trust.of(steady).reasons if "steady" in reason.text]
    cold = load_run(write_run(tmp_path / "20260101-000000-000-bbbb", sides=(Side("key"),)))
    begin, until = cold.window_ns
    early = cold.samples.intended_ns < begin + (until - begin) // 4
    cold.samples.done_ns[early] += 20_000_000
    (reason,) = [reason.text for reason in trust.of(cold).reasons if "steady" in reason.text]
    assert "steady from 7.5 s on" in reason
    assert "--warm-up 10s" in reason


def test_a_run_with_a_step_is_suspect_and_says_when(tmp_path: Path) -> None:
    run = load_run(write_run(tmp_path / "20260101-000000-000-aaaa", sides=(Side("key"),)))
    begin, until = run.window_ns
    late = run.samples.intended_ns >= begin + (until - begin) * 3 // 5
    run.samples.done_ns[late] += 20_000_000
    (reason,) = [reason.text for reason in trust.of(run).reasons if "step" in reason.text]
    assert "18.0 s into the measured time" in reason


def test_a_run_of_few_requests_tells_nothing(tmp_path: Path) -> None:
    run = load_run(write_run(tmp_path / "20260101-000000-000-aaaa", sides=(Side("key"),), rate=20, duration_s=10))
    assert not len(batch_medians_ms(run, "key"))
