"""Simulated runs whose true figures are known, to test intervals against. Pure; called by calibration.

Each scenario is one way in which real latencies are not independent draws. `Scenario.draw` gives the latencies of two
variants that took turns over `duration_s`, with the candidate `SHIFT_MS` slower.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bench.analysis.run import Floats, Mask

SHIFT_MS = 0.3
"""What the candidate takes longer, in every scenario."""

Latencies = Callable[[np.random.Generator, Floats, Mask, float], Floats]
"""(generator, times in s, which requests are the candidate's, run length in s) -> latencies in ms."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One kind of run.

    `only_shift`: the candidate differs by SHIFT_MS at every quantile, and by nothing else.
    `own_truth`: a variant's own quantiles have a true value beyond the single run.
    """

    name: str
    says: str
    latencies: Latencies
    duration_s: float = 60.0
    samples: int = 20_000
    paired: bool = True
    only_shift: bool = True
    own_truth: bool = True

    def draw(
        self, generator: np.random.Generator, *, samples: int = 0, duration_s: float = 0.0
    ) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
        """((times s, latencies ms) of the baseline, the same of the candidate), `samples` each."""
        samples, duration_s = samples or self.samples, duration_s or self.duration_s
        times = (np.arange(2 * samples) + 0.5) * duration_s / (2 * samples)
        candidate = generator.permuted(np.tile([False, True], (samples, 1)), axis=1).ravel()
        values = self.latencies(generator, times, candidate, duration_s) + SHIFT_MS * candidate
        return (times[~candidate], values[~candidate]), (times[candidate], values[candidate])


def correlated(generator: np.random.Generator, times: Floats, *, memory_s: float) -> Floats:
    """An Ornstein-Uhlenbeck process with mean 0, deviation 1 and correlation exp(-t / memory_s), read at `times`."""
    step_s = memory_s / 10
    kept = np.exp(-0.1)
    level, path = generator.standard_normal(), []
    for noise in generator.standard_normal(int(times[-1] / step_s) + 2) * np.sqrt(1 - kept**2):
        level = kept * level + noise
        path.append(level)
    return np.asarray(np.interp(times, np.arange(len(path)) * step_s, path), dtype=np.float64)


def pauses(times: Floats, starts: Floats, lengths_s: Floats) -> Floats:
    """What a request due at `times` waits in ms when nothing goes on for `lengths_s` from each of `starts` on."""
    last = np.searchsorted(starts, times) - 1
    left_s = np.where(last >= 0, starts[last] + lengths_s[last] - times, 0.0)
    return np.maximum(left_s, 0.0) * 1e3


def _steady(generator: np.random.Generator, times: Floats, _: Mask, __: float) -> Floats:
    return 10 + generator.exponential(3.0, len(times))


def _heavy(generator: np.random.Generator, times: Floats, _: Mask, __: float) -> Floats:
    return 10 + 3 * generator.pareto(2.5, len(times))


def _shared_load(generator: np.random.Generator, times: Floats, _: Mask, __: float) -> Floats:
    load = np.exp(0.5 * correlated(generator, times, memory_s=1.0))
    return 10 + load * generator.exponential(3.0, len(times))


def _own_load(generator: np.random.Generator, times: Floats, candidate: Mask, _: float) -> Floats:
    one, other = (correlated(generator, times, memory_s=0.3) for _side in range(2))
    return 10 + np.exp(0.5 * np.where(candidate, other, one)) * generator.exponential(3.0, len(times))


def _drift(generator: np.random.Generator, times: Floats, _: Mask, length_s: float) -> Floats:
    wave = 6 * np.sin(2 * np.pi * (times / length_s * generator.uniform(0.5, 2) + generator.random()))
    wander = 3 * correlated(generator, times, memory_s=length_s / 5)
    return 40 + wave + wander + generator.exponential(3.0, len(times))


def _refreshes(generator: np.random.Generator, times: Floats, candidate: Mask, length_s: float) -> Floats:
    every_s = 3.0
    gaps = every_s * generator.uniform(0.85, 1.15, int(1.3 * length_s / every_s) + 3)
    starts = np.cumsum(gaps) - generator.uniform(1, 2) * every_s
    waits = pauses(times, starts, generator.gamma(8, 0.03 / 8, len(starts)))
    return 10 + generator.exponential(3.0, len(times)) + candidate * waits


def _stalls(generator: np.random.Generator, times: Floats, _: Mask, length_s: float) -> Floats:
    starts = np.sort(generator.random(generator.poisson(length_s / 2))) * length_s
    starts = np.concatenate(([-1.0], starts))
    return 10 + generator.exponential(3.0, len(times)) + pauses(times, starts, np.full(len(starts), 0.05))


SCENARIOS = (
    Scenario("steady", "independent, 10 ms + exponential 3 ms", _steady),
    Scenario("few", "the same with 2,000 samples a variant", _steady, samples=2_000),
    Scenario("heavy tail", "Pareto with exponent 2.5: no fourth moment", _heavy),
    Scenario("shared load", "autocorrelated over 1 s, both variants alike", _shared_load),
    Scenario("own load", "autocorrelated over 0.3 s, each variant by itself", _own_load),
    Scenario("common drift", "wave and wander of +-10 ms through the run", _drift, own_truth=False),
    Scenario(
        "refreshes",
        "the candidate pauses about 30 ms every 3 s",
        _refreshes,
        duration_s=120.0,
        samples=40_000,
        only_shift=False,
    ),
    Scenario("stalls", "the target stalls 50 ms at random, every 2 s on average", _stalls),
    Scenario("two runs", "own load, in two runs that are not paired", _own_load, paired=False),
)


@dataclass(frozen=True, slots=True)
class Failures:
    """Requests that are refused: each by itself with `at_random`, or all of those due in bursts of 50 ms."""

    name: str
    at_random: float = 0.0
    bursts_per_s: float = 0.0
    duration_s: float = 60.0
    samples: int = 20_000

    @property
    def rate(self) -> float:
        """True share of refused requests."""
        return self.at_random + self.bursts_per_s * _BURST_S

    def draw(self, generator: np.random.Generator) -> tuple[Floats, Mask]:
        """(times in s, which of the requests are refused) of one variant."""
        times = (np.arange(self.samples) + generator.random()) * self.duration_s / self.samples
        refused = generator.random(self.samples) < self.at_random
        for start in generator.uniform(
            -_BURST_S, self.duration_s, generator.poisson(self.bursts_per_s * self.duration_s)
        ):
            refused |= (times >= start) & (times < start + _BURST_S)
        return times, refused


_BURST_S = 0.05

FAILURES = (
    Failures("refused at random", at_random=0.002),
    Failures("refused in bursts", bursts_per_s=0.2),
)
