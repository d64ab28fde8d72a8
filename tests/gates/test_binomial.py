"""The exact binomial interval against sums of exact fractions."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.gates.binomial import interval


def at_least(events: int, trials: int, probability: float) -> float:
    """P(X >= events) of a binomial, without rounding until the end."""
    p = Fraction(probability)
    return float(sum(comb(trials, k) * p**k * (1 - p) ** (trials - k) for k in range(events, trials + 1)))


@given(st.data())
def test_each_limit_leaves_a_fortieth_of_the_outcomes_beyond_it(data: st.DataObject) -> None:
    """The definition of Clopper and Pearson: at either limit the count seen is just possible at 2.5 %."""
    trials = data.draw(st.integers(1, 60))
    events = data.draw(st.integers(0, trials))
    low, high = interval(events, trials)
    assert low <= events / trials <= high
    if events > 0:
        assert at_least(events, trials, low) == pytest.approx(0.025, rel=1e-9)
    if events < trials:
        assert 1 - at_least(events + 1, trials, high) == pytest.approx(0.025, rel=1e-9)


@pytest.mark.parametrize(
    ("events", "trials", "low", "high"),
    [
        (0, 0, 0.0, 1.0),
        (0, 1000, 0.0, 0.0036821),
        (1, 1000, 2.5317e-05, 0.0055589),
        (1000, 1000, 0.9963179, 1.0),
        (5_000_000, 10_000_000, 0.4996901, 0.5003099),
    ],
)
def test_known_limits_are_met_also_for_none_all_and_ten_million(
    events: int, trials: int, low: float, high: float
) -> None:
    """No failure in 1,000 does not mean a rate of 0, and ten million samples do not overflow anything."""
    assert interval(events, trials) == (pytest.approx(low, rel=1e-4), pytest.approx(high, rel=1e-4))
