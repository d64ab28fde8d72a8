"""Time cut into cells and cells into blocks, so that what goes on together is resampled together. Pure.

Why blocks: latencies a moment apart resemble each other, so a sample is worth less than an independent one; blocks
much longer than that resemblance are nearly independent. See docs/decisions/statistics.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.analysis.run import Floats, Ints

CELLS = 960
"""Cells the measured window is cut into: fine enough to see autocorrelation, few enough to keep for every quantile."""

JOINED = (1, 4, 16)
"""How many cells are joined to see correlation in; each divides `CELLS`."""

MOST_BLOCKS = 40
ENOUGH_BLOCKS = 10
FEWEST_BLOCKS = 6
TRUNCATION_BIAS = 0.05
"""Blocks are made long enough that they miss at most this share of the variance autocorrelation adds ..."""
LONG_BIAS = 0.17
"""... unless fewer than `ENOUGH_BLOCKS` would be left: then at most this, as long as `FEWEST_BLOCKS` are left ..."""
MOST_BIAS = 0.3
"""... and the known bias, up to this, is corrected for."""
LONGEST = 28.0
"""The longest correlation, in cells, that a run sees enough of: it must last 34 times as long. Of a longer one it sees
too little to know how long it is (one that lasts a third of the run looks like a sixteenth) ..."""
WIDER = 2.5
"""... so intervals are made so many times wider then: about as wide as what was slow in the run went up and down."""

_TREND = 16.0
_STEADY = 16
"""A series that hangs together over `_TREND` cells, and without its trend is correlated up to a lag of `_STEADY` at
most, is taken to have that trend."""

REPLICATES = 2000


@dataclass(frozen=True, slots=True)
class Blocks:
    """`count` blocks of neighbouring cells; `bias` is the share of the variance they are expected to miss."""

    count: int
    bias: float

    def correction(self, fitted: int = 0) -> float:
        """What the sum of squares of the blocks' deviations must be multiplied by to be the variance.

        `fitted`: how many parameters of a trend were taken out of them beside their mean.
        """
        return 1 / (1 - (1 + min(fitted, self.count // 2)) / self.count - self.bias)

    def sums(self, per_cell: NDArray[Any]) -> Floats:
        """Sums over the cells (first axis) of each block."""
        starts = np.arange(self.count) * CELLS // self.count
        return np.add.reduceat(per_cell, starts, axis=0).astype(np.float64)


FINEST = Blocks(MOST_BLOCKS, 0.0)
"""As where nothing is correlated."""


def cell_of(times_ns: Ints, window_ns: tuple[int, int]) -> NDArray[np.int16]:
    """The cell of each time; what lies outside the window goes to the cell next to it."""
    begin, until = window_ns
    place = (times_ns - begin) * (CELLS / max(until - begin, 1))
    return np.clip(place, 0, CELLS - 1, out=place).astype(np.int16)


def choose(influence: Floats) -> Blocks:
    """Blocks for a figure, from what each cell contributes to it (`influence`, one value a cell)."""
    return of_length(correlation_cells(influence))


def of_length(correlated: float) -> Blocks:
    """Blocks for a figure that is correlated over so many cells (`correlation_cells`)."""
    wanted = CELLS * TRUNCATION_BIAS / correlated if correlated > 0 else MOST_BLOCKS
    if wanted < ENOUGH_BLOCKS:
        wanted = min(CELLS * LONG_BIAS / correlated, ENOUGH_BLOCKS)
    count = int(np.clip(round(wanted), FEWEST_BLOCKS, MOST_BLOCKS))
    return Blocks(count, min(correlated * count / CELLS, MOST_BIAS))


def correlation_cells(influence: Floats) -> float:
    """How far autocorrelation reaches, in cells: the length c for which blocks of L cells miss c / L of the variance.

    For a correlation that decays like exp(-t / tau) it is tau. It is 2 sum(k rho_k) / (1 + 2 sum(rho_k)), with the
    flat-top weights and the automatic bandwidth of Politis and White (2004); 0 where nothing is correlated. Taking the
    mean out of a series takes the variance of that mean out of every covariance: it is put back.

    Where a cell holds only a few samples, a correlation that lasts for many cells is within the noise of each of them:
    so the bandwidth is the widest that cells show, one by one or joined (`JOINED`).
    """
    centred = influence - influence.mean()
    rho = _autocorrelation(centred)
    reach = _reach(centred) if len(rho) else 0
    if reach == 0:
        return 0.0
    bandwidth = min(2 * reach, len(rho) - 1)
    lag = np.arange(1, bandwidth + 1)
    window = np.clip(2 * (1 - lag / bandwidth), 0, 1)
    lost = _growth(window * rho[1 : bandwidth + 1]) / len(influence)
    weighted = window * (rho[1 : bandwidth + 1] + lost) / (1 + lost)
    return max(0.0, float(2 * (lag * weighted).sum() / _growth(weighted)))


def trend(influence: Floats, pieces: tuple[int, ...] = ()) -> tuple[Floats, int]:
    """The steps at `pieces` (cells where a stage of the load begins) and the slow bend in a series; it sums to 0.

    With how many parameters it was fitted by, beside the mean: none, and all is 0, unless it is what makes the series
    hang together. What merely wanders bends by chance.
    """
    nothing = np.zeros(len(influence))
    if correlation_cells(influence) < _TREND:
        return nothing, 0
    basis = _trend_basis(len(influence), pieces)
    fitted: Floats = basis @ (basis.T @ influence)
    rest = influence - fitted
    for piece in np.split(rest, [cell for cell in pieces if 0 < cell < CELLS]):
        piece /= max(float(np.sqrt(np.mean(piece**2))), 1e-300)  # a stage with more load would drown the others
    return (fitted, basis.shape[1] - 1) if _reach(rest) <= _STEADY else (nothing, 0)


@lru_cache(maxsize=16)
def _trend_basis(cells: int, pieces: tuple[int, ...]) -> Floats:
    """Orthonormal columns: one level a piece, and a curve of third degree through all."""
    begins = [0, *(piece for piece in pieces if 0 < piece < cells)]
    levels = np.zeros((cells, len(begins)))
    levels[np.arange(cells), np.searchsorted(begins, np.arange(cells), side="right") - 1] = 1.0
    line = np.linspace(-1.0, 1.0, cells)
    basis, _ = np.linalg.qr(np.column_stack((levels, line, line**2, line**3)))
    basis.flags.writeable = False
    return np.asarray(basis, dtype=np.float64)


def _autocorrelation(centred: Floats) -> Floats:
    """Of a series without its mean, for lags up to a quarter of its length; empty where nothing varies."""
    spectrum = np.fft.rfft(centred, 2 * len(centred))
    covariance = np.fft.irfft(spectrum * np.conj(spectrum))[: len(centred) // 4]
    return np.asarray(covariance / covariance[0]) if covariance[0] > 0 else np.empty(0)


def _growth(rho: Floats) -> float:
    """How many times the variance of a mean grows through correlation."""
    return max(float(1 + 2 * rho.sum()), 0.05)


def _reach(centred: Floats) -> int:
    """The last lag in cells at which a series without its mean is correlated."""
    return max(joined * _last_correlated_lag(centred, joined) for joined in JOINED)


def _last_correlated_lag(centred: Floats, joined: int) -> int:
    """The last lag before `quiet` lags in a row are within the noise of an uncorrelated series of joined cells."""
    rho = _autocorrelation(centred.reshape(-1, joined).sum(axis=1))
    length = len(centred) // joined
    quiet = 5
    run = 0
    for lag, small in enumerate(np.abs(rho[1:]) < 2 * np.sqrt(np.log10(length) / length), start=1):
        run = run + 1 if small else 0
        if run == quiet:
            return lag - quiet
    return max(len(rho) - 1, 0)


@lru_cache(maxsize=64)
def weights(count: int, seed: int) -> Floats:
    """How often each of `count` blocks is drawn in each of `REPLICATES` resamples: an array (REPLICATES, count)."""
    draws = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), REPLICATES).astype(np.float64)
    draws.flags.writeable = False
    return draws
