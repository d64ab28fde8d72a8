"""A backlog that grows tells a rate above capacity before any quantile does."""

from __future__ import annotations

import numpy as np
import pytest

from bench.capacity.stability import backlog_growth

_SECOND = 1_000_000_000


def _served(*, rate: float, capacity: float, seconds: float) -> tuple[np.ndarray, np.ndarray]:
    """Due and answered times of requests that wait in one queue for a server that takes `capacity` a second."""
    due = np.arange(0, seconds, 1 / rate)
    done, free = np.empty_like(due), 0.0
    for number, at in enumerate(due):
        free = max(free, at) + 1 / capacity
        done[number] = free
    return (due * _SECOND).astype(np.int64), (done * _SECOND).astype(np.int64)


@pytest.mark.parametrize(
    ("rate", "capacity", "growth"),
    [(100, 200, 0), (100, 100, 0), (100, 90, 100), (102, 100, 20), (400, 100, 3000)],
)
def test_growth_is_what_was_due_and_not_served(rate: float, capacity: float, growth: float) -> None:
    """Over 10 s the backlog grows by the difference of the rates, and not at all below capacity."""
    due, done = _served(rate=rate, capacity=capacity, seconds=10)
    found = backlog_growth(due, done, begin_ns=0, end_ns=10 * _SECOND)
    assert found == pytest.approx(growth, rel=0.05, abs=1.0)


def test_a_backlog_that_is_worked_off_does_not_grow() -> None:
    """A stall before the window leaves a debt that shrinks within it."""
    due, done = _served(rate=100, capacity=120, seconds=10)
    late = np.maximum(done, 2 * _SECOND)
    assert backlog_growth(due, late, begin_ns=_SECOND, end_ns=10 * _SECOND) < 0


def test_no_time_no_growth() -> None:
    """A run that ended before it was measured has no backlog."""
    nothing = np.array([], dtype=np.int64)
    assert backlog_growth(nothing, nothing, begin_ns=5, end_ns=5) == 0.0
