"""The simulated targets that are hard on statistics: a few runs of those that once failed, with room for chance."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pytest

from bench.calibration import audit
from bench.calibration.audit import FAILING, FIGURES
from bench.calibration.audit_processes import DEADLINE_MS, RUN_S, TARGETS
from bench.commands import calibrate

TRIALS = 40
BY_NAME = {target.name: target for target in TARGETS}


@pytest.fixture(autouse=True)
def a_cheaper_truth(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of sixty runs instead of two hundred: good to a tenth of an interval."""
    monkeypatch.setattr(audit, "_TRUTH_RUNS", 60)


HARD = [
    # target, the least share of runs whose interval of the own p50 holds the truth, the most alarms among six
    ("independent", 0.85, 0.12),
    ("hangs together for 5 s, each by itself", 0.85, 0.15),
    ("hangs together for 20 s, each by itself", 0.75, 0.25),
    ("rises by 30 %", 0.82, 0.12),
    ("1,050 samples, 1 s, each by itself", 0.8, 0.2),
]


@pytest.mark.parametrize(("name", "covered", "alarms"), HARD, ids=[name for name, _, _ in HARD])
def test_intervals_hold_the_truth_where_it_is_hard(name: str, covered: float, alarms: float) -> None:
    """What hangs together for long, a trend, a queue: 40 runs each."""
    rows = audit.figures(BY_NAME[name], trials=TRIALS, seed=11)
    assert [row.figure for row in rows] == list(FIGURES)
    assert rows[0].with_interval == 1.0
    assert rows[0].own >= covered
    assert rows[0].any_alarm <= alarms


def test_what_hangs_together_for_a_third_of_the_run_is_said_of_its_tail_too() -> None:
    """The tail is too thin to show it, the middle is not: whoever reads the p99 is warned, or its interval holds."""
    rows = audit.figures(BY_NAME["hangs together for 20 s, both alike"], trials=TRIALS, seed=11)
    p99 = rows[3]
    assert p99.warned >= 0.8
    assert p99.silent <= 0.125


def test_a_far_tail_of_a_queue_has_no_interval_from_a_busy_period_or_two() -> None:
    """Twelve samples beyond p99.9 came together: hardly ever is there an interval, and it says why."""
    rows = audit.figures(BY_NAME["a queue each, 70 % busy"], trials=TRIALS, seed=11)
    assert rows[0].own >= 0.85
    assert rows[0].any_alarm <= 0.15
    p999 = rows[4]
    assert p999.with_interval < 0.3
    assert p999.warned == 1.0
    assert p999.alarms <= 0.1


def test_differences_of_what_got_no_answer_are_not_concluded() -> None:
    """Half a per cent on both sides: p99.9 lies among them, and no run of forty says that it is the same."""
    rows = audit.figures(BY_NAME["0.5 % without an answer"], trials=TRIALS, seed=11)
    p999 = rows[4]
    assert p999.own >= 0.85
    assert p999.difference_with_interval <= 0.3
    assert p999.alarms == 0


@pytest.mark.parametrize("failing", FAILING, ids=lambda one: one.name)
def test_a_rate_is_covered_however_it_comes(failing: audit.Failing) -> None:
    """By itself or in bursts, also where half of the runs see none; at the true rate few gates fail."""
    found = audit.shares(failing, trials=100, seed=11)
    assert found["coverage"] >= 0.86
    assert found["fail at 1"] <= 0.08
    assert found["fail at 1.1"] <= 0.08


def test_a_gate_that_is_looked_at_often_keeps_its_promise() -> None:
    """A target on its threshold for five minutes: few extended runs fail, and hardly any is aborted."""
    rows = {
        row["threshold / truth"]: row for row in audit.looks("throttled 1 %, in bursts of 0.2 s", trials=40, seed=3)
    }
    _, _, failed = (float(share) for share in rows[1.0]["extended"].split(" / "))
    assert failed <= 12.5
    assert float(rows[1.1]["aborted in 60 s / 300 s"].split(" / ")[1]) <= 5
    early, _, _ = (float(share) for share in rows[0.9]["extended"].split(" / "))
    assert early <= 50


def test_the_targets_are_what_their_names_say() -> None:
    """Rates, shares and places of what is drawn."""
    generator = np.random.default_rng(1)
    one, other = BY_NAME["90 : 10"].pair(generator)
    assert len(other[0]) / (len(one[0]) + len(other[0])) == pytest.approx(0.1, abs=0.02)
    times, values = BY_NAME["0.5 % without an answer"].side(generator)
    assert np.mean(values == DEADLINE_MS) == pytest.approx(0.005, abs=0.003)
    assert len(times) == pytest.approx(12_000, rel=0.05)
    staged = next(target for target in TARGETS if target.step_at)
    times, values = staged.side(generator)
    assert np.mean(times > RUN_S / 2) == pytest.approx(0.8, abs=0.02)
    assert values[times > RUN_S / 2].mean() == pytest.approx(1.6 * values[times < RUN_S / 2].mean(), rel=0.02)
    for failing in FAILING:
        drawn = [failing.draw(generator, RUN_S)[1].mean() for _ in range(200)]
        assert np.mean(drawn) == pytest.approx(failing.rate, rel=0.35)


def test_the_tables_are_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page and JSON, one line a target."""
    monkeypatch.setattr("bench.calibration.audit_processes.TARGETS", TARGETS[:2])
    monkeypatch.setattr(audit, "LOOKED_AT", {"throttled 1 %, each by itself": FAILING[0]})
    monkeypatch.setattr(audit, "_TRUTH_RUNS", 5)
    parser = argparse.ArgumentParser()
    calibrate.add_arguments(parser)
    assert calibrate.run(parser.parse_args(["--audit", "--trials", "2", "--out", str(tmp_path)])) == 0
    page = (tmp_path / "audit.md").read_text()
    assert page == capsys.readouterr().out
    assert page.count("\n| ") > 12
    assert json.loads((tmp_path / "audit.json").read_text())["trials"] == 2
