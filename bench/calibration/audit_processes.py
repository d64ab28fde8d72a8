"""Targets that are hard on statistics, made by other processes than those of `scenarios`. Pure.

A `Target` gives the latencies of requests due at given times. A run of it is one minute at 200 requests/s a variant,
with arrivals by chance; both variants see the same target (`shared`) or each one of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bench.analysis.run import Floats, Mask

RUN_S = 60.0
RATE = 200.0
"""Requests a second of one variant."""
DEADLINE_MS = 10_000.0

Latencies = Callable[[np.random.Generator, Floats, float], Floats]
"""(generator, times in s, run length in s) -> latencies in ms; `DEADLINE_MS` for what got no answer."""


@dataclass(frozen=True, slots=True)
class Target:
    """One kind of target; `candidate` is the share of the requests that go to the second variant."""

    name: str
    latencies: Latencies
    shared: bool = True
    rate: float = RATE
    candidate: float = 0.5
    step_at: float = 0.0

    def side(self, generator: np.random.Generator, length_s: float = RUN_S) -> tuple[Floats, Floats]:
        """(times in s, latencies in ms) of one variant alone."""
        times = self._times(generator, self.rate, length_s)
        return times, self.latencies(generator, times, length_s)

    def pair(self, generator: np.random.Generator) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
        """The same of two variants in one run, between which there is no difference."""
        times = self._times(generator, 2 * self.rate, RUN_S)
        second = generator.random(len(times)) < self.candidate
        if self.shared:
            values = self.latencies(generator, times, RUN_S)
            return (times[~second], values[~second]), (times[second], values[second])
        sides = [times[~second], times[second]]
        one, other = ((due, self.latencies(generator, due, RUN_S)) for due in sides)
        return one, other

    def _times(self, generator: np.random.Generator, rate: float, length_s: float) -> Floats:
        """Arrivals by chance; with `step_at` four fifths of them come after that share of the run."""
        number = generator.poisson(rate * length_s)
        places = generator.random(number)
        if self.step_at:
            late = generator.random(number) < 0.8
            places = np.where(late, self.step_at + (1 - self.step_at) * places, self.step_at * places)
        return np.sort(places) * length_s


def steady(generator: np.random.Generator, times: Floats, _: float) -> Floats:
    """Independent latencies."""
    return 50 + generator.exponential(10.0, len(times))


def wandering(memory_s: float) -> Latencies:
    """A level whose correlation decays like exp(-t / memory_s)."""

    def latencies(generator: np.random.Generator, times: Floats, length_s: float) -> Floats:
        step_s, kept = memory_s / 10, np.exp(-0.1)
        noise = generator.standard_normal(int(length_s / step_s) + 3) * np.sqrt(1 - kept**2)
        level, path = generator.standard_normal(), []
        for one in noise:
            level = kept * level + one
            path.append(level)
        wander = np.interp(times, np.arange(len(path)) * step_s, path)
        return np.asarray(50 * np.exp(0.15 * wander) + generator.exponential(8.0, len(times)), dtype=np.float64)

    return latencies


def queueing(generator: np.random.Generator, times: Floats, _: float) -> Floats:
    """One server that is busy 70 % of the time, with service times twice as spread as exponential ones."""
    if not len(times):
        return times
    rate = len(times) / (times[-1] - times[0] + 1e-9)
    service = generator.gamma(0.5, 1.4 / rate, len(times))
    waited, last, waits = 0.0, times[0], []
    for due, takes in zip(times.tolist(), service.tolist(), strict=True):
        waited = max(0.0, waited - (due - last)) + takes
        last = due
        waits.append(waited)
    return np.asarray(50 + 1e3 * np.array(waits), dtype=np.float64)


def _during(generator: np.random.Generator, times: Floats, length_s: float, *, on_s: float, off_s: float) -> Mask:
    """Which times fall into stretches that last `on_s` on average, with `off_s` between them."""
    slow = np.zeros(len(times), dtype=bool)
    at, on = -(on_s + off_s) * generator.random(), False
    while at < length_s:
        lasts = generator.exponential(on_s if on else off_s)
        if on:
            slow |= (times >= at) & (times < at + lasts)
        at, on = at + lasts, not on
    return slow


def on_and_off(generator: np.random.Generator, times: Floats, length_s: float) -> Floats:
    """Three times as slow for 2 s in 8 s, at random."""
    slow = _during(generator, times, length_s, on_s=2.0, off_s=6.0)
    return 50 + generator.exponential(10.0, len(times)) * np.where(slow, 3, 1)


def pausing(generator: np.random.Generator, times: Floats, length_s: float) -> Floats:
    """Nothing is answered for 200 ms in every 7 s."""
    waits = np.maximum(0.2 - (times + 7 * generator.random()) % 7, 0) * 1e3
    return steady(generator, times, length_s) + waits


def rising(generator: np.random.Generator, times: Floats, length_s: float) -> Floats:
    """Slower by 30 % at the end than at the beginning."""
    return steady(generator, times, length_s) * (1 + 0.3 * times / length_s)


def stepping(generator: np.random.Generator, times: Floats, length_s: float) -> Floats:
    """1.6 times as slow in the second half."""
    return steady(generator, times, length_s) * np.where(times > length_s / 2, 1.6, 1)


def two_speeds(share: float) -> Latencies:
    """Fast or slow, with nothing between."""

    def latencies(generator: np.random.Generator, times: Floats, _: float) -> Floats:
        slow = generator.random(len(times)) < share
        return np.where(slow, 90, 50) + generator.normal(0, 2, len(times))

    return latencies


def rounded(generator: np.random.Generator, times: Floats, _: float) -> Floats:
    """Times that a target reports in whole milliseconds."""
    return np.round(5 + generator.exponential(1.0, len(times)))


def unanswered(share: float) -> Latencies:
    """A share of the requests gets no answer, each by itself."""

    def latencies(generator: np.random.Generator, times: Floats, length_s: float) -> Floats:
        lost = generator.random(len(times)) < share
        return np.where(lost, DEADLINE_MS, steady(generator, times, length_s))

    return latencies


def unanswered_in_bursts(generator: np.random.Generator, times: Floats, length_s: float) -> Floats:
    """No answer for 0.3 s, once a minute on average."""
    starts = generator.random(generator.poisson(length_s / 60)) * length_s
    lost = failing(times, starts, 0.3)
    return np.where(lost, DEADLINE_MS, steady(generator, times, length_s))


def failing(times: Floats, starts: Floats, lasts_s: float) -> Mask:
    """Which times fall into bursts that begin at `starts`."""
    hit = np.zeros(len(times), dtype=bool)
    for start in starts:
        hit |= (times >= start) & (times < start + lasts_s)
    return hit


TARGETS = (
    Target("independent", steady),
    *(Target(f"hangs together for {s:g} s, both alike", wandering(s)) for s in (0.1, 1.0, 5.0, 20.0)),
    *(Target(f"hangs together for {s:g} s, each by itself", wandering(s), shared=False) for s in (0.1, 1.0, 5.0, 20.0)),
    Target("one queue, 70 % busy", queueing),
    Target("a queue each, 70 % busy", queueing, shared=False),
    Target("2 s slow in 8 s, at random", on_and_off),
    Target("a pause of 200 ms every 7 s", pausing),
    Target("rises by 30 %", rising),
    Target("a stage with four times the load, 1.6 times as slow", stepping, step_at=0.5),
    Target("two speeds, p50 between them", two_speeds(0.5)),
    Target("two speeds, p90 between them", two_speeds(0.1)),
    Target("rounded to 1 ms", rounded),
    Target("200 samples", steady, rate=200 / RUN_S),
    Target("1,050 samples", steady, rate=1_050 / RUN_S),
    Target("1,050 samples, 1 s, each by itself", wandering(1.0), rate=1_050 / RUN_S, shared=False),
    Target("90 : 10", steady, candidate=0.1),
    Target("0.5 % without an answer", unanswered(0.005)),
    Target("0.05 % without an answer", unanswered(0.0005)),
    Target("without an answer for 0.3 s, once a run", unanswered_in_bursts),
)
