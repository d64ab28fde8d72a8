"""Intervals of shares."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bench.analysis import rates
from bench.analysis.blocks import CELLS
from bench.analysis.rates import Share


def share(hits: int, total: int, *, within_cells: int = CELLS, span_s: float = 60.0) -> Share:
    """`hits` spread evenly over the first `within_cells` cells, `total` over all."""
    spread = np.zeros(CELLS)
    np.add.at(spread, np.linspace(0, within_cells - 1, hits).astype(int), 1)
    return Share(hits=spread, count=np.full(CELLS, total / CELLS), span_s=span_s)


@pytest.mark.parametrize("failures", [0, 1, 40])
def test_none_or_one_burst_does_not_say_how_long_the_next_one_is(failures: int) -> None:
    """The limit is the rule of three over seconds and not over requests, however many failed in the burst."""
    found = rates.own(share(failures, 9_600, within_cells=4))
    assert found.high >= 3 / 60
    assert found.episodes <= 1.5
    failing = share(failures, 9_600, within_cells=4)
    working = rates.own(Share(hits=failing.count - failing.hits, count=failing.count, span_s=failing.span_s))
    assert working.low == pytest.approx(1 - found.high)


@pytest.mark.parametrize(
    ("requests", "span_s", "most"),
    [(9_600, 600.0, 0.005), (960_000, 3_600.0, 3 / 3_600), (9_600, 5.0, 0.075), (9_600, 0.1, 0.075), (9, 600.0, 0.375)],
)
def test_of_no_failure_a_longer_run_says_more(requests: int, span_s: float, most: float) -> None:
    """3 in the number of seconds: 0.5 % of ten minutes; of a short run 3 in its blocks, and of few Wilson's."""
    assert rates.own(share(0, requests, span_s=span_s)).high == pytest.approx(most)


def test_scattered_failures_are_known_as_independent_ones_are() -> None:
    """Ten in 9,600, far from each other: Wilson's interval, far below the rule of three over seconds."""
    found = rates.own(share(10, 9_600))
    assert found.episodes == pytest.approx(10, rel=0.01)
    assert found.high < 25 / 9_600


def test_wilsons_interval_is_as_published() -> None:
    """81 of 263 is 0.2553 to 0.3662 (Newcombe 1998, table I), and a little wider with t for 32 blocks."""
    found = rates.own(Share(hits=share(81, 960).hits, count=share(263, 960).hits, span_s=60.0))
    assert found.low == pytest.approx(0.2553, abs=0.004)
    assert found.high == pytest.approx(0.3662, abs=0.004)


def test_failures_in_one_burst_tell_less_than_scattered_ones() -> None:
    """A hundred failures within one second are one event."""
    scattered, burst = rates.own(share(100, 9_600)), rates.own(share(100, 9_600, within_cells=16))
    assert burst.high - burst.low > 3 * (scattered.high - scattered.low)
    assert 0 <= burst.low < 100 / 9_600 < burst.high <= 1


def test_a_difference_holds_both_uncertainties() -> None:
    """0 against 0 is 0 within the rule of three to either side; 0 against 5 % is clearly more."""
    none = rates.difference(share(0, 9_600), share(0, 9_600))
    assert none.low == pytest.approx(-none.high)
    assert none.high > 3 / 9_600
    more = rates.difference(share(0, 9_600), share(480, 9_600))
    assert 0.04 < more.low < 0.05 < more.high < 0.06


def test_without_requests_there_is_no_rate() -> None:
    """NaN, and one sample more is needed."""
    nobody = share(0, 0)
    assert math.isnan(nobody.rate)
    assert rates.own(nobody).more_needed == 1
    assert rates.difference(nobody, share(1, 960)).more_needed == 1
