"""What an interval says of a threshold: beyond it or not, and how many requests would decide it. Pure arithmetic.

Against a baseline the threshold is `factor x baseline + offset`, and the baseline's figure is as uncertain as the
run's. The interval of the difference is made from the two by the method of variance estimates recovery (Zou and
Donner, "Construction of confidence limits about effect measures", Statistics in Medicine 27, 2008): distances
from the estimates to their limits add up as squares. It needs no normality and no raw samples.

Runs of one thing differ by more than a run knows of itself. A baseline of three runs or more says by how much: the
interval then is at least as wide as the one in which the next run of the same thing lies (Hahn and Meeker 1991).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from statistics import stdev

from bench.analysis.student import t_quantile
from bench.gates.gate import Comparison, Gate
from bench.gates.measure import Figure, Interval

ENOUGH_RUNS = 3
"""Runs of a baseline that say how much runs differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a run's figure stands to the threshold.

    `interval` is to be held against `threshold`; it includes the baseline's uncertainty and is None where all
    is counted. `beyond` says whether the figure itself breaks the gate, `surely` whether the whole interval does.
    `one_run`: the baseline is of too few runs to know how much runs differ, and the gate leaves no room for it.
    """

    threshold: float
    interval: Interval | None
    beyond: bool
    surely: bool
    one_run: bool = False


def stand(figure: Figure, gate: Gate, baseline: Figure) -> Standing:
    """Hold `figure` against the gate's threshold. `figure` has a value, and `baseline` too where the gate needs it."""
    factor, offset = (float(part) for part in gate.bound.line(gate.metric.kind))
    value = _value(figure)
    reference = factor * _value(baseline) if factor else 0.0
    threshold = reference + offset
    interval = figure.interval
    if factor and (figure.interval or baseline.interval):
        low, high = figure.interval or (value, value)
        base_low, base_high = (factor * limit for limit in baseline.interval or (_value(baseline),) * 2)
        between = _between_runs(baseline.runs, factor, of_runs=figure.of_runs)
        interval = (
            value - max(math.hypot(value - low, base_high - reference), between),
            value + max(math.hypot(high - value, reference - base_low), between),
        )
    beyond = not gate.comparison.holds(value, threshold)
    limits = (value,) if interval is None or gate.comparison is Comparison.EQUAL else interval
    return Standing(
        threshold=threshold,
        interval=interval,
        beyond=beyond,
        surely=beyond
        and not (figure.doubt or baseline.doubt)
        and not any(gate.comparison.holds(limit, threshold) for limit in limits),
        one_run=bool(factor)
        and interval is not None
        and len(baseline.runs) < ENOUGH_RUNS
        and excess(gate, _value(baseline), threshold) >= 0,
    )


def _between_runs(runs: tuple[float, ...], factor: float, *, of_runs: int) -> float:
    """Half of the interval in which the mean of `of_runs` of the same lies around `factor` times that of `runs`."""
    if len(runs) < ENOUGH_RUNS:
        return 0.0
    return t_quantile(0.975, len(runs) - 1) * stdev(runs) * math.sqrt(1 / of_runs + factor**2 / len(runs))


def excess(gate: Gate, value: float, threshold: float) -> float:
    """How far `value` is beyond the threshold; negative within it."""
    if gate.comparison is Comparison.EQUAL:
        return abs(value - threshold)
    return value - threshold if gate.comparison.wants_less else threshold - value


def more_requests(figure: Figure, gate: Gate, standing: Standing) -> int | None:
    """About how many more requests make the interval clear the threshold, if the figure stays; None if none do.

    An interval shrinks with the root of the number of requests. The baseline's part of it does not shrink.
    """
    value = _value(figure)
    if standing.interval is None or figure.interval is None:
        return None
    near = 0 if gate.comparison.wants_less else 1
    own = (value - figure.interval[near]) ** 2
    of_baseline = (value - standing.interval[near]) ** 2 - own
    room = excess(gate, value, standing.threshold) ** 2 - of_baseline
    if not math.isfinite(own) or not math.isfinite(of_baseline):
        return None
    return _two_digits_up(figure.requests * (own / room - 1)) if room > 0 else None


def widened(figure: Figure, times: float) -> Figure:
    """The same figure, `times` as unsure."""
    if figure.interval is None or figure.value is None:
        return figure
    value = figure.value
    low, high = figure.interval
    return replace(figure, interval=(value - times * (value - low), value + times * (high - value)))


def _value(figure: Figure) -> float:
    if figure.value is None:
        raise ValueError("a figure without a value cannot be judged")
    return figure.value


def _two_digits_up(number: float) -> int:
    """A count that is only an estimate does not pretend to be more: 3,418 becomes 3,500."""
    if number <= 1:
        return 1
    step = int(10 ** max(0, math.floor(math.log10(number)) - 1))
    return math.ceil(number / step) * step
