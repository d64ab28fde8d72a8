"""Exact quantiles and the percentile curve."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis import quantiles
from bench.metrics import PRINTED

DURATIONS = st.lists(st.integers(0, 10**12), min_size=1, max_size=200)


@given(DURATIONS, st.floats(0, 1))
def test_a_quantile_is_numpys_default(values: list[int], q: float) -> None:
    """Definition 7 of Hyndman and Fan, to the last bit that matters."""
    found = quantiles.at(np.sort(np.array(values)), q)
    assert found == pytest.approx(np.quantile(values, q), rel=1e-12)


@given(DURATIONS)
def test_a_few_quantiles_need_no_sorted_values(values: list[int]) -> None:
    """Partitioning gives the same as sorting."""
    q = (0.5, 0.99, 1.0)
    assert quantiles.of_unsorted(np.array(values), q) == pytest.approx(np.quantile(values, q), rel=1e-12)


def test_no_values_have_no_quantile() -> None:
    """NaN, not an error and not 0."""
    assert math.isnan(quantiles.at(np.array([], np.int64), 0.5))
    assert all(math.isnan(found) for found in quantiles.of_unsorted(np.array([], np.int64), (0.5, 1.0)))


@pytest.mark.parametrize(("q", "needed"), [(0.5, 20), (0.9, 100), (0.99, 1_000), (0.999, 10_000), (0.9999, 100_000)])
def test_a_quantile_needs_ten_samples_beyond_it(q: float, needed: int) -> None:
    """Round numbers a user can plan with."""
    assert quantiles.samples_needed(q) == needed


def test_the_curve_has_every_printed_quantile_and_reaches_p99_99() -> None:
    """A plot and a table read the same numbers."""
    assert set(PRINTED.values()) <= set(quantiles.CURVE_Q)
    assert quantiles.CURVE_Q[-1] == 0.9999
    assert np.all(np.diff(quantiles.CURVE_Q) > 0)


def test_the_band_of_a_curve_covers_the_true_quantiles() -> None:
    """Over 200 sets of independent values about 95 % of the bands hold the truth at p50 and p99."""
    rng = np.random.default_rng(3)
    hits = []
    for _ in range(200):
        curve = quantiles.curve(rng.exponential(1e6, 4_000))
        for q in (0.5, 0.99):
            i = int(np.searchsorted(curve.q, q))
            hits.append(curve.low_ms[i] <= -math.log(1 - q) <= curve.high_ms[i])
    assert 0.92 <= np.mean(hits) <= 0.98


def test_a_curve_ends_where_its_samples_end() -> None:
    """No value beyond the last sample, and no band where fewer than ten samples tell of it."""
    curve = quantiles.curve(np.arange(1, 1_001) * 1e6)
    assert curve.q[-1] <= 0.999
    assert np.isnan(curve.high_ms[curve.q > 0.99]).all()
    assert not np.isnan(curve.high_ms[(curve.q > 0.02) & (curve.q <= 0.99)]).any()
