"""Streamed answers over time, and a few of them token by token: what plots draw. Pure.

Times to tokens lie in the bin of when their request was due, tokens in that of their own time. What counts in a time is
what counts in the figures (`streams`); every token that came is counted, also of a stream that was cut.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bench.analysis import streams
from bench.analysis.run import Floats, Ints, LoadedRun
from bench.analysis.time_bins import BINS, QuantileLines, index_of, lines_of, time_bins
from bench.metrics import INTER_TOKEN_LATENCY, TIME_TO_FIRST_TOKEN
from bench.sample import NO_TIME, Outcome


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class TokenSeries:
    """Streamed answers of one variant over time; every array has one value a bin, `count` is of first tokens."""

    variant: str
    t_s: Floats
    edges_s: Floats
    count: Ints
    first_token: QuantileLines
    gap: QuantileLines
    tokens_per_s: Floats


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Timeline:
    """One streamed answer. `why` it is shown; times in ms since it was due, `token_ms` one a token.

    `ended` is its outcome, and its cause where there is one.
    """

    why: str
    variant: str
    due_s: float
    sent_ms: float
    token_ms: Floats
    done_ms: float
    ended: tuple[str, str, int]


def over_time(run: LoadedRun, variant: str, bins: int = BINS) -> TokenSeries:
    """First tokens, gaps and tokens a second of `variant` over the measured window."""
    grid, samples = time_bins(run, bins), run.samples
    number = len(grid.t_s)

    def lines(metric: str) -> tuple[Ints, QuantileLines]:
        rows, values, _ = streams.of_each(run, metric, run.rows(variant))
        index = index_of(samples.intended_ns[rows], grid)
        return np.bincount(index, minlength=number), lines_of(values, index, number)

    count, first = lines(TIME_TO_FIRST_TOKEN)
    _, gap = lines(INTER_TOKEN_LATENCY)
    begin_ns, until_ns = run.window_ns
    times = _token_times(run, variant)
    tokens = np.bincount(index_of(times[(times >= begin_ns) & (times < until_ns)], grid), minlength=number)
    return TokenSeries(
        variant=variant,
        t_s=grid.t_s,
        edges_s=grid.edges_s,
        count=count,
        first_token=first,
        gap=gap,
        tokens_per_s=tokens / grid.width_s,
    )


def timelines(run: LoadedRun, variant: str) -> tuple[Timeline, ...]:
    """The stream with the median first token, with the slowest, with the longest gap, and one that was cut short."""
    shown: dict[int, str] = {}
    for row, why in _chosen(run, variant):
        shown.setdefault(row, why)
    return tuple(_timeline(run, variant, row, why) for row, why in shown.items())


def _chosen(run: LoadedRun, variant: str) -> Iterator[tuple[int, str]]:
    rows, values, censored = streams.of_each(run, TIME_TO_FIRST_TOKEN, run.rows(variant))
    if censored is not None:
        rows, values = rows[~censored], values[~censored]
    if len(rows):
        order = np.argsort(values, kind="stable")
        yield int(rows[order[len(order) // 2]]), "median first token"
        yield int(rows[order[-1]]), "slowest first token"
    rows, values, _ = streams.of_each(run, "worst_inter_token_latency", run.rows(variant))
    if len(rows):
        yield int(rows[np.argmax(values)]), "longest gap"
    samples = run.samples
    begun = run.rows(variant) & (samples.first_token_ns != NO_TIME)
    short = np.flatnonzero(begun & ~samples.where("outcome", Outcome.OK))
    if len(short):
        yield int(short[0]), "ended early"


def _timeline(run: LoadedRun, variant: str, row: int, why: str) -> Timeline:
    samples = run.samples
    due_ns = int(samples.intended_ns[row])
    gaps = run.gaps.gap_ns[run.gaps.row == row]
    tokens_ns = samples.first_token_ns[row] + np.concatenate(([0], np.cumsum(gaps)))
    outcome, cause = (samples.words[name][getattr(samples, name)[row]] for name in ("outcome", "cause"))
    return Timeline(
        why=why,
        variant=variant,
        due_s=due_ns / 1e9,
        sent_ms=(int(samples.sent_ns[row]) - due_ns) / 1e6,
        token_ms=(tokens_ns - due_ns) / 1e6,
        done_ms=(int(samples.done_ns[row]) - due_ns) / 1e6,
        ended=(outcome, cause, int(samples.status[row])),
    )


def _token_times(run: LoadedRun, variant: str) -> Ints:
    """When each token came, also of a request of the warm-up, in ns since the run's start, in no order."""
    gaps, samples = run.gaps, run.samples
    rows = samples.where("variant", variant)
    first: Ints = samples.first_token_ns[rows & (samples.first_token_ns != NO_TIME)]
    if not len(gaps):
        return first
    since = np.cumsum(gaps.gap_ns)
    before = np.repeat((since - gaps.gap_ns)[gaps.starts], np.diff(np.append(gaps.starts, len(gaps))))
    there = rows[gaps.row]
    later: Ints = (samples.first_token_ns[gaps.row] + since - before)[there]
    return np.concatenate((first, later))
