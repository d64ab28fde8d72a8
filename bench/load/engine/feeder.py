"""Which request is number n of a run. Pure arithmetic over what was read.

Requests go round in cycles; each holds every request as often as its weight says, in an order that the seed decides
and that every worker knows. A trace is sent in its own order.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from fractions import Fraction
from math import lcm

from bench.load.engine.payload import Payload

_MOST_IN_A_CYCLE = 100_000


class Feeder:
    """`at(number)` is the request that arrival `number` sends."""

    def __init__(self, requests: Sequence[Payload], *, order: Sequence[int]) -> None:
        self._requests = requests
        self._order = order
        self.size = len(order)

    @classmethod
    def of(cls, requests: Sequence[Payload], *, seed: int = 0, weights: Sequence[float] = ()) -> Feeder:
        """In seeded order, each as often as its weight says."""
        order = _weighted(len(requests), weights)
        random.Random(f"payload-{seed}").shuffle(order)  # noqa: S311 - reproducible, not secret
        return cls(requests, order=order)

    def at(self, number: int) -> Payload:
        """Hot."""
        return self._requests[self._order[number % self.size]]


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
