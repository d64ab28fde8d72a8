"""The latest response times."""

from __future__ import annotations

from bench.live.recent import SIZE, Recent


def test_nothing_yet() -> None:
    """No time is shown before there was one."""
    assert Recent().recent_ms() == []


def test_times_come_sorted_and_in_ms() -> None:
    """From due to done."""
    recent = Recent()
    for intended_ns, done_ns in ((0, 3_000_000), (5, 1_500_005), (7, 7)):
        recent.observe(intended_ns, done_ns)
    assert recent.recent_ms() == [0, 1.5, 3]


def test_only_the_latest_count() -> None:
    """A slow start is forgotten."""
    recent = Recent()
    for _ in range(SIZE):
        recent.observe(0, 10**9)
    for turn in range(SIZE):
        assert max(recent.recent_ms()) == 1000, turn
        recent.observe(0, 10**6)
    assert recent.recent_ms() == [1.0] * SIZE
