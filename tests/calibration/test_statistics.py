"""Do the intervals cover? A few trials here; 1,000 of each are recorded in docs/guides/statistics.md."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

import pytest

from bench.calibration import simulated as scenarios
from bench.calibration import statistics as calibration
from bench.calibration import statistics_page as calibration_page
from bench.calibration.simulated import FAILURES, SCENARIOS
from bench.commands import calibrate
from bench.errors import UsageError

TRIALS = 60
CLOSE = {"steady", "own load", "common drift", "refreshes"}


@pytest.mark.parametrize("scenario", [one for one in SCENARIOS if one.name in CLOSE], ids=lambda one: one.name)
def test_intervals_cover_and_do_not_cry_wolf(scenario: calibration.Scenario) -> None:
    """95 % promised; 60 trials of a right interval give 85 to 100 % for a figure, and 91 to 99 % over all."""
    rows = calibration.simulate(scenario, trials=TRIALS, seed=5, min_effect_ms=0.2, truth_runs=2)
    assert [row.figure for row in rows] == list(calibration.FIGURES)
    assert all(row.with_interval >= 0.85 for row in rows)
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


def test_too_few_samples_have_no_interval() -> None:
    """2,000 samples have no p99.9: the row says that no run had an interval, and its shares are not known."""
    (few,) = [one for one in SCENARIOS if one.name == "few"]
    row = calibration.simulate(few, trials=3, seed=5, min_effect_ms=0.2, truth_runs=1)[4]
    assert (row.figure, row.with_interval) == ("p99.9", 0.0)
    assert math.isnan(row.coverage)
    assert "| few | p99.9 | 0.0% | - |" in calibration_page.markdown([row])


def test_a_run_as_long_as_it_asks_to_be_finds_twice_min_effect() -> None:
    """2,000 samples are too few for the tail; with as many as they ask for, four runs of five find it and tell none."""
    (few,) = [one for one in SCENARIOS if one.name == "few"]
    found = list(calibration.enough(few, trials=40, truth_runs=1, most=40_000))
    assert [one.figure for one in found] == ["p90", "p95", "p99"]
    simulated = [one for one in found if one.trials]
    assert [one.figure for one in simulated] == ["p90", "p95"]
    assert all(one.asked > few.samples for one in found)
    assert all(one.power >= 0.8 and one.equivalent >= 0.65 for one in simulated)
    assert "| few | p99 | " in calibration_page.markdown_longer(found)
    assert calibration_page.markdown_longer(found).endswith("| - | - | - |")


def statistics(*options: str) -> int:
    """`bench calibrate --statistics` with these options."""
    parser = argparse.ArgumentParser()
    calibrate.add_arguments(parser)
    return calibrate.run(parser.parse_args(["--statistics", *options]))


@pytest.mark.slow
def test_the_tables_are_written_as_a_page_and_as_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same page on stdout and in the folder; what is not known is null there."""
    monkeypatch.setattr(scenarios, "SCENARIOS", tuple(one for one in SCENARIOS if one.name == "few"))
    assert statistics("--trials", "2", "--out", str(tmp_path / "tables")) == 0
    page = (tmp_path / "tables/statistics.md").read_text()
    assert capsys.readouterr().out == page
    assert "| few | p99.9 | 0.0% | - |" in page
    found = json.loads((tmp_path / "tables/statistics.json").read_text(), parse_constant=pytest.fail)
    assert [row["figure"] for row in found["rows"]] == [*calibration.FIGURES, *["auth_failure_rate"] * len(FAILURES)]
    assert found["rows"][4]["coverage"] is None
    assert all(one["asked"] > 2_000 and one["trials"] == 2 for one in found["longer"])


def test_no_trial_is_too_few() -> None:
    """It says which option."""
    with pytest.raises(UsageError, match="--trials: 0 is not between"):
        statistics("--trials", "0")
