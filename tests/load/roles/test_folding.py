"""Rows reach those who count one fold at a time, in their order, and all of them."""

from __future__ import annotations

import gevent
import numpy as np
import pytest

from bench.load.roles import folding
from bench.load.roles.folding import Folding


def test_folds_follow_in_turns_of_their_own() -> None:
    """None within the write; the rows are those of the write, whatever is in that memory later."""
    seen: list[tuple[str, list[int]]] = []
    made = Folding(lambda rows: seen.append(("a", rows.tolist())), lambda rows: seen.append(("b", rows.tolist())))
    rows = np.array([1, 2])
    made.take(rows)
    rows[:] = 7
    made.take(rows)
    assert seen == []
    while len(seen) < 4:
        gevent.sleep(0.001)
    assert seen == [("a", [1, 2]), ("b", [1, 2]), ("a", [7, 7]), ("b", [7, 7])]


def test_what_is_left_is_folded_at_the_end() -> None:
    seen: list[int] = []
    made = Folding(lambda rows: seen.extend(rows.tolist()))
    made.take(np.array([1]))
    made.finish()
    made.take(np.array([2]))
    made.finish()
    gevent.sleep(0.01)
    assert seen == [1, 2]


def test_a_loop_without_time_keeps_few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folding, "_MOST_WAITING", 2)
    seen: list[int] = []
    made = Folding(lambda rows: seen.extend(rows.tolist()))
    for number in range(5):
        made.take(np.array([number]))
    assert seen == [0, 1, 2]
    made.finish()
    assert seen == [0, 1, 2, 3, 4]
