"""What a lease, a sample, a task and an event cost: figures of the real parts, however fast this machine is."""

from __future__ import annotations

import pytest

from bench.calibration import costs, watching


def test_all_costs_are_shown_with_their_goal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A time for each, and for a sample the bytes it takes on disk, which are the same everywhere; the watchers."""
    for name, few in (("_READS", 1_000), ("_SAMPLES", 5_000), ("_EVENTS", 500), ("_ROUNDS", 2), ("_TASKS", 200)):
        monkeypatch.setattr(costs, name, few)
    monkeypatch.setattr(watching, "_TIMES", 2)
    monkeypatch.setattr(watching, "_HOUR_S", 20)
    lease, sample, task, event, view, *watchers, total = costs.costs()
    assert lease["CPU us each"] > 0
    assert lease["bytes each"] is None
    assert sample["CPU us each"] > lease["CPU us each"]
    assert task["CPU us each"] > 0
    assert 10 < sample["bytes each"] <= 64
    assert view["load"] == watching.VIEW
    assert len(watchers) == 4
    assert total["CPU us each"] == pytest.approx(sum(one["CPU us each"] for one in watchers))
    assert all(one["CPU us each"] > 0 for one in watchers)
    assert event["CPU us each"] > 0
    assert event["bytes each"] is None


@pytest.mark.parametrize(
    ("each_us", "size", "goals"),
    [(0.3, None, "met"), (0.31, None, "missed"), (0.2, 64.1, "missed"), (0.2, 64.0, "met")],
)
def test_a_cost_above_its_goal_is_missed(each_us: float, size: float | None, goals: str) -> None:
    """Time and size both count."""
    assert costs._row("x", each_us, most_us=0.3, size=size)["goals"] == goals
