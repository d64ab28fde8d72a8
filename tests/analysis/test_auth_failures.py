"""Refused requests and refreshes, counted."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from bench.analysis import auth_failures
from bench.analysis.run import LoadedRun
from tests.analysis.synthetic import Side

MakeRun = Callable[..., LoadedRun]


def test_failures_are_counted_by_cause(make_run: MakeRun) -> None:
    """Count, rate and causes agree with the samples; the warm-up is left out."""
    side = Side("aml_token", auth_failures={"expired": 0.02, "refused": 0.01})
    run = make_run(sides=(side,), rate=400, duration_s=20)

    found = auth_failures.of(run, "aml_token")

    assert set(found.by_cause) == {"expired", "refused"}
    assert found.count == sum(found.by_cause.values())
    assert found.rate == found.count / 8_000
    assert found.low < 0.03 < found.high


def test_a_side_without_failures_still_has_an_upper_end(two_sides: LoadedRun) -> None:
    """None seen in 6,000 is not never: the next burst may last as long as a block of time."""
    found = auth_failures.of(two_sides, "key")
    assert (found.count, found.rate, found.low, found.by_cause) == (0, 0.0, 0.0, {})
    assert found.high == pytest.approx(3 / 40)


def test_refreshes_are_the_flights_after_the_first(two_sides: LoadedRun) -> None:
    """The initial fetch is a flight but not a refresh; the other variant's flights are not counted."""
    found = auth_failures.refreshes(two_sides, "aml_token")
    assert (found.flights, found.count, found.failures) == (4, 3, 0)
    assert found.by_cause == {"stale": 3}
    assert found.mean_ms == pytest.approx(30.0)
    assert auth_failures.refreshes(two_sides, "key").count == 0


def test_failed_refreshes_and_waits_are_counted(make_run: MakeRun) -> None:
    """Two of the flights failed, and callers waited for 80 ms."""
    side = Side("aml_token", refresh_every_s=5.0, refresh_pause_ms=80.0, refresh_failures=2)
    found = auth_failures.refreshes(make_run(sides=(side,), rate=50, duration_s=20), "aml_token")
    assert found.failures == 2
    assert found.by_cause == {"expired": 4}
    assert found.longest_wait_ms == pytest.approx(80.0)
    assert found.waiters == 16


def test_without_flights_there_is_nothing_to_tell(make_run: MakeRun) -> None:
    """A static credential: zero refreshes, and no duration."""
    found = auth_failures.refreshes(make_run(rate=20, duration_s=2, flights=False), "key")
    assert (found.count, found.failures, found.longest_wait_ms) == (0, 0, 0.0)
    assert math.isnan(found.mean_ms)
