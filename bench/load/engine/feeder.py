"""Which request is number n of a run. Pure arithmetic over what was read.

Requests go round in cycles; each holds every request as often as its weight says, in an order that the seed decides
and that every worker knows. A cycle begins at another place than the one before, lest a user of the closed model, whose
numbers are as far apart as there are users, should meet one request for ever. A trace is sent in its own order.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from fractions import Fraction
from math import lcm

from bench.load.engine.payload import Payload

_MOST_IN_A_CYCLE = 100_000
_64_BITS = (1 << 64) - 1


class Feeder:
    """`at(number)` is the request that arrival `number` sends."""

    def __init__(self, requests: Sequence[Payload], *, order: Sequence[int], seed: int, in_turn: bool = False) -> None:
        self._requests = requests
        self._order = order
        self._seed = seed
        self._in_turn = in_turn
        self._only = requests[0] if len(order) == 1 else None
        self._cycle = self._shift = 0

    @classmethod
    def of(cls, requests: Sequence[Payload], *, seed: int = 0, weights: Sequence[float] = ()) -> Feeder:
        """In seeded order, each as often as its weight says."""
        order = _weighted(len(requests), weights)
        random.Random(f"payload-{seed}").shuffle(order)  # noqa: S311 - reproducible, not secret
        return cls(requests, order=order, seed=seed)

    @classmethod
    def in_turn(cls, requests: Sequence[Payload], *, order: Sequence[int]) -> Feeder:
        """In `order`, again and again."""
        return cls(requests, order=order, seed=0, in_turn=True)

    def at(self, number: int) -> Payload:
        """Hot."""
        if self._only is not None:
            return self._only
        size = len(self._order)
        cycle, place = divmod(number, size)
        if cycle != self._cycle:
            self._cycle = cycle
            self._shift = 0 if self._in_turn else _mixed(self._seed, cycle) % size
        return self._requests[self._order[(place + self._shift) % size]]


def _weighted(size: int, weights: Sequence[float]) -> list[int]:
    """Request numbers, each as often as its weight wants, in the smallest whole numbers that fit a cycle."""
    if not weights or len(set(weights)) == 1:
        return list(range(size))
    parts = [Fraction(weight).limit_denominator(1000) or Fraction(1, 1000) for weight in weights]
    scale = lcm(*(part.denominator for part in parts))
    counts = [int(part * scale) for part in parts]
    total = sum(counts)
    if total > max(_MOST_IN_A_CYCLE, 10 * size):
        counts = [max(round(count * max(_MOST_IN_A_CYCLE, 10 * size) / total), 1) for count in counts]
    return [request for request, count in enumerate(counts) for _ in range(count)]


def _mixed(seed: int, number: int) -> int:
    """A well mixed 64-bit number (splitmix64)."""
    value = (seed * 0x9E3779B97F4A7C15 + number * 0xBF58476D1CE4E5B9) & _64_BITS
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _64_BITS
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _64_BITS
    return value ^ (value >> 31)
