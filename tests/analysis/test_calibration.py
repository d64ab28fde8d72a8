"""Do the intervals cover? A few trials here; 1,000 of each are recorded in docs/guides/statistics.md."""

from __future__ import annotations

import math

import pytest

from bench.analysis import calibration
from bench.analysis.scenarios import FAILURES, SCENARIOS

TRIALS = 60
CLOSE = {"steady", "own load", "common drift", "refreshes"}


@pytest.mark.parametrize("scenario", [one for one in SCENARIOS if one.name in CLOSE], ids=lambda one: one.name)
def test_intervals_cover_and_do_not_cry_wolf(scenario: calibration.Scenario) -> None:
    """95 % promised; 60 trials of a right interval give 85 to 100 % for a figure, and 91 to 99 % over all."""
    rows = calibration.simulate(scenario, trials=TRIALS, seed=5, min_effect_ms=0.2, truth_runs=2)
    assert [row.figure for row in rows] == list(calibration.FIGURES)
    assert all(row.told == 1.0 for row in rows)
    assert all(row.coverage >= 0.85 for row in rows)
    assert 0.91 <= sum(row.coverage for row in rows) / len(rows) <= 0.99
    assert sum(row.false_alarms for row in rows) / len(rows) <= 0.05


def test_a_shift_of_twice_what_a_run_resolves_is_found() -> None:
    """With min_effect at the resolution of these runs the power is 80 %, by definition, and more above it."""
    (steady,) = [one for one in SCENARIOS if one.name == "steady"]
    p50 = calibration.simulate(steady, trials=TRIALS, seed=5, min_effect_ms=0.2, truth_runs=1)[0]
    assert p50.resolves < 0.2
    assert p50.power > 0.95


@pytest.mark.parametrize("failing", FAILURES, ids=lambda one: one.name)
def test_intervals_of_the_auth_failure_rate_cover(failing: calibration.Failures) -> None:
    """Scattered and in bursts."""
    row = calibration.simulate_failures(failing, trials=100, seed=5)
    assert row.coverage >= 0.88
    assert row.own_coverage >= 0.88
    assert row.false_alarms <= 0.07


def test_too_few_samples_are_not_told() -> None:
    """2,000 samples have no p99.9: the row says that none was told, and its shares are not known."""
    (few,) = [one for one in SCENARIOS if one.name == "few"]
    row = calibration.simulate(few, trials=3, seed=5, min_effect_ms=0.2, truth_runs=1)[4]
    assert (row.figure, row.told) == ("p99.9", 0.0)
    assert math.isnan(row.coverage)
    assert "| few | p99.9 | 0.0% | - |" in calibration.markdown([row])
