"""Bins of equal width over a run's measured window, and the quantiles of what lies in each. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.analysis import quantiles
from bench.analysis.run import Floats, Ints, LoadedRun

BINS = 120
"""Bins over the measured window when the caller does not say; never narrower than `NARROWEST_S`."""
NARROWEST_S = 0.25


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class TimeBins:
    """Equal bins: `edges_s` has one value more than `t_s`, the middles."""

    edges_s: Floats
    t_s: Floats

    @property
    def width_s(self) -> float:
        return float(self.edges_s[1] - self.edges_s[0])


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class QuantileLines:
    """Quantiles of each bin, in ms."""

    p50_ms: Floats
    p90_ms: Floats
    p99_ms: Floats
    max_ms: Floats


def time_bins(run: LoadedRun, bins: int = BINS) -> TimeBins:
    """Equal bins over the measured window, `bins` of them unless they would be too narrow to mean anything."""
    begin_ns, until_ns = run.window_ns
    begin, until = begin_ns / 1e9, max(until_ns, begin_ns + 1) / 1e9
    number = int(np.clip((until - begin) / NARROWEST_S, 1, bins))
    edges = np.linspace(begin, until, number + 1)
    return TimeBins(edges_s=edges, t_s=(edges[:-1] + edges[1:]) / 2)


def index_of(times_ns: Ints, grid: TimeBins) -> Ints:
    """The bin of each time; what lies outside the window goes to the bin next to it."""
    place = times_ns - grid.edges_s[0] * 1e9
    place *= 1.0 / (grid.width_s * 1e9)
    index: Ints = place.astype(np.int64)
    return np.clip(index, 0, len(grid.t_s) - 1, out=index)


def lines_of(values_ns: Ints, index: Ints, bins: int) -> QuantileLines:
    """Exact quantiles of every bin from one sort: bin number and duration share an integer key.

    Overwrites `values_ns`, for arrays of ten million are best few.
    """
    key = index << _DURATION_BITS
    key |= np.clip(values_ns, 0, _LONGEST_NS, out=values_ns)
    key.sort()
    ends = np.searchsorted(key, np.arange(1, bins + 1, dtype=np.int64) << _DURATION_BITS)
    starts = np.concatenate(([0], ends[:-1]))
    found = np.full((bins, 4), np.nan)
    for i in np.flatnonzero(ends > starts):
        ordered = key[starts[i] : ends[i]] & _LONGEST_NS
        found[i] = quantiles.at(ordered, _LINES) / 1e6
    return QuantileLines(p50_ms=found[:, 0], p90_ms=found[:, 1], p99_ms=found[:, 2], max_ms=found[:, 3])


_LINES = np.array([0.5, 0.9, 0.99, 1.0])
_DURATION_BITS = 46
_LONGEST_NS = (1 << _DURATION_BITS) - 1
