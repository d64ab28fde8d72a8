"""When a target had settled: where the warm-up of a run with `--warm-up auto` ends. Pure (numpy).

Medians of service time in batches of a twentieth of the longest warm-up (a tenth or a fifth, where requests are few)
are held against those of the second half of what is measured whatever happens. The warm-up ends before the first three
batches in a row that lie among them, within four standard deviations or what does not matter.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LEAST_SHARE = 0.1
"""Of the median: what is smaller moves no conclusion."""

AMONG = 4.0
"""Standard deviations of steady batches within which a batch lies among them."""

_BATCHES = (20, 10, 5)
_IN_A_ROW = 3
_LEAST_STEADY = 5
_LEAST_IN_BATCH = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmUp:
    """A warm-up of at most `at_most_s` that ended after `ended_s`.

    `settled` is None where requests were too few to tell: all of it is left out then, as where they never settled.
    """

    at_most_s: float
    ended_s: float
    settled: bool | None

    @property
    def sentence(self) -> str:
        if self.settled:
            return (
                f"the warm-up ended after {self.ended_s:.3g} s of at most {self.at_most_s:g}: service time had settled"
            )
        if self.settled is None:
            return (
                f"too few requests, or too short a run, to tell when service time had settled: all {self.at_most_s:g} s"
                " of warm-up are left out"
            )
        return (
            f"service time had not settled after {self.at_most_s:g} s of warm-up: give --warm-up"
            f" auto:{2 * self.at_most_s:g}s, or find out what changes"
        )


def warm_up(at_s: Floats, service_ms: Floats, *, at_most_s: float, until_s: float, least_ms: float) -> WarmUp:
    """Of one variant's requests: when they were due, since the run's start, and how long they took."""
    for batches in _BATCHES:
        medians = _medians(at_s, service_ms, width_s=at_most_s / batches, count=int(until_s * batches / at_most_s))
        steady = medians[batches + (len(medians) - batches) // 2 :]
        if len(medians) <= batches or len(steady) < _LEAST_STEADY:
            continue
        room = max(AMONG * float(steady.std(ddof=1)), max(least_ms, LEAST_SHARE * float(np.median(steady))) / 2)
        among = np.abs(medians - steady.mean()) <= room
        ends = [first for first in range(batches + 1) if among[first : first + _IN_A_ROW].all()]
        ended = ends[0] if ends else batches
        return WarmUp(at_most_s=at_most_s, ended_s=ended * at_most_s / batches, settled=bool(ends))
    return WarmUp(at_most_s=at_most_s, ended_s=at_most_s, settled=None)


def last_of(found: Iterable[WarmUp]) -> WarmUp:
    """Of several variants: a run has warmed up once all of them have."""
    return min(found, key=lambda one: (one.settled is not False, one.settled is not None, -one.ended_s))


def _medians(at_s: Floats, service_ms: Floats, *, width_s: float, count: int) -> Floats:
    """Of each batch; empty where one has too few requests."""
    batch = (at_s / width_s).astype(np.int64)
    inside = batch < count
    batch, service_ms = batch[inside], service_ms[inside]
    if not count or np.bincount(batch, minlength=count).min() < _LEAST_IN_BATCH:
        return np.zeros(0)
    order = np.argsort(batch, kind="stable")
    parts = np.split(service_ms[order], np.searchsorted(batch[order], np.arange(1, count)))
    return np.array([float(np.median(part)) for part in parts])
