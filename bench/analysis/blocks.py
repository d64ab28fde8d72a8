"""Time cut into cells and cells into blocks, so that what goes on together is resampled together. Pure.

Why blocks: latencies a moment apart resemble each other, so a sample is worth less than an independent one; blocks
much longer than that resemblance are nearly independent. See docs/decisions/030.
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

MOST_BLOCKS = 40
FEWEST_BLOCKS = 10
TRUNCATION_BIAS = 0.05
"""Blocks are made long enough that they miss at most this share of the variance autocorrelation adds ..."""
MOST_BIAS = 0.3
"""... unless fewer than `FEWEST_BLOCKS` would be left: then the known bias, up to this, is corrected for."""

REPLICATES = 2000


@dataclass(frozen=True, slots=True)
class Blocks:
    """`count` blocks of neighbouring cells; `bias` is the share of the variance they are expected to miss."""

    count: int
    bias: float

    @property
    def correction(self) -> float:
        """What the sum of squares of the blocks' deviations must be multiplied by to be the variance."""
        return 1 / (1 - 1 / self.count - self.bias)

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
    count = int(np.clip(round(wanted), FEWEST_BLOCKS, MOST_BLOCKS))
    return Blocks(count, min(correlated * count / CELLS, MOST_BIAS))


def correlation_cells(influence: Floats) -> float:
    """How far autocorrelation reaches, in cells: the length c for which blocks of L cells miss c / L of the variance.

    For a correlation that decays like exp(-t / tau) it is tau. It is 2 sum(k rho_k) / (1 + 2 sum(rho_k)), with the
    flat-top weights and the automatic bandwidth of Politis and White (2004); 0 where nothing is correlated. Taking the
    mean out of a series takes the variance of that mean out of every covariance: it is put back.
    """
    centred = influence - influence.mean()
    spectrum = np.fft.rfft(centred, 2 * len(centred))
    covariance = np.fft.irfft(spectrum * np.conj(spectrum))[: len(centred) // 4]
    if covariance[0] <= 0:
        return 0.0
    rho = covariance / covariance[0]
    reach = _last_correlated_lag(rho, len(influence))
    if reach == 0:
        return 0.0
    bandwidth = min(2 * reach, len(rho) - 1)
    lag = np.arange(1, bandwidth + 1)
    window = np.clip(2 * (1 - lag / bandwidth), 0, 1)
    lost = _growth(window * rho[1 : bandwidth + 1]) / len(influence)
    weighted = window * (rho[1 : bandwidth + 1] + lost) / (1 + lost)
    return max(0.0, float(2 * (lag * weighted).sum() / _growth(weighted)))


def _growth(rho: Floats) -> float:
    """How many times the variance of a mean grows through correlation."""
    return max(float(1 + 2 * rho.sum()), 0.05)


def _last_correlated_lag(rho: Floats, length: int) -> int:
    """The last lag before `quiet` lags in a row are within the noise of an uncorrelated series."""
    quiet = 5
    run = 0
    for lag, small in enumerate(np.abs(rho[1:]) < 2 * np.sqrt(np.log10(length) / length), start=1):
        run = run + 1 if small else 0
        if run == quiet:
            return lag - quiet
    return len(rho) - 1


@lru_cache(maxsize=64)
def weights(count: int, seed: int) -> Floats:
    """How often each of `count` blocks is drawn in each of `REPLICATES` resamples: an array (REPLICATES, count)."""
    draws = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), REPLICATES).astype(np.float64)
    draws.flags.writeable = False
    return draws
