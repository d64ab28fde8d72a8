"""Cells, autocorrelation and block length."""

from __future__ import annotations

import numpy as np
import pytest

from bench.analysis import blocks
from bench.analysis.blocks import CELLS, Blocks


def autoregressive(memory_cells: float, seed: int) -> np.ndarray:
    """A series of one value a cell whose correlation decays like exp(-lag / memory_cells)."""
    rng = np.random.default_rng(seed)
    kept = np.exp(-1 / memory_cells)
    series = [rng.standard_normal()]
    for noise in rng.standard_normal(CELLS - 1) * np.sqrt(1 - kept**2):
        series.append(kept * series[-1] + noise)
    return np.array(series)


def test_cells_split_the_window_evenly_and_hold_everything() -> None:
    """The first and last instant, and times outside the window, fall into the outermost cells."""
    times = np.array([-5, 0, 960, 959_999, 960_000, 2_000_000])
    assert blocks.cell_of(times, (0, 960_000)).tolist() == [0, 0, 0, 959, 959, 959]


def test_independent_cells_are_not_correlated() -> None:
    """Most white series reach 0 cells far, and get as many blocks as there can be."""
    reached = [blocks.correlation_cells(np.random.default_rng(seed).standard_normal(CELLS)) for seed in range(40)]
    assert np.median(reached) == 0
    assert blocks.choose(np.random.default_rng(1).standard_normal(CELLS)).count == blocks.MOST_BLOCKS


@pytest.mark.parametrize("memory_cells", [3, 8, 15])
def test_the_memory_of_an_autoregressive_series_is_found(memory_cells: int) -> None:
    """The median of 20 series is between half of the truth and a fifth beyond it."""
    reached = [blocks.correlation_cells(autoregressive(memory_cells, seed)) for seed in range(20)]
    assert 0.5 * memory_cells < np.median(reached) < 1.2 * memory_cells


def test_longer_memory_gives_fewer_blocks_down_to_a_floor() -> None:
    """Beyond the floor the bias that remains is known, so that it can be corrected for."""
    short, long, longest = (blocks.of_length(cells) for cells in (1.0, 30.0, 60.0))
    assert (short.count, long.count) == (blocks.MOST_BLOCKS, blocks.FEWEST_BLOCKS)
    assert short.bias == pytest.approx(blocks.MOST_BLOCKS / CELLS)
    assert long.bias == pytest.approx(30 * blocks.FEWEST_BLOCKS / CELLS)
    assert longest.bias == blocks.MOST_BIAS


@pytest.mark.parametrize("memory_cells", [1, 8, 16])
def test_blocks_know_the_variance_they_miss(memory_cells: int) -> None:
    """The variance of a sum, from the blocks of one series, is right on average over 400 of them."""
    series = [autoregressive(memory_cells, seed) for seed in range(400)]
    true = np.mean([one.sum() ** 2 for one in series])
    chosen = blocks.of_length(memory_cells)
    estimated = np.mean([np.sum((chosen.sums(one - one.mean())) ** 2) * chosen.correction() for one in series])
    assert estimated == pytest.approx(true, rel=0.15)


def test_correlation_that_single_cells_cannot_show_is_seen_in_joined_ones() -> None:
    """With one sample a cell, a memory of 16 cells is within the noise of each lag, and found all the same."""
    found = []
    for seed in range(20):
        noise = np.random.default_rng(1000 + seed).standard_normal(CELLS)
        found.append(blocks.correlation_cells(autoregressive(16, seed) + 2 * noise))
    assert np.median(found) > 4


def test_a_trend_is_distinguished_from_what_merely_wanders() -> None:
    """A line, and the steps of a load's stages, are taken out; a slow wander, which also has a slope, is not."""
    noise = np.random.default_rng(1).standard_normal(CELLS)
    line = np.linspace(-2, 2, CELLS)
    step = np.where(np.arange(CELLS) < 600, -1.0, 1.0) * 2
    for steady, pieces in ((line, ()), (step, (600,))):
        trend, fitted = blocks.trend(noise + steady, pieces)
        assert fitted > 0
        assert np.corrcoef(trend, steady)[0, 1] > 0.99
    assert blocks.trend(noise)[1] == 0
    wandering = [blocks.trend(autoregressive(320, seed) * 3 + noise)[1] for seed in range(10)]
    assert sum(map(bool, wandering)) <= 1


def test_blocks_sum_all_cells_once() -> None:
    """Whatever the number of blocks, nothing is lost or counted twice, and lengths differ by one cell at most."""
    for count in (10, 13, 31, 32):
        sums = Blocks(count, 0.0).sums(np.ones(CELLS))
        assert sums.sum() == CELLS
        assert np.ptp(sums) <= 1


def test_resampling_is_the_same_for_the_same_seed() -> None:
    """A report made twice says the same."""
    assert np.array_equal(blocks.weights(20, 7), blocks.weights(20, 7))
    assert not np.array_equal(blocks.weights(20, 7), blocks.weights(20, 8))
    assert set(blocks.weights(20, 7).sum(axis=1)) == {20.0}
