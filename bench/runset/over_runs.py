"""Figures of several runs as one figure with the interval between them: means, shares, sums. Pure.

A figure that is not known in every run is None, and has no interval.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

from bench.analysis.bootstrap import LEVEL, Interval
from bench.analysis.student import t_quantile

Block = Mapping[str, Any]

LEAST_RUNS = 2


def between(figures: Sequence[float], *, least: float = 0.0, wider: float = 1.0) -> Interval:
    """Student's interval of the mean over runs, half as wide as `least` at least; none of a single run."""
    mean = fmean(figures)
    if len(figures) < LEAST_RUNS:
        return Interval(low=math.nan, high=math.nan)
    half = wider * t_quantile((1 + LEVEL) / 2, len(figures) - 1) * stdev(figures) / math.sqrt(len(figures))
    return Interval(low=mean - max(half, least), high=mean + max(half, least))


def mean_of(values: Sequence[float | None]) -> float | None:
    """None where a run does not know it."""
    known = [value for value in values if value is not None]
    return fmean(known) if known and len(known) == len(values) else None


def sum_of(values: Iterable[int | None]) -> int | None:
    """None where a run does not know it."""
    every = list(values)
    return None if None in every else sum(value for value in every if value is not None)


def greatest(values: Iterable[float | None]) -> float | None:
    """Of those that are known."""
    return max((value for value in values if value is not None), default=None)


def summed(groups: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Counts by name."""
    total: dict[str, int] = {}
    for group in groups:
        for name, number in group.items():
            total[name] = total.get(name, 0) + number
    return total


def rate_of(blocks: Sequence[Block], name: str) -> dict[str, Any]:
    """What there was of something a second, and its interval."""
    values = [block.get(name) for block in blocks]
    known = [value for value in values if value is not None]
    found = between(known) if known and len(known) == len(values) else Interval(low=math.nan, high=math.nan)
    return {name: mean_of(values), f"{name}_interval": {"low": found.low, "high": found.high}}


def durations(metric: str, blocks: Sequence[Block]) -> dict[str, Any]:
    """As in the summary of a run: figures, intervals, and what is only known from below."""
    name = f"{metric}_ms"
    figures: dict[str, float | None] = {}
    intervals, censored = {}, {}
    for statistic in blocks[0][name]:
        values = [block[name].get(statistic) for block in blocks]
        least = [block.get(f"{name}_censored", {}).get(statistic, {}).get("above") for block in blocks]
        together = greatest if statistic == "max" else mean_of
        figures[statistic] = None if None in values else together(values)
        if None in values and any(one is not None for one in least):
            known = [value if value is not None else low for value, low in zip(values, least, strict=True)]
            if None not in known:
                censored[statistic] = {"above": together(known)}
        own = [block[f"{name}_interval"].get(statistic) for block in blocks]
        if None not in own:
            intervals[statistic] = _time_interval(values, [one for one in own if one is not None])
    return {
        name: figures,
        f"{name}_interval": intervals,
        **({f"{name}_censored": censored} if censored else {}),
    }


def _time_interval(values: Sequence[float | None], own: Sequence[Block]) -> dict[str, Any]:
    """That between runs; none where a run is too short for the quantile, for no number of such runs repairs it."""
    more_needed = max((one.get("more_needed") or 0 for one in own), default=0)
    known = [value for value in values if value is not None]
    if more_needed or len(known) < len(values):
        lows = [one["low"] for one in own if one["low"] is not None]
        low = fmean(lows) if len(lows) == len(own) and len(known) < len(values) else None
        return {"low": low, "high": None, **({"more_needed": more_needed} if more_needed else {})}
    found = between(known)
    return {"low": found.low, "high": found.high}


def share_interval(blocks: Sequence[Block], rate: str, interval: str) -> dict[str, float | None]:
    """The interval of a share over the runs, within 0 and 1."""
    rates = [block.get(rate) for block in blocks]
    limits = [block.get(interval) or {} for block in blocks]
    if any(one is None for one in rates) or any(one.get(end) is None for one in limits for end in ("low", "high")):
        return {"low": None, "high": None}
    below, above = (
        math.sqrt(math.fsum((one[end] - value) ** 2 for one, value in zip(limits, rates, strict=True))) / len(rates)
        for end in ("low", "high")
    )
    known = [float(rate) for rate in rates if rate is not None]
    found, mean = between(known), fmean(known)
    low, high = (mean if math.isnan(end) else end for end in (found.low, found.high))
    return {"low": max(0.0, min(low, mean - below)), "high": min(1.0, max(high, mean + above))}


def share_of(entries: Sequence[Block]) -> dict[str, Any]:
    """A share that has its interval's ends beside it: `rate`, `low`, `high`."""
    with_limits = [{**entry, "limits": entry} for entry in entries]
    return {"rate": mean_of([entry["rate"] for entry in entries])} | share_interval(with_limits, "rate", "limits")
