"""Which request is sent when."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.load.engine.feeder import Feeder
from bench.load.engine.payload import Payload


def feeder(size: int, *, seed: int = 1, weights: tuple[float, ...] = ()) -> Feeder:
    return Feeder.of(payloads(size), seed=seed, weights=weights)


def payloads(size: int) -> list[Payload]:
    return [Payload.of(b"%d" % number) for number in range(size)]


def picked(made: Feeder, numbers: range) -> list[int]:
    return [int(made.at(number).tail) for number in numbers]


def test_the_seed_decides_the_order() -> None:
    """Which every worker knows: each asks for its own numbers, in any order."""
    order = picked(feeder(50), range(50))
    assert sorted(order) == list(range(50))
    assert order != list(range(50))
    assert picked(feeder(50, seed=2), range(50)) != order
    assert picked(feeder(50), range(1, 200, 2)) == picked(feeder(50), range(200))[1::2]


@given(size=st.integers(1, 40), start=st.integers(0, 10**12), seed=st.integers(0, 2**40))
def test_every_cycle_holds_every_request_once(size: int, start: int, seed: int) -> None:
    """Whatever the number at which one looks."""
    first = start // size * size
    assert sorted(picked(feeder(size, seed=seed), range(first, first + size))) == list(range(size))


@pytest.mark.parametrize(
    ("weights", "counts"),
    [((3, 1), (3, 1)), ((0.75, 0.25), (3, 1)), ((2, 2), (1, 1)), ((1.5, 1, 0.5), (3, 2, 1)), ((1e6, 1), (100_000, 1))],
)
def test_weights_are_kept_in_every_cycle(weights: tuple[float, ...], counts: tuple[int, ...]) -> None:
    """As the smallest whole numbers; a mix too uneven for one cycle is rounded, and nothing is left out."""
    cycle = sum(counts)
    found = Counter(picked(feeder(len(weights), weights=weights), range(cycle)))
    for request, count in enumerate(counts):
        assert found[request] == pytest.approx(count, rel=0.01)


def test_a_trace_is_sent_in_its_order() -> None:
    """Again from its beginning when there are more arrivals than requests."""
    made = Feeder(payloads(3), order=[2, 0, 1])
    assert picked(made, range(7)) == [2, 0, 1, 2, 0, 1, 2]
