"""The one fold every figure is read from."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis.blocks import CELLS
from bench.analysis.fold import fold, fold_variant, pick_variant
from bench.analysis.run import LoadedRun
from tests.analysis.synthetic import Side

SAMPLES = st.lists(st.tuples(st.integers(0, 2**40), st.integers(0, CELLS - 1)), max_size=120)
Q = np.array([0.5, 0.9, 0.99])


@given(SAMPLES)
def test_a_fold_equals_counting_by_hand(samples: list[tuple[int, int]]) -> None:
    """Order, counts, sums and exceedances of every cell, for any durations and ties."""
    values = np.array([value for value, _ in samples], np.int64)
    cell = np.array([place for _, place in samples], np.int16)

    found = fold(values.copy(), cell, Q)

    assert found.ordered_ns.tolist() == sorted(values.tolist())
    assert found.count.tolist() == np.bincount(cell, minlength=CELLS).tolist()
    assert found.total_ns.sum() == pytest.approx(values.sum())
    for column, q in enumerate(Q):
        expected = np.bincount(cell[values > np.quantile(values, q)], minlength=CELLS) if len(values) else 0
        assert np.array_equal(found.above[:, column], np.broadcast_to(expected, CELLS))


def test_a_quantile_that_was_not_folded_is_refused() -> None:
    """Rather an error than the nearest column."""
    with pytest.raises(ValueError, match="was not folded"):
        fold(np.arange(10), np.zeros(10, np.int16), Q).quantile(0.75)


def test_a_variant_is_folded_once_a_run(two_sides: LoadedRun) -> None:
    """The report reads what the summary made."""
    assert fold_variant(two_sides, "response_time", "key") is fold_variant(two_sides, "response_time", "key")


def test_the_warm_up_and_failures_are_not_folded(make_run: Callable[..., LoadedRun]) -> None:
    """Latency is of measured samples that were answered or timed out."""
    run = make_run(sides=(Side("key", outcomes={"timed_out": 0.1, "server_error": 0.2}),), rate=200, duration_s=20)

    outcomes = run.samples.counts("outcome", run.measured)
    assert len(pick_variant(run, "key").rows) == outcomes["ok"] + outcomes["timed_out"]
    assert sum(outcomes.values()) == 4000
