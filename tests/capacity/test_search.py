"""The search for the highest rate that holds, as a table of what it asks next."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.capacity.search import Probe, Search, best_rate


def _found(search: Search, holds_up_to: float) -> tuple[float | None, list[float]]:
    probes: list[Probe] = []
    while (rate := search.next_rate(probes)) is not None:
        probes.append(Probe(rate=rate, holds=rate <= holds_up_to))
        assert len(probes) < 100
    return best_rate(probes), [probe.rate for probe in probes]


def test_doubles_then_bisects_then_confirms() -> None:
    """The rates asked for a target that holds up to 200/s."""
    best, asked = _found(Search(first=50, precision=0.05), 200)
    assert asked[:4] == [50, 100, 200, 400]
    assert asked[-1] == best or asked.count(best) == 2
    assert 190 <= best <= 200


@given(st.floats(2, 1e5))
def test_finds_any_capacity_within_its_precision(truth: float) -> None:
    """Whatever the capacity, the answer is at most `precision` (and rounding) below it, and never above."""
    best, _ = _found(Search(first=25, precision=0.03), truth)
    assert best is not None
    assert truth / (1.03 + 1 / truth) - 1 <= best <= truth


def test_stops_at_the_limit() -> None:
    """A target that could take more is not asked for more than the limit."""
    best, asked = _found(Search(first=100, limit=500), 1e9)
    assert best == 500
    assert max(asked) == 500


def test_gives_up_below_one_request_a_second() -> None:
    """An objective nothing can meet ends the search without an answer."""
    best, asked = _found(Search(first=8), 0)
    assert best is None
    assert min(asked) == 1


@pytest.mark.parametrize("flaky", [True, False])
def test_a_rate_must_hold_every_time(flaky: bool) -> None:
    """The confirming probe can take a rate back; the answer then lies below it."""
    probes = [Probe(rate=100, holds=True), Probe(rate=102, holds=False), Probe(rate=100, holds=not flaky)]
    assert best_rate(probes) == (None if flaky else 100)
