"""What an interval says of a threshold: beyond it or not, and how many requests would tell. Pure arithmetic.

Against a baseline the threshold is `factor x baseline + offset`, and the baseline's figure is as uncertain as the
run's. The interval of the difference is made from the two by the method of variance estimates recovery (Zou and
Donner, "Construction of confidence limits about effect measures", Statistics in Medicine 27, 2008): distances
from the estimates to their limits add up as squares. It needs no normality and no raw samples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from bench.gates.gate import Comparison, Gate
from bench.gates.measure import Figure, Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a run's figure stands to the threshold.

    `interval` is to be held against `threshold`; it includes the baseline's uncertainty and is None where all
    is counted. `beyond` tells whether the figure itself breaks the gate, `surely` whether the whole interval does.
    """

    threshold: float
    interval: Interval | None
    beyond: bool
    surely: bool


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
        interval = (
            value - math.hypot(value - low, base_high - reference),
            value + math.hypot(high - value, reference - base_low),
        )
    beyond = not gate.comparison.holds(value, threshold)
    limits = (value,) if interval is None or gate.comparison is Comparison.EQUAL else interval
    return Standing(
        threshold=threshold,
        interval=interval,
        beyond=beyond,
        surely=beyond and not any(gate.comparison.holds(limit, threshold) for limit in limits),
    )


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
    return _two_digits_up(figure.requests * (own / room - 1)) if room > 0 else None


def widened(figure: Figure, times: float) -> Figure:
    """The same figure, `times` as unsure."""
    if figure.interval is None:
        return figure
    value = _value(figure)
    low, high = figure.interval
    return Figure(
        value=value,
        interval=(value - times * (value - low), value + times * (high - value)),
        requests=figure.requests,
    )


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
