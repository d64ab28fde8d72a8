"""Stored runs against stored runs."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest

from bench.analysis.bootstrap import Interval
from bench.analysis.diff import pooled, summarise_diff
from bench.analysis.run import LoadedRun
from bench.errors import UsageError
from tests.analysis.synthetic import Side

MakeRun = Callable[..., LoadedRun]


def figures(*values: float, half: float = 0.1) -> list[tuple[float, Interval]]:
    return [(value, Interval(low=value - half, high=value + half)) for value in values]


def test_a_deployment_that_got_slower_is_found(make_run: MakeRun) -> None:
    """Two runs: the second is 1 ms slower at p50, and only variants of the same name are compared."""
    before = make_run(seed=1)
    after = make_run(seed=2, sides=(Side("key", shift_ms=1.0), Side("aad_token")))
    found = summarise_diff([before], [after])
    (comparison,) = found["comparisons"]
    assert (comparison["baseline"], comparison["candidate"]) == ("key", "key")
    p50 = comparison["response_time_ms"]["p50"]
    assert p50["verdict"] == "WORSE"
    assert p50["low"] < 1.0 < p50["high"]
    assert found["unit"] == "block of time"
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_runs_of_one_variant_each_are_compared_whatever_they_are_called(make_run: MakeRun) -> None:
    """A key run against a token run."""
    runs = [make_run(sides=(Side(name),), rate=100, duration_s=10) for name in ("key", "aml_token")]
    (comparison,) = summarise_diff(runs[:1], runs[1:])["comparisons"]
    assert (comparison["baseline"], comparison["candidate"]) == ("key", "aml_token")


def test_runs_with_nothing_in_common_are_refused(make_run: MakeRun) -> None:
    """The error names both."""
    a = make_run(sides=(Side("key"),), rate=50, duration_s=4)
    b = make_run(sides=(Side("aml_token"), Side("aad_token")), rate=50, duration_s=4)
    with pytest.raises(UsageError, match="share no variant: key against aml_token, aad_token"):
        summarise_diff([a], [b])


def test_with_several_runs_a_side_the_run_is_the_unit() -> None:
    """Student's t over the runs: the textbook's pooled two-sample interval."""
    estimate, interval = pooled(figures(10.0, 10.4, 10.2), figures(11.0, 11.2, 11.4, 11.2))
    spread = (0.08 + 0.08) / 5
    half = 2.5706 * np.sqrt(spread * (1 / 3 + 1 / 4))
    assert estimate == pytest.approx(1.0)
    assert (interval.low, interval.high) == pytest.approx((1.0 - half, 1.0 + half), rel=1e-3)


def test_runs_that_agree_by_luck_do_not_make_the_interval_narrower_than_their_own() -> None:
    """Two runs with the same figure still have the uncertainty within each."""
    _, interval = pooled(figures(10.0, 10.0, half=0.5), figures(11.0, 11.0, half=0.5))
    assert interval.high - interval.low == pytest.approx(2 * 0.5)


def test_runs_that_differ_among_themselves_say_less_than_their_samples(make_run: MakeRun) -> None:
    """Each run resolves 0.2 ms, but the baseline runs lie 1 ms apart: no verdict."""
    a = [make_run(seed=i, sides=(Side("key", floor_ms=10.0 + i),), rate=300, duration_s=20) for i in (0, 1)]
    b = [make_run(seed=9, sides=(Side("key", floor_ms=10.8),), rate=300, duration_s=20)]
    found = summarise_diff(a, b)
    assert found["unit"] == "run"
    assert found["comparisons"][0]["response_time_ms"]["p50"]["verdict"] == "INCONCLUSIVE"


def test_too_few_samples_in_any_run_are_told() -> None:
    """One short run is enough to leave a quantile open."""
    short = [(10.0, Interval(low=float("nan"), high=float("nan"), more_needed=500))]
    _, interval = pooled(figures(10.0, 10.1), short)
    assert interval.more_needed == 500


def test_what_else_is_not_the_same_is_said(make_run: MakeRun) -> None:
    """A different rate may be the whole difference."""
    a, b = (make_run(sides=(Side("key"),), rate=rate, duration_s=5) for rate in (50.0, 100.0))
    assert summarise_diff([a], [a])["differences"] == []
    assert summarise_diff([a], [b])["differences"] == [
        "arrival rate is not the same: 50.0 in the baseline, 100.0 in the candidate"
    ]
