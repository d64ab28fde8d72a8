"""Shifts that were planted are found, within days; what is no shift is not."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from bench.calibration.histories import alike, planted
from bench.history.change_points import LEAST_RUNS, change_points
from bench.history.shift_test import beta_share, likeness, p_value
from bench.history.watch import P_TOGETHER

P = P_TOGETHER / 4


def noise(seed: int, runs: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(50, 1, runs)


@pytest.mark.parametrize("values", [[], [1.0], [1.0] * 60, [1.0, 2.0] * 30, [0.0] * 60])
def test_nothing_to_find(values: list[float]) -> None:
    """No runs, constant runs, and a see-saw have no lasting shift."""
    assert change_points(values, max_p_value=P) == ()


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_no_number_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="numbers"):
        change_points([1.0] * 10 + [bad], max_p_value=P)


def test_one_wild_run_is_no_shift() -> None:
    """A single run on a bad day is not lasting."""
    values = noise(1, 40)
    values[25] += 50
    assert change_points(values, max_p_value=P) == ()


def test_two_planted_shifts_are_found_where_they_are() -> None:
    values = noise(2, 60)
    values[20:] += 5
    values[40:] += 8
    found = change_points(values, max_p_value=P)
    assert [point.index for point in found] == [20, 40]
    assert found[0].change == pytest.approx(0.10, abs=0.03)


def test_a_shift_of_three_sigma_is_known_within_five_runs() -> None:
    """In nine of ten histories, and never at another place."""
    known = 0
    for seed in range(40):
        values = noise(seed, 35)
        values[30:] += 3
        known += any(abs(point.index - 30) <= 2 for point in change_points(values, max_p_value=P))
    assert known >= 34


def test_no_run_before_the_least_tells_a_shift() -> None:
    values = noise(3, 30 + LEAST_RUNS - 1)
    values[30:] += 100
    assert not [point for point in change_points(values, max_p_value=P) if point.index == 30]


def test_unchanged_runs_raise_no_alarm() -> None:
    """Twenty histories of 60 runs."""
    assert sum(len(change_points(noise(100 + seed, 60), max_p_value=P)) for seed in range(20)) <= 1


def test_runs_that_resemble_the_one_before_raise_fewer_alarms_than_plain_t_would() -> None:
    """A runner with good and bad days: one look at each of 40 histories of 60 runs, autocorrelation 0.4."""
    histories = [alike(np.random.default_rng(seed), 0.4, runs=60) for seed in range(40)]
    assert sum(len(change_points(list(values), max_p_value=P)) for values in histories) <= 2


@pytest.mark.parametrize("places", [[], [20], [20, 35, 50]])
@pytest.mark.parametrize("true", [0.0, 0.3, 0.6])
def test_likeness_is_known_whether_there_are_shifts_or_too_many_are_taken_for_one(
    true: float, places: list[int]
) -> None:
    """On average of forty histories; it is never below none."""
    estimates = []
    for seed in range(40):
        values = alike(np.random.default_rng(seed), true, runs=80)
        values[20:] += 6 if places else 0
        estimates.append(likeness(values, places))
    assert min(estimates) >= 0
    assert np.mean(estimates) == pytest.approx(max(true, 0.05), abs=0.12)


@pytest.mark.parametrize("values", [[1.0] * 9, [1.0, 2.0], [5.0], list(range(9))])
def test_likeness_of_what_has_none_or_nothing_else(values: list[float]) -> None:
    """Constant runs, too few, and a straight line: a number below 1, whatever they are."""
    assert 0 <= likeness(np.array(values, dtype=float), []) <= 0.9


def test_a_shift_that_many_runs_show_may_be_a_smaller_one() -> None:
    """The same chance of none is enough with twenty runs on either side, and not with five."""

    def is_found(runs: int) -> bool:
        values = np.concatenate([noise(8, runs), noise(9, runs)])
        chance = p_value(values[:runs], values[runs:] + 2, likeness=likeness(values, [runs]))
        values[runs:] += 2
        return bool(change_points(list(values), max_p_value=chance / 3))

    assert is_found(20)
    assert not is_found(5)


def test_the_more_runs_are_alike_the_less_a_gap_says() -> None:
    left, right = noise(5, 20), noise(6, 20) + 1.5
    found = [p_value(left, right, likeness=rho) for rho in (0.0, 0.2, 0.4, 0.8)]
    assert found == sorted(found)
    assert found[0] < 0.001 < 0.01 < found[-1]


@pytest.mark.parametrize(
    ("x", "a", "b", "share"),
    [
        (0.5, 0.5, 0.5, 0.5),
        (0.3, 2.0, 3.0, 0.3483),
        (0.9, 10.0, 0.5, 0.15164),
        (0.0, 1.0, 1.0, 0.0),
        (1.0, 1.0, 1.0, 1.0),
    ],
)
def test_beta_share(x: float, a: float, b: float, share: float) -> None:
    """Against values of scipy.special.betainc."""
    assert beta_share(x, a, b) == pytest.approx(share, rel=2e-4)


def test_sixty_runs_with_shifts_of_5_and_12_percent_tell_both_and_no_other() -> None:
    """Where runs of one thing differ by 1 %; `bench calibrate --histories` has more."""
    row = next(iter(planted(trials=40)))
    assert row["both found"] == 1.0
    assert row["others a history"] <= 0.025


def test_what_apache_otava_finds_is_found() -> None:
    """Its points of 30 histories are kept beside them: the same in all where runs differ by 1 % or do not shift.

    Where they differ by 3 % the two put a shift of 5 % at other runs in two of ten.
    """
    kept = json.loads((Path(__file__).parent / "otava.json").read_text())
    same: Counter[str] = Counter()
    for history in kept["histories"]:
        found = [point.index for point in change_points(history["values"], max_p_value=kept["max_pvalue"])]
        assert len(found) == len(history["points"])
        same[history["of"]] += found == history["points"]
    assert same == {"planted 1%": 10, "planted 3%": 8, "unchanged": 10}
