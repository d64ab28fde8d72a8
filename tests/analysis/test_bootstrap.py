"""Block-bootstrap intervals: width, pairing, and what they promise."""

from __future__ import annotations

import numpy as np
import pytest

from bench.analysis import bootstrap
from bench.analysis.blocks import CELLS, cell_of
from bench.analysis.bootstrap import Interval, Statistic
from bench.analysis.fold import Fold, fold

Q = np.array([0.5, 0.9, 0.99])
LENGTH_S = 60.0


def folded(values_ms: np.ndarray) -> Fold:
    """Values that came evenly over a minute."""
    times_ns = ((np.arange(len(values_ms)) + 0.5) * LENGTH_S * 1e9 / len(values_ms)).astype(np.int64)
    return fold(np.rint(values_ms * 1e6).astype(np.int64), cell_of(times_ns, (0, round(LENGTH_S * 1e9))), Q)


def width(interval: Interval) -> float:
    return interval.high - interval.low


def test_for_independent_values_a_quantiles_interval_is_that_of_order_statistics() -> None:
    """On average the binomial interval, the exact one, and a little more for having only 32 blocks."""
    ratios = []
    for seed in range(30):
        values = np.random.default_rng(seed).exponential(1.0, 4_000)
        spread = 1.96 * np.sqrt(0.9 * 0.1 / 4_000)
        exact = np.quantile(values, 0.9 + spread) - np.quantile(values, 0.9 - spread)
        ratios.append(width(bootstrap.own(folded(values).quantile(0.9), seed=seed)) / exact)
    assert np.mean(ratios) == pytest.approx(1.05, abs=0.08)


def test_for_independent_values_the_means_interval_is_students() -> None:
    """Within a tenth of mean +- 1.96 standard errors on average."""
    ratios = []
    for seed in range(30):
        values = np.random.default_rng(seed).normal(10.0, 1.0, 4_000)
        ratios.append(width(bootstrap.own(folded(values).mean(), seed=seed)) / (2 * 1.96 / np.sqrt(4_000)))
    assert np.mean(ratios) == pytest.approx(1.05, abs=0.08)


def test_values_that_hang_together_in_time_widen_the_interval() -> None:
    """The same values in another order tell less: the interval grows several times."""
    rng = np.random.default_rng(1)
    values = np.repeat(rng.exponential(1.0, 40), 200)
    clustered = bootstrap.own(folded(values).mean(), seed=1)
    scattered = bootstrap.own(folded(rng.permuted(values)).mean(), seed=1)
    assert width(clustered) > 5 * width(scattered)


def test_drift_that_both_share_cancels_in_a_pair() -> None:
    """A wave of +-10 ms leaves each side's own interval wide and the paired difference as narrow as without it."""
    rng = np.random.default_rng(2)
    noise = rng.exponential(1.0, (2, 6_000))
    wave = 10 * np.sin(np.arange(6_000) / 30)
    calm = [folded(20 + side) for side in noise]
    drifting = [folded(20 + side + wave) for side in noise]

    without = bootstrap.paired(calm[0].mean(), calm[1].mean(), seed=1)
    paired = bootstrap.paired(drifting[0].mean(), drifting[1].mean(), seed=1)
    apart = bootstrap.independent(drifting[0].mean(), drifting[1].mean(), seed=1)

    assert width(paired) == pytest.approx(width(without), rel=0.3)
    assert width(apart) > 20 * width(paired)


def test_what_grows_with_shared_drift_is_as_uncertain_as_the_drift() -> None:
    """A candidate that takes twice as long differs by the baseline's own median, drift and all."""
    rng = np.random.default_rng(2)
    values = 30 + rng.exponential(1.0, 6_000) + 10 * np.sin(np.arange(6_000) / 30)
    base, cand = folded(values), folded(2 * values)
    paired = bootstrap.paired(base.quantile(0.5), cand.quantile(0.5), seed=1)
    assert width(paired) == pytest.approx(width(bootstrap.own(base.quantile(0.5), seed=1)), rel=0.2)


def test_the_slope_of_a_quantile_is_one_over_the_density() -> None:
    """For an exponential distribution with mean 1 it is -2 at the median and -10 at p90, within a fifth."""
    side = folded(np.random.default_rng(6).exponential(1.0, 6_000))
    for q, slope in ((0.5, -2.0), (0.9, -10.0)):
        assert bootstrap._slope(side.quantile(q)) == pytest.approx(slope, rel=0.2)


def test_a_shift_moves_the_interval_by_itself() -> None:
    """Estimate and both ends move by exactly what the candidate is slower."""
    rng = np.random.default_rng(3)
    base, cand = rng.exponential(1.0, (2, 3_000))
    for q in (0.5, 0.99):
        there = bootstrap.paired(folded(base).quantile(q), folded(cand).quantile(q), seed=1)
        moved = bootstrap.paired(folded(base).quantile(q), folded(cand + 7.0).quantile(q), seed=1)
        assert (moved.low - there.low, moved.high - there.high) == pytest.approx((7.0, 7.0), abs=1e-5)


def test_a_figure_that_never_varies_has_an_interval_without_width() -> None:
    """A constant wait of 2 us is known exactly."""
    side = folded(np.full(2_000, 0.002))
    for figure in (side.quantile(0.5), side.mean()):
        found = bootstrap.own(figure, seed=1)
        assert (found.low, found.high) == pytest.approx((0.002, 0.002))


def test_one_burst_that_carries_the_tail_makes_it_uncertain() -> None:
    """When all of the slowest 2 % came in one second, p99 could as well be that of a run without the burst."""
    rng = np.random.default_rng(4)
    values = 10 + rng.exponential(1.0, 6_000)
    values[3_000:3_120] += 50
    found = bootstrap.own(folded(values).quantile(0.99), seed=1)
    assert found.low < 20
    assert found.high > 55


def test_cells_without_samples_do_not_matter() -> None:
    """A run at a few requests a second leaves most cells, and even blocks, empty."""
    hits, count = np.zeros(CELLS), np.zeros(CELLS)
    count[: CELLS // 3 : 7] = 1
    hits[: CELLS // 3 : 14] = 1
    found = bootstrap.own(Statistic(hits=hits, count=count, value=lambda deviation: 0.5 + deviation), seed=1)
    assert 0.2 < found.low < 0.5 < found.high < 0.8


def test_what_hangs_together_for_too_much_of_the_run_is_nearly_unknown() -> None:
    """A wander over a third of the run says little of the next one, but a pair that rides on it is compared."""
    rng = np.random.default_rng(3)
    steps = rng.standard_normal(6_000) * np.sqrt(2 / 2_000)
    wander = np.zeros(6_000)
    for i in range(1, 6_000):
        wander[i] = wander[i - 1] * (1 - 1 / 2_000) + steps[i]
    sides = [folded(50 + 10 * wander + rng.exponential(1.0, 6_000)) for _ in range(2)]
    alone = bootstrap.own(sides[0].mean(), seed=1)
    together = bootstrap.paired(sides[0].mean(), sides[1].mean(), seed=1)
    assert alone.too_long
    assert width(alone) > 10
    assert not together.too_long
    assert width(together) < 0.3


def test_a_trend_does_not_widen_an_interval() -> None:
    """A target that gets slower by a third in the run has a mean of the run that is as sure as that of a steady one."""
    values = 10 + np.random.default_rng(4).exponential(1.0, 6_000)
    steady = bootstrap.own(folded(values).mean(), seed=1)
    rising = bootstrap.own(folded(values + np.linspace(0, 4, 6_000)).mean(), seed=1)
    assert width(rising) < 1.6 * width(steady)


def test_samples_that_come_together_are_one_episode() -> None:
    """Sixty samples of the tail in three bursts are three, scattered they are sixty, and in both sides they cancel."""
    rng = np.random.default_rng(5)
    values = rng.exponential(1.0, 6_000)
    for start in (1_000, 3_000, 5_000):
        values[start : start + 20] += 50
    burst, scattered = folded(values), folded(rng.permuted(values))
    assert bootstrap.episodes([burst.quantile(0.99)], 60) == pytest.approx(3, abs=1.5)
    assert bootstrap.episodes([scattered.quantile(0.99)], 60) > 35
    assert bootstrap.episodes([burst.quantile(0.99), burst.quantile(0.99)], 60) > 35
