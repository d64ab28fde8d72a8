"""One duration of one variant, folded once for every figure that is wanted of it. Pure.

Ten million samples become one sorted array and a table of counts per cell (`blocks.CELLS`), from which quantiles,
means, their intervals and their comparison follow without another look at the samples.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.analysis import quantiles
from bench.analysis.blocks import CELLS, cell_of
from bench.analysis.bootstrap import Statistic
from bench.analysis.quantiles import CURVE_Q
from bench.analysis.run import Floats, Ints, LoadedRun, Mask

_CELL_BITS = (CELLS - 1).bit_length()
_CENSORED = 1 << _CELL_BITS
_KEY_BITS = _CELL_BITS + 1

CENSORED_METRICS = ("response_time", "service_time")
"""The durations that a request without an answer leaves open; how late it began is known all the same."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Answers:
    """Where some requests got no answer: those that did, `ordered_ns` sorted, with the others slower than any of them.

    `above[cell, i]` counts the values above the quantile `q[i]` of that order; `first_open_ns` is the earliest time at
    which one ended without an answer.
    """

    ordered_ns: Ints
    above: Ints
    first_open_ns: int


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Fold:
    """`ordered_ns` sorted; `count` and `total_ns` per cell; `above[cell, i]` values above the quantile `q[i]`.

    A request without an answer is censored: it stands in these arrays with the time at which it ended, the least it can
    have taken. For `quantile_ms` and `mean_ms` it counts as slower than any answer: they are infinite where that
    decides; the least values possible are `least_ms`. `answers` is None where all were answered. `pieces` are the cells
    in which a stage of the load begins.
    """

    ordered_ns: Ints
    count: Ints
    total_ns: Floats
    q: Floats
    above: Ints
    answers: Answers | None = None
    pieces: tuple[int, ...] = ()
    memo: dict[float, Statistic] = field(default_factory=dict, repr=False)
    """Its quantiles, for what has been found of one need not be found again."""

    @property
    def n(self) -> int:
        return len(self.ordered_ns)

    @property
    def censored(self) -> int:
        """Requests without an answer."""
        return self.n - len(self.answers.ordered_ns) if self.answers else 0

    @property
    def mean_ms(self) -> float:
        return math.inf if self.answers else self.least_ms(None)

    def quantile_ms(self, q: float) -> float:
        if self.answers is None:
            return self.least_ms(q)
        return float(quantiles.among(self.answers.ordered_ns, self.n, q)) / 1e6

    def least_ms(self, q: float | None) -> float:
        """The quantile `q`, or the mean when `q` is None, if each request took no longer than until it ended."""
        if q is None:
            return float(self.total_ns.sum() / self.n / 1e6) if self.n else math.nan
        return float(quantiles.at(self.ordered_ns, q)) / 1e6

    def clear(self, up_to_ms: float) -> bool:
        """Whether every request that took less than `up_to_ms` is known to have taken it."""
        return self.answers is None or up_to_ms < self.answers.first_open_ns / 1e6

    def quantile(self, q: float) -> Statistic:
        """The least quantile `q` in ms for the bootstrap; `q` must be one of `self.q`."""
        if q not in self.memo:
            ordered_ns = self.ordered_ns
            self.memo[q] = Statistic(
                hits=self.above[:, self._column(q)],
                count=self.count,
                value=lambda deviation: quantiles.at(ordered_ns, q - deviation) / 1e6,
                pieces=self.pieces,
            )
        return self.memo[q]

    def most(self, q: float) -> Statistic:
        """The same with what was not answered as slower than any answer."""
        answers = self.answers
        if answers is None:
            return self.quantile(q)
        return Statistic(
            hits=answers.above[:, self._column(q)],
            count=self.count,
            value=lambda deviation: quantiles.among(answers.ordered_ns, self.n, q - deviation) / 1e6,
            pieces=self.pieces,
        )

    def mean(self) -> Statistic:
        """The least mean in ms for the bootstrap."""
        mean_ms = self.least_ms(None)
        return Statistic(
            hits=self.total_ns / 1e6,
            count=self.count,
            value=lambda deviation: mean_ms + deviation,
            pieces=self.pieces,
        )

    def _column(self, q: float) -> int:
        column = int(np.searchsorted(self.q, q))
        if column == len(self.q) or self.q[column] != q:
            raise ValueError(f"quantile {q} was not folded")
        return column


@dataclass(frozen=True, slots=True, eq=False)
class Picked:
    """Row numbers of some samples, the cell of time each was due in, and which got no answer (None: all did)."""

    rows: Ints
    cell: NDArray[np.int16]
    censored: Mask | None = None


def pick(run: LoadedRun, mask: Mask) -> Picked:
    """The samples of `mask`."""
    rows = np.flatnonzero(mask)
    censored = run.censored[rows]
    cell = cell_of(run.samples.intended_ns[rows], run.window_ns)
    return Picked(rows, cell, censored if censored.any() else None)


def pick_variant(run: LoadedRun, variant: str) -> Picked:
    """The latency samples of a variant."""
    kept: Picked = _once(run, f"latency rows of {variant}", lambda: pick(run, run.latency_rows(variant)))
    return kept


def fold(values_ns: Ints, cell: NDArray[np.int16], q: Floats = CURVE_Q, *, censored: Mask | None = None) -> Fold:
    """Fold durations in ns (negative ones count as 0) with the cell of each; `q` must be sorted.

    Overwrites `values_ns`. One sort: a duration and its cell share an integer, so the cells come along in its order.
    """
    key = np.maximum(values_ns, 0, out=values_ns)
    key <<= _KEY_BITS
    key |= cell
    if censored is not None:
        key |= np.where(censored, _CENSORED, 0)
    key.sort()
    place = key.astype(np.int16) & ((1 << _KEY_BITS) - 1)
    key >>= _KEY_BITS
    total_ns = np.zeros(CELLS)
    if censored is None:
        up_to = _up_to(key, place, quantiles.at(key, q), total_ns)
        return Fold(ordered_ns=key, count=up_to[:, -1], total_ns=total_ns, q=q, above=up_to[:, -1:] - up_to[:, :-1])
    answered = place < _CENSORED
    up_to = _up_to(key, place & (_CENSORED - 1), quantiles.at(key, q), total_ns)
    ordered, there = key[answered], place[answered]
    known = _up_to(ordered, there, quantiles.among(ordered, len(key), q), np.zeros(CELLS))
    return Fold(
        ordered_ns=key,
        count=up_to[:, -1],
        total_ns=total_ns,
        q=q,
        above=up_to[:, -1:] - up_to[:, :-1],
        answers=Answers(ordered_ns=ordered, above=up_to[:, -1:] - known[:, :-1], first_open_ns=int(key[~answered][0])),
    )


def _up_to(ordered: Ints, cell: NDArray[np.int16], limits: Floats, total_ns: Floats) -> Ints:
    """How many of the values of each cell lie up to each limit, and of all in the last column; adds up `total_ns`."""
    inside = np.searchsorted(ordered, limits, side="right") if len(ordered) else np.zeros(len(limits), np.int64)
    between = np.zeros((CELLS, len(limits) + 1), np.int64)
    for column, (start, end) in enumerate(itertools.pairwise((0, *inside, len(ordered)))):
        between[:, column] = np.bincount(cell[start:end], minlength=CELLS)
        total_ns += np.bincount(cell[start:end], weights=ordered[start:end], minlength=CELLS)
    up_to: Ints = np.cumsum(between, axis=1)
    return up_to


def fold_picked(run: LoadedRun, metric: str, picked: Picked, q: Floats = CURVE_Q) -> Fold:
    """Fold one of `run.METRICS` over some samples."""
    values_ns, cell = run.samples.durations_ns(metric, picked.rows), picked.cell
    if len(values_ns) < len(cell):
        cell = cell[np.isin(picked.rows, run.samples.with_server_time(picked.rows), assume_unique=True)]
    folded = fold(values_ns, cell, q, censored=picked.censored if metric in CENSORED_METRICS else None)
    return replace(folded, pieces=stage_cells(run), memo={}) if run.stage_starts_s else folded


def stage_cells(run: LoadedRun) -> tuple[int, ...]:
    """The cells in which a stage of the load begins."""
    begin, until = run.window_ns
    starts_ns = np.array(run.stage_starts_s) * 1e9
    cells = np.rint((starts_ns - begin) / max(until - begin, 1) * CELLS).astype(int)
    return tuple(cell for cell in cells.tolist() if 0 < cell < CELLS)


def fold_variant(run: LoadedRun, metric: str, variant: str) -> Fold:
    """Fold a duration of the latency samples of a variant; done once a run and kept with it."""
    kept: Fold = _once(run, f"{metric} of {variant}", lambda: fold_picked(run, metric, pick_variant(run, variant)))
    return kept


def _once(run: LoadedRun, key: str, make: Callable[[], Any]) -> Any:
    if key not in run.memo:
        run.memo[key] = make()
    return run.memo[key]
