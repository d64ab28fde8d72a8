"""One duration of one variant, folded once for every figure that is wanted of it. Pure.

Ten million samples become one sorted array and a table of counts per cell (`blocks.CELLS`), from which quantiles,
means, their intervals and their comparison follow without another look at the samples.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.analysis import quantiles
from bench.analysis.blocks import CELLS, cell_of
from bench.analysis.bootstrap import Statistic
from bench.analysis.quantiles import CURVE_Q
from bench.analysis.run import Floats, Ints, LoadedRun, Mask

_CELL_BITS = (CELLS - 1).bit_length()


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Fold:
    """`ordered_ns` sorted; `count` and `total_ns` per cell; `above[cell, i]` values above the quantile `q[i]`."""

    ordered_ns: Ints
    count: Ints
    total_ns: Floats
    q: Floats
    above: Ints

    @property
    def n(self) -> int:
        return len(self.ordered_ns)

    @property
    def mean_ms(self) -> float:
        return float(self.total_ns.sum() / self.n / 1e6) if self.n else float("nan")

    def quantile_ms(self, q: float) -> float:
        return float(quantiles.at(self.ordered_ns, q)) / 1e6

    def quantile(self, q: float) -> Statistic:
        """The quantile `q` in ms for the bootstrap; `q` must be one of `self.q`."""
        column = int(np.searchsorted(self.q, q))
        if column == len(self.q) or self.q[column] != q:
            raise ValueError(f"quantile {q} was not folded")
        return Statistic(
            hits=self.above[:, column],
            count=self.count,
            value=lambda deviation: quantiles.at(self.ordered_ns, q - deviation) / 1e6,
        )

    def mean(self) -> Statistic:
        """The mean in ms for the bootstrap."""
        mean_ms = self.mean_ms
        return Statistic(hits=self.total_ns / 1e6, count=self.count, value=lambda deviation: mean_ms + deviation)


@dataclass(frozen=True, slots=True, eq=False)
class Picked:
    """Row numbers of some samples, and the cell of time each was due in."""

    rows: Ints
    cell: NDArray[np.int16]


def pick(run: LoadedRun, mask: Mask) -> Picked:
    """The samples of `mask`."""
    rows = np.flatnonzero(mask)
    return Picked(rows, cell_of(run.samples.intended_ns[rows], run.window_ns))


def pick_variant(run: LoadedRun, variant: str) -> Picked:
    """The latency samples of a variant."""
    kept: Picked = _once(run, f"latency rows of {variant}", lambda: pick(run, run.latency_rows(variant)))
    return kept


def fold(values_ns: Ints, cell: NDArray[np.int16], q: Floats = CURVE_Q) -> Fold:
    """Fold durations in ns (negative ones count as 0) with the cell of each; `q` must be sorted.

    Overwrites `values_ns`. One sort: a duration and its cell share an integer, so the cells come along in its order.
    """
    key = np.maximum(values_ns, 0, out=values_ns)
    key <<= _CELL_BITS
    key |= cell
    key.sort()
    sorted_cell = key.astype(np.int16) & ((1 << _CELL_BITS) - 1)
    key >>= _CELL_BITS
    cuts = [0, *np.searchsorted(key, quantiles.at(key, q), side="right"), len(key)] if len(key) else [0] * (len(q) + 2)
    between = np.zeros((CELLS, len(q) + 1), np.int64)
    total_ns = np.zeros(CELLS)
    for column, (start, end) in enumerate(itertools.pairwise(cuts)):
        between[:, column] = np.bincount(sorted_cell[start:end], minlength=CELLS)
        total_ns += np.bincount(sorted_cell[start:end], weights=key[start:end], minlength=CELLS)
    up_to = np.cumsum(between, axis=1)
    return Fold(
        ordered_ns=key,
        count=up_to[:, -1],
        total_ns=total_ns,
        q=q,
        above=up_to[:, -1:] - up_to[:, :-1],
    )


def fold_picked(run: LoadedRun, metric: str, picked: Picked, q: Floats = CURVE_Q) -> Fold:
    """Fold one of `run.METRICS` over some samples."""
    values_ns, cell = run.samples.durations_ns(metric, picked.rows), picked.cell
    if len(values_ns) < len(cell):
        cell = cell[np.isin(picked.rows, run.samples.telling(picked.rows), assume_unique=True)]
    return fold(values_ns, cell, q)


def fold_variant(run: LoadedRun, metric: str, variant: str) -> Fold:
    """Fold a duration of the latency samples of a variant; done once a run and kept with it."""
    kept: Fold = _once(run, f"{metric} of {variant}", lambda: fold_picked(run, metric, pick_variant(run, variant)))
    return kept


def _once(run: LoadedRun, key: str, make: Callable[[], Any]) -> Any:
    if key not in run.memo:
        run.memo[key] = make()
    return run.memo[key]
