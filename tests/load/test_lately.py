"""The latest response times."""

from __future__ import annotations

from bench.load.lately import SIZE, Lately


def test_nothing_yet() -> None:
    """No time is shown before there was one."""
    assert Lately().recent_ms() == []


def test_times_come_sorted_and_in_ms() -> None:
    """From due to done."""
    lately = Lately()
    for intended_ns, done_ns in ((0, 3_000_000), (5, 1_500_005), (7, 7)):
        lately.observe(intended_ns, done_ns)
    assert lately.recent_ms() == [0, 1.5, 3]


def test_only_the_latest_count() -> None:
    """A slow start is forgotten."""
    lately = Lately()
    for _ in range(SIZE):
        lately.observe(0, 10**9)
    for turn in range(SIZE):
        assert max(lately.recent_ms()) == 1000, turn
        lately.observe(0, 10**6)
    assert lately.recent_ms() == [1.0] * SIZE
