"""Service times and stalls, as arithmetic."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.emulator.service_time import ServiceTimes, Stall, finish_ns

MS = 1_000_000
EVERY_SECOND = Stall(begins_ns=1000 * MS, lasts_ns=200 * MS, every_ns=1000 * MS)
ONCE = Stall(begins_ns=1000 * MS, lasts_ns=200 * MS)


def test_the_same_seed_gives_the_same_service_times():
    """A run can be repeated exactly; another seed is another run."""
    first, again, other = (ServiceTimes(base_ns=10 * MS, exponential_ns=3 * MS, seed=seed) for seed in (7, 7, 8))
    drawn = [first.next_ns() for _ in range(50)]
    assert drawn == [again.next_ns() for _ in range(50)]
    assert drawn != [other.next_ns() for _ in range(50)]


def test_service_times_are_base_plus_an_exponential():
    """Nothing is below the base, mean and standard deviation of the rest are the exponential's mean."""
    times = ServiceTimes(base_ns=10 * MS, exponential_ns=3 * MS, seed=1)
    drawn = [times.next_ns() for _ in range(20_000)]
    assert min(drawn) >= 10 * MS
    assert statistics.mean(drawn) == pytest.approx(13 * MS, rel=0.02)
    assert statistics.stdev(drawn) == pytest.approx(3 * MS, rel=0.05)


def test_zero_service_time_is_zero():
    """With no base and no exponential every service time is 0."""
    assert ServiceTimes(base_ns=0, exponential_ns=0, seed=1).next_ns() == 0


@pytest.mark.parametrize(
    ("begin_ms", "work_ms", "stalls", "done_ms"),
    [
        (0, 10, (), 10),
        (0, 10, (ONCE,), 10),
        (995, 10, (ONCE,), 1205),  # 5 ms of work, frozen for 200 ms, 5 ms more
        (1100, 10, (ONCE,), 1210),  # arrives frozen: its work begins when the stall ends
        (990, 10, (ONCE,), 1200),  # would be done as the stall begins: answered only after it
        (1200, 10, (ONCE,), 1210),
        (5000, 10, (ONCE,), 5010),
        (2100, 0, (EVERY_SECOND,), 2200),
        (900, 1500, (EVERY_SECOND,), 2800),  # frozen twice
        (1100, 10, (ONCE, Stall(begins_ns=1200 * MS, lasts_ns=50 * MS)), 1260),
        (1100, 10, (Stall(begins_ns=1000 * MS, lasts_ns=200 * MS, ends_ns=1150 * MS),), 1160),
        (3100, 10, (Stall(begins_ns=1000 * MS, lasts_ns=200 * MS, every_ns=1000 * MS, ends_ns=3000 * MS),), 3110),
    ],
)
def test_a_stall_freezes_work(begin_ms: int, work_ms: int, stalls: tuple[Stall, ...], done_ms: int):
    """Work stands still in a stall and goes on afterwards."""
    assert finish_ns(begin_ms * MS, work_ms * MS, stalls) == done_ms * MS


@given(
    begin_ns=st.integers(0, 10_000 * MS),
    work_ns=st.integers(0, 3000 * MS),
    offset_ns=st.integers(0, 2000 * MS),
    lasts_ns=st.integers(1, 400 * MS),
    every_ns=st.integers(500 * MS, 2000 * MS),
)
def test_nothing_is_done_within_a_stall(begin_ns: int, work_ns: int, offset_ns: int, lasts_ns: int, every_ns: int):
    """Whatever the stall, work is done outside it, no earlier than without it, and late by whole stalls at most."""
    stall = Stall(begins_ns=offset_ns, lasts_ns=lasts_ns, every_ns=every_ns)
    done_ns = finish_ns(begin_ns, work_ns, (stall,))
    assert done_ns >= begin_ns + work_ns
    if done_ns >= offset_ns and done_ns != begin_ns + work_ns:
        assert (done_ns - offset_ns) % every_ns >= lasts_ns
    met = (done_ns - begin_ns) // every_ns + 2
    assert done_ns - begin_ns - work_ns <= met * lasts_ns
