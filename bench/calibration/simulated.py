"""Simulated runs whose true figures are known, to test intervals against. Pure.

Each scenario is one way in which real latencies are not independent draws. `Scenario.draw` gives the latencies of two
variants that took turns over `duration_s`, with the candidate `SHIFT_MS` slower.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

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

    def of_size(self, samples: int) -> Scenario:
        """The same at the same rate for so long that a variant has `samples`."""
        return replace(self, samples=samples, duration_s=self.duration_s * samples / self.samples)

    def draw(self, generator: np.random.Generator) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
        """((times s, latencies ms) of the baseline, the same of the candidate), `samples` each."""
        times = (np.arange(2 * self.samples) + 0.5) * self.duration_s / (2 * self.samples)
        first = generator.random(self.samples) < 0.5
        candidate = np.column_stack((first, ~first)).ravel()
        values = self.latencies(generator, times, candidate, self.duration_s) + SHIFT_MS * candidate
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
    Scenario("steady", "independent latencies, 10 ms + exponential 3 ms", _steady),
    Scenario("few", "the same in a tenth of the requests", _steady, samples=2_000),
    Scenario("heavy tail", "Pareto with exponent 2.5: the fourth moment does not exist", _heavy),
    Scenario("shared load", "latencies hang together for 1 s, for both variants alike", _shared_load),
    Scenario("own load", "they hang together for 0.3 s, for each variant by itself", _own_load),
    Scenario("common drift", "a wave and a wander of about 10 ms through the run, for both", _drift, own_truth=False),
    Scenario(
        "refreshes",
        "the candidate pauses about 30 ms every 3 s or so",
        _refreshes,
        duration_s=120.0,
        samples=40_000,
        only_shift=False,
    ),
    Scenario("stalls", "the target stops for 50 ms at random, every 2 s on average", _stalls),
    Scenario("two runs", "own load, in two runs that share no time", _own_load, paired=False),
)


@dataclass(frozen=True, slots=True)
class Failures:
    """Requests that are refused: each by itself with `at_random`, or all of those due in bursts of 50 ms."""

    name: str
    says: str
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
    Failures("refused at random", "0.2 % of the requests get a 401, each by itself", at_random=0.002),
    Failures("refused in bursts", "1 % get a 401, all of those due in 50 ms at a time", bursts_per_s=0.2),
)
