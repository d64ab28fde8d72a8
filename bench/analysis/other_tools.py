"""What three other tools would print of a stored run of streamed answers, by their own definitions. Pure.

The definitions are those of their sources (docs/guides/streaming.md has them side by side). All of them count from
sending, leave requests out that failed, and know no interval. A run's own figures are `streams`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from bench.analysis.quantiles import at
from bench.analysis.run import Floats, Ints, LoadedRun
from bench.sample import NO_TIME, Outcome, TokensFrom

STATISTICS: Mapping[str, float | None] = {"mean": None, "p50": 0.5, "p90": 0.9, "p99": 0.99}

Values = tuple[Floats, Floats]
"""Values in ms, and how much each weighs in a quantile."""


def figures(run: LoadedRun, variant: str, tool: str) -> dict[str, dict[str, float]]:
    """The tool's own names of its figures, each by statistic in ms; NaN where there is no request that has one."""
    samples = run.samples
    streamed = samples.where("tokens_from", TokensFrom.USAGE, TokensFrom.EVENTS)
    well = run.rows(variant) & streamed & samples.where("outcome", Outcome.OK)
    rows = np.flatnonzero(well & (samples.first_token_ns != NO_TIME))
    return {name: _statistics(*read(run, rows)) for name, read in TOOLS[tool].items()}


def _statistics(values: Floats, weights: Floats) -> dict[str, float]:
    if not len(values):
        return dict.fromkeys(STATISTICS, float("nan"))
    order = np.argsort(values)
    ordered, ordered_weights = values[order], weights[order]
    return {
        name: float(np.average(values, weights=weights) if q is None else _quantile(ordered, ordered_weights, q))
        for name, q in STATISTICS.items()
    }


def _quantile(ordered: Floats, weights: Floats, q: float) -> float:
    """Of values that weigh alike the usual one, else the first up to which a share `q` of the weight lies."""
    if (weights == weights[0]).all():
        return float(at(ordered, q))
    reached = np.cumsum(weights) / weights.sum()
    return float(ordered[min(int(np.searchsorted(reached, q)), len(ordered) - 1)])


def _alike(values_ns: Ints | Floats) -> Values:
    return np.asarray(values_ns, np.float64) / 1e6, np.ones(len(values_ns))


def _first(run: LoadedRun, rows: Ints) -> Values:
    return _alike(run.samples.first_token_ns[rows] - run.samples.sent_ns[rows])


def _latency(run: LoadedRun, rows: Ints) -> Values:
    return _alike(run.samples.last_token_ns[rows] - run.samples.sent_ns[rows])


def _mean_gap(run: LoadedRun, rows: Ints) -> Values:
    """From first to last text over the tokens after the first, of each request that has some."""
    samples = run.samples
    rows = rows[samples.output_tokens[rows] > 1]
    spans = samples.last_token_ns[rows] - samples.first_token_ns[rows]
    return _alike(spans / (samples.output_tokens[rows].astype(np.float64) - 1))


def _mean_gap_by_tokens(run: LoadedRun, rows: Ints) -> Values:
    values, _ = _mean_gap(run, rows)
    tokens = run.samples.output_tokens[rows].astype(np.float64)
    return values, tokens[tokens > 1] - 1


def _per_token_with_first(run: LoadedRun, rows: Ints) -> Values:
    samples = run.samples
    rows = rows[samples.output_tokens[rows] > 0]
    spans = samples.last_token_ns[rows] - samples.sent_ns[rows]
    tokens = samples.output_tokens[rows].astype(np.float64)
    return spans / tokens / 1e6, tokens


def _gaps(run: LoadedRun, rows: Ints) -> Values:
    chosen = np.zeros(len(run.samples), bool)
    chosen[rows] = True
    return _alike(run.gaps.gap_ns[chosen[run.gaps.row]])


def _second(run: LoadedRun, rows: Ints) -> Values:
    chosen = np.zeros(len(run.samples), bool)
    chosen[rows] = True
    starts = run.gaps.starts
    return _alike(run.gaps.gap_ns[starts[chosen[run.gaps.row[starts]]]])


TOOLS: Mapping[str, Mapping[str, Callable[[LoadedRun, Ints], Values]]] = {
    "aiperf": {
        "Time to First Token": _first,
        "Time to Second Token": _second,
        "Inter Token Latency": _mean_gap,
        "Request Latency": _latency,
    },
    "guidellm": {
        "TTFT": _first,
        "ITL": _mean_gap_by_tokens,
        "TPOT": _per_token_with_first,
        "Request Latency": _latency,
    },
    "vllm": {"TTFT": _first, "TPOT": _mean_gap, "ITL": _gaps, "E2EL": _latency},
}
"""By tool: its figures in the order in which it prints them."""
