"""Where the difference between two variants comes from, in numbers and in one sentence. Pure.

A response time is schedule_lag + lease_wait + connect + server_time + network + front_end, exactly, for every sample.
At a quantile the parts are averaged over the samples around it (`WINDOWS`), so that they add up to about that quantile.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import numbers
from bench.analysis import bootstrap, network, quantiles
from bench.analysis.blocks import CELLS, cell_of
from bench.analysis.bootstrap import DEFAULT_SEED, LEAST_TAIL, Statistic
from bench.analysis.fold import Fold, fold_variant, pick_variant
from bench.analysis.run import Floats, Ints, LoadedRun
from bench.analysis.verdicts import Estimate, judge

PARTS = {
    "schedule_lag": "before the request began (client or users busy)",
    "lease_wait": "waiting for a credential",
    "connect": "connecting",
    "server_time": "in the server",
    "network": "on the way to the first TCP end",
    "front_end": "in the front end and its authentication",
    "rest": "on the way and in front of the model",
}
"""What a response time is made of, and how a sentence says it.

`rest` is what the endpoint took beyond the time it claims. Where the round trip is known (`analysis.network`),
it is split: `network` is one round trip, `front_end` the remainder. Where the server does not report its time,
`server_time` is left out, and `rest` holds it beside `network`.
"""

WINDOWS = {"p50": (0.45, 0.5, 0.55), "p99": (0.985, 0.99, 0.995), "mean": (0.0, 0.5, 1.0)}
"""Ranks of response time over which the parts are averaged, with the quantile in the middle."""

_LEAST_WITH_SERVER_TIME = 0.99
"""Share of the samples that must carry the server's own time before it becomes a part."""
_ALL, _SOME = 0.9, 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakdown:
    """Parts at one point of the distribution (`p50`, `p99` or `mean`), in ms, and their differences."""

    at: str
    baseline_ms: Mapping[str, float]
    candidate_ms: Mapping[str, float]
    difference_ms: Mapping[str, Estimate]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decomposition:
    """`sentence` sums it up; bytes are means a request, NaN where not known."""

    breakdowns: tuple[Breakdown, ...]
    request_bytes: Mapping[str, float]
    response_bytes: Mapping[str, float]
    sentence: str


def of(
    run: LoadedRun,
    baseline: str,
    candidate: str,
    overall: Mapping[str, Estimate],
    *,
    min_effect_ms: float,
    seed: int = DEFAULT_SEED,
) -> Decomposition:
    """Decompose candidate - baseline; `overall` has the differences of response time by name (p50, p99, mean)."""
    names = _known_parts(run, baseline, candidate)
    folds = [fold_variant(run, "response_time", variant) for variant in (baseline, candidate)]
    sides = [_windows(run, variant, names) for variant in (baseline, candidate)]
    breakdowns = []
    for (at, ranks), *pair in zip(WINDOWS.items(), *sides, strict=True):
        if min(window.count.sum() for window in pair) < 2 * LEAST_TAIL:
            continue
        base, cand = (
            {name: _part(window, side, name, ranks) for name in names} for window, side in zip(pair, folds, strict=True)
        )
        breakdowns.append(
            Breakdown(
                at=at,
                baseline_ms={name: base[name].estimate for name in names},
                candidate_ms={name: cand[name].estimate for name in names},
                difference_ms={
                    name: judge(
                        cand[name].estimate - base[name].estimate,
                        bootstrap.paired(base[name], cand[name], seed=seed),
                        min_effect=min_effect_ms,
                    )
                    for name in names
                },
            )
        )
    variants = (baseline, candidate)
    return Decomposition(
        breakdowns=tuple(breakdowns),
        request_bytes={variant: _request_bytes(run, variant) for variant in variants},
        response_bytes={variant: _response_bytes(run, variant) for variant in variants},
        sentence=sentence(baseline, candidate, overall["p50"], breakdowns),
    )


def sentence(baseline: str, candidate: str, difference: Estimate, breakdowns: list[Breakdown]) -> str:
    """What the candidate costs at p50 and in which part, as one would say it."""
    if difference.estimate is None or difference.low is None or difference.high is None:
        return f"too few samples to say what {candidate} costs over {baseline}"
    interval = f"[{numbers.difference(difference.low)}, {numbers.difference(difference.high)}]"
    if difference.low <= 0 <= difference.high:
        shown = f"{numbers.difference(difference.estimate)} ms {interval}"
        return f"no cost of {candidate} over {baseline} shows at p50: {shown}"
    verb = "costs" if difference.estimate > 0 else "saves"
    said = f"{candidate} {verb} {numbers.milliseconds(abs(difference.estimate))} ms over {baseline} at p50 {interval}"
    where = next((_where(breakdown) for breakdown in breakdowns if breakdown.at == "p50"), "")
    return f"{said}, {where}" if where else said


def _where(breakdown: Breakdown) -> str:
    """`all of it in the server`, or each part that carries a tenth or more; empty when no part stands out."""
    total = sum(part.estimate or 0.0 for part in breakdown.difference_ms.values())
    carrying = {
        name: part.estimate
        for name, part in breakdown.difference_ms.items()
        if part.estimate and part.low and part.high and part.low * part.high > 0
        if total and abs(part.estimate / total) >= _SOME
    }
    if len(carrying) == 1:
        name, carried = carrying.popitem()
        much = "all of it" if carried / total >= _ALL else "most of it" if carried / total >= 0.5 else "some of it"
        return f"{much} {PARTS[name]}"
    largest_first = sorted(carrying.items(), key=lambda item: -abs(item[1]))
    return ", ".join(f"{numbers.difference(carried)} ms {PARTS[name]}" for name, carried in largest_first)


def _known_parts(run: LoadedRun, *variants: str) -> list[str]:
    picked = [pick_variant(run, variant).rows for variant in variants]
    has_server_time = all(
        len(run.samples.with_server_time(rows)) >= _LEAST_WITH_SERVER_TIME * len(rows) for rows in picked
    )
    near = not any(math.isnan(network.round_trip_ms(run, variant)) for variant in variants)
    known = {
        "server_time": has_server_time,
        "network": near,
        "front_end": has_server_time and near,
        "rest": not (has_server_time and near),
    }
    return [name for name in PARTS if known.get(name, True)]


@dataclass(frozen=True, slots=True, eq=False)
class _Window:
    """Samples below and above the middle of a window: counts and sums in ns by part; arrays (2, CELLS)."""

    count: Floats
    total_ns: Mapping[str, Floats]


def _windows(run: LoadedRun, variant: str, names: list[str]) -> list[_Window]:
    picked = pick_variant(run, variant)
    rows, cell = picked.rows, picked.cell
    if "server_time" in names and len(run.samples.with_server_time(rows)) < len(rows):
        rows = run.samples.with_server_time(rows)
        cell = cell_of(run.samples.intended_ns[rows], run.window_ns)
    response = run.samples.durations_ns("response_time", rows)
    ordered = fold_variant(run, "response_time", variant).ordered_ns
    inside, keys = [], []
    for low, middle, high in (quantiles.at(ordered, np.array(ranks)) for ranks in WINDOWS.values()):
        inside.append(np.flatnonzero((response >= low) & (response <= high)))
        keys.append(np.where(response[inside[-1]] > middle, CELLS, 0) + cell[inside[-1]])
    total_ns: list[dict[str, Floats]] = [{} for _ in WINDOWS]
    rest = _rest_ns(run, rows, names)
    if "network" in names:
        way = np.clip(rest, 0, round(network.round_trip_ms(run, variant) * 1e6))
        rest = rest - way
    for name in names:
        if name in ("rest", "front_end"):
            part = rest
        else:
            part = way if name == "network" else run.samples.durations_ns(name, rows)
        for totals, which, key in zip(total_ns, inside, keys, strict=True):
            totals[name] = _sums(key, part[which])
    counts = [_sums(key, np.ones(len(key))) for key in keys]
    return [_Window(count, totals) for count, totals in zip(counts, total_ns, strict=True)]


def _sums(key: NDArray[Any], weights: Ints | Floats) -> Floats:
    return np.bincount(key, weights=weights, minlength=2 * CELLS).reshape(2, CELLS).astype(np.float64)


def _rest_ns(run: LoadedRun, rows: Ints, names: list[str]) -> Ints:
    rest = run.samples.durations_ns("service_time", rows) - run.samples.durations_ns("connect", rows)
    return rest - run.samples.durations_ns("server_time", rows) if "server_time" in names else rest


def _part(window: _Window, side: Fold, name: str, ranks: tuple[float, float, float]) -> Statistic:
    """The mean of a part over a window as the bootstrap wants it.

    It varies with what lies in the window, and, at a quantile, with where the window lies: as the quantile's own
    share above it deviates, the part moves along with its slope over the window.
    """
    low, middle, high = ranks
    total_ms, count = window.total_ns[name] / 1e6, window.count
    mean = float(total_ms.sum() / max(count.sum(), 1))
    influence = (total_ms.sum(axis=0) - mean * count.sum(axis=0)) / max(count.sum(), 1)
    if high < 1.0:
        below, above = total_ms.sum(axis=1) / np.maximum(count.sum(axis=1), 1)
        exceeding = side.quantile(middle)
        share = (exceeding.hits - exceeding.hits.sum() / side.n * exceeding.count) / side.n
        influence = influence + 2 * (above - below) / (high - low) * share
    return Statistic(hits=influence * CELLS, count=np.ones(CELLS), value=lambda deviation: mean + deviation)


def _request_bytes(run: LoadedRun, variant: str) -> float:
    return float(run.manifest.get("variants", {}).get(variant, {}).get("request_bytes", np.nan))


def _response_bytes(run: LoadedRun, variant: str) -> float:
    received = run.samples.response_bytes[pick_variant(run, variant).rows]
    return float(received.mean()) if len(received) else float("nan")
