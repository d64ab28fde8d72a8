"""Simulated histories: are planted shifts found, and does anything else raise an alarm? Pure (numpy).

Every history is looked at as `bench history changes` does: with the share of the false alarms that one of four watched
series has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.history.change_points import LEAST_RUNS, change_points
from bench.history.watch import P_TOGETHER

SERIES = 4
PLANTED = ((20, 1.05), (40, 1.12))
"""First run after each shift, and what it multiplies by."""

_RUNS = 60
_UNCHANGED_RUNS = 200
_NEAR = 2
"""Runs beside the planted one at which a point is taken for it."""
_AROUND = 5
"""The same for one that is known, but not by the run it began with: where runs differ much, no method finds which."""

_ALIKE = (("independent", 0.0), ("each like the one before (0.3)", 0.3), ("each like the one before (0.5)", 0.5))

_MAX_P_VALUE = P_TOGETHER / SERIES


def planted(*, trials: int, seed: int = 1) -> Iterator[dict[str, Any]]:
    """Histories of 60 runs with a shift of 5 % and one of 12 %, by how much runs of one thing differ."""
    for spread in (0.01, 0.015, 0.02, 0.03):
        rng = np.random.default_rng(seed)
        both = around = others = 0
        for _ in range(trials):
            found = [point.index for point in change_points(with_shifts(rng, spread), max_p_value=_MAX_P_VALUE)]
            both += _all_known(found, within=_NEAR)
            around += _all_known(found, within=_AROUND)
            others += sum(all(abs(at - place) > _NEAR for place, _ in PLANTED) for at in found)
        yield {
            "runs differ by": f"{spread:.1%}",
            "histories": trials,
            "both found": both / trials,
            "within 5 runs": around / trials,
            "others a history": others / trials,
        }


def _all_known(found: Sequence[int], *, within: int) -> bool:
    return all(any(abs(at - place) <= within for at in found) for place, _ in PLANTED)


def with_shifts(rng: np.random.Generator, spread: float) -> list[float]:
    """One such history."""
    values = rng.normal(1.0, spread, _RUNS)
    for place, factor in PLANTED:
        values[place:] *= factor
    return [float(value) for value in values]


def unchanged(*, trials: int, seed: int = 2) -> Iterator[dict[str, Any]]:
    """Histories of 200 runs with no shift, looked at after every run: alarms of four watched series together."""
    for name, correlation in _ALIKE:
        rng = np.random.default_rng(seed)
        alarms = [
            sum(_alarms(alike(rng, correlation, runs=_UNCHANGED_RUNS)) for _ in range(SERIES)) for _ in range(trials)
        ]
        yield {
            "runs": name,
            "histories": trials,
            "alarms in 200 runs, mean": float(np.mean(alarms)),
            "at most": max(alarms),
        }


def alike(rng: np.random.Generator, correlation: float, *, runs: int) -> NDArray[np.float64]:
    """Runs around 100 that differ by 1, each of them so much like the one before."""
    values = rng.normal(0, 1, runs)
    for place in range(1, runs):
        values[place] = correlation * values[place - 1] + np.sqrt(1 - correlation**2) * values[place]
    noise: NDArray[np.float64] = 100 + values
    return noise


def _alarms(values: NDArray[np.float64]) -> int:
    """How many places were reported at any look; those that lie together count as one."""
    alarms: set[int] = set()
    for runs in range(2 * LEAST_RUNS, len(values) + 1):
        alarms |= {point.index for point in change_points(_floats(values[:runs]), max_p_value=_MAX_P_VALUE)}
    places = sorted(alarms)
    return sum(n == 0 or place - places[n - 1] > _NEAR for n, place in enumerate(places))


def _floats(values: NDArray[np.float64]) -> Sequence[float]:
    return [float(value) for value in values]
