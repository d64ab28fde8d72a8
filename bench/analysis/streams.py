"""Streamed answers: the times of their tokens, folded for every figure, and which requests were good. Pure.

What counts (docs/guides/streaming.md): times to tokens and gaps are those of answers that ended well. A stream that
ended before its first token, however it ended, and a request that timed out before anything of it came (ours, or a 408
or 504), never had a first token: it is censored, as slower than any. A stream that was cut, timed out or failed after
its first token is in no figure but the rates.

A gap stands in the cell of time of its request, so that all gaps of a request are resampled together: they hang
together more than requests do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.analysis import checked, rates
from bench.analysis.blocks import CELLS, cell_of
from bench.analysis.fold import Fold, fold, fold_variant, stage_cells
from bench.analysis.run import Floats, Ints, LoadedRun, Mask, Part
from bench.metrics import INTER_TOKEN_LATENCY, PRINTED, STREAM_DURATIONS, TIME_TO_FIRST_TOKEN
from bench.plan.objectives import Objective
from bench.sample import NO_TIME, Outcome, TokensFrom

CENSORED_METRICS = (TIME_TO_FIRST_TOKEN, "service_time_to_first_token")
"""The durations that a stream without a first token leaves open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Counts over the measured streams of a variant that ended well; rates are 1/s.

    `answers` are those that were streamed, `whole` of them ended well, `tokenless` had no first token; `plain` answers
    were ok and no stream. `per_event` is how many tokens an event with text brought (NaN where nobody counted them).
    """

    answers: int
    whole: int
    tokenless: int
    plain: int
    output_tokens: int
    prompt_tokens: int
    content_events: int
    tokens_from: Mapping[str, int]
    per_event: float
    throughput: float
    throughput_per_user: float


def are_there(run: LoadedRun, variant: str, part: Part | None = None) -> bool:
    """Whether any measured answer of the variant, or of a part of it, was streamed."""
    return bool((run.rows(variant, part) & _streamed(run)).any())


def with_lost_gaps(run: LoadedRun, rows: Mask) -> int:
    """How many of `rows` are streams that ended well and of which not every gap is on disk, or none can be read."""
    if "lost gaps" not in run.memo:
        there = np.bincount(run.gaps.row, minlength=len(run.samples))
        whole = there == np.maximum(run.samples.content_events.astype(np.int64) - 1, 0)
        run.memo["lost gaps"] = _streamed(run) & run.samples.where("outcome", Outcome.OK) & ~whole
    lost: Mask = run.memo["lost gaps"]
    return int((rows & lost).sum())


def tokens(run: LoadedRun, variant: str, part: Part | None = None) -> Tokens:
    """What the streams of a variant, or of a part of it, brought."""
    rows, samples = run.rows(variant, part), run.samples
    streamed = rows & _streamed(run)
    ok = rows & samples.where("outcome", Outcome.OK)
    whole = streamed & ok
    output = int(samples.output_tokens[whole].sum(dtype=np.int64))
    from_usage = whole & samples.where("tokens_from", TokensFrom.USAGE)
    usage_events = int(samples.content_events[from_usage].sum(dtype=np.int64))
    several = whole & (samples.output_tokens > 1)
    streaming_s = float((samples.last_token_ns - samples.first_token_ns)[several].sum()) / 1e9
    return Tokens(
        answers=int(streamed.sum()),
        whole=int(whole.sum()),
        tokenless=int(_tokenless(run, rows).sum()),
        plain=int((ok & ~_streamed(run)).sum()),
        output_tokens=output,
        prompt_tokens=int(samples.prompt_tokens[whole].sum(dtype=np.int64)),
        content_events=int(samples.content_events[whole].sum(dtype=np.int64)),
        tokens_from=samples.counts("tokens_from", whole),
        per_event=float(samples.output_tokens[from_usage].sum(dtype=np.int64)) / usage_events
        if usage_events
        else math.nan,
        throughput=output / run.span_s if run.span_s else math.nan,
        throughput_per_user=float((samples.output_tokens[several].astype(np.int64) - 1).sum()) / streaming_s
        if streaming_s
        else math.nan,
    )


def lengths(run: LoadedRun, variant: str, part: Part | None = None) -> dict[str, dict[str, float]]:
    """How long prompts and answers were, in tokens, as the server's usage counted them; without those it did not."""
    samples = run.samples
    well = run.rows(variant, part) & samples.where("outcome", Outcome.OK)
    from_usage = well & samples.where("tokens_from", TokensFrom.USAGE)
    columns = {"prompt_tokens": samples.prompt_tokens[from_usage], "output_tokens": samples.output_tokens[from_usage]}
    return {name: _spread(counts) for name, counts in columns.items() if counts.any()}


def _spread(counts: NDArray[np.uint32]) -> dict[str, float]:
    p50, p99 = np.quantile(counts, (0.5, 0.99))
    return {"least": counts.min(), "p50": p50, "mean": counts.mean(), "p99": p99, "most": counts.max()}


def fold_stream(run: LoadedRun, metric: str, variant: str, part: Part | None = None) -> Fold:
    """Fold one of `STREAM_DURATIONS` for a variant, or for a part of it; a variant's once a run, and kept with it."""
    if part is not None:
        return _fold(run, metric, run.rows(variant, part))
    key = f"{metric} of {variant}"
    if key not in run.memo:
        run.memo[key] = _fold(run, metric, run.rows(variant))
    kept: Fold = run.memo[key]
    return kept


def folded(run: LoadedRun, metric: str, variant: str) -> Fold:
    """Fold any duration of the catalogue for a variant."""
    return fold_stream(run, metric, variant) if metric in STREAM_DURATIONS else fold_variant(run, metric, variant)


def good(run: LoadedRun, variant: str, objectives: Sequence[Objective], part: Part | None = None) -> rates.Share:
    """The requests that ended well and kept every objective, as a share of all measured ones (of a part of them).

    An objective on gaps is kept by a streamed answer that has none.
    """
    all_rows = np.flatnonzero(run.rows(variant, part))
    rows = all_rows[run.samples.where("outcome", Outcome.OK)[all_rows]]
    kept = np.ones(len(rows), bool)
    for one in objectives:
        values_ms = _per_request(run, one, rows)
        kept &= values_ms <= one.below_ms if one.or_equal else values_ms < one.below_ms
    if checked.on_a_sample(run, run.rows(variant)):
        return checked.share(run, run.rows(variant), np.isin(np.arange(len(run.samples)), rows[kept]))
    hits, count = (
        np.bincount(cell_of(run.samples.intended_ns[some], run.window_ns), minlength=CELLS)
        for some in (rows[kept], all_rows)
    )
    return rates.Share(hits=hits, count=count, span_s=run.span_s)


def _streamed(run: LoadedRun) -> Mask:
    if "streamed" not in run.memo:
        run.memo["streamed"] = run.samples.where("tokens_from", TokensFrom.USAGE, TokensFrom.EVENTS)
    kept: Mask = run.memo["streamed"]
    return kept


def _tokenless(run: LoadedRun, rows: Mask) -> Mask:
    """Those of `rows` that never had a first token, and might have had one."""
    might = _streamed(run) | run.samples.where("outcome", Outcome.TIMED_OUT)
    found: Mask = rows & might & (run.samples.first_token_ns == NO_TIME)
    return found


def _fold(run: LoadedRun, metric: str, among: Mask) -> Fold:
    rows, values, censored = of_each(run, metric, among)
    folded = fold(values, cell_of(run.samples.intended_ns[rows], run.window_ns), censored=censored)
    return replace(folded, pieces=stage_cells(run), memo={}) if run.stage_starts_s else folded


def of_each(run: LoadedRun, metric: str, among: Mask) -> tuple[Ints, Ints, Mask | None]:
    """(row, value in ns, whether it is censored) of every request of `among` that one of `STREAM_DURATIONS` counts.

    None where nothing is censored. The values may be overwritten.
    """
    samples = run.samples
    well = among & _streamed(run) & samples.where("outcome", Outcome.OK)
    censored = None
    if metric in CENSORED_METRICS:
        tokenless = _tokenless(run, among)
        rows = np.flatnonzero((well & (samples.first_token_ns != NO_TIME)) | tokenless)
        since = samples.intended_ns if metric == TIME_TO_FIRST_TOKEN else samples.sent_ns
        censored = tokenless[rows]
        until = np.where(censored, samples.done_ns[rows], samples.first_token_ns[rows])
        values = until - since[rows]
        censored = censored if censored.any() else None
    elif metric == "time_per_output_token":
        rows = np.flatnonzero(well & (samples.output_tokens > 1) & (samples.first_token_ns != NO_TIME))
        values = _per_output_token(run, rows)
    else:
        rows, values = _gap_values(run, metric, well)
    return rows, values.astype(np.int64), censored


def _per_output_token(run: LoadedRun, rows: Ints) -> Ints:
    samples = run.samples
    spans = samples.last_token_ns[rows] - samples.first_token_ns[rows]
    values: Ints = spans // np.maximum(samples.output_tokens[rows].astype(np.int64) - 1, 1)
    return values


def _gap_values(run: LoadedRun, metric: str, well: Mask) -> tuple[Ints, Ints]:
    """(row, value in ns) of every gap, or of one figure of each request's gaps."""
    gaps = run.gaps
    if metric == INTER_TOKEN_LATENCY:
        there = well[gaps.row]
        return gaps.row[there], gaps.gap_ns[there]
    values = gaps.gap_ns[gaps.starts] if metric == "time_to_second_token" else _each(gaps.gap_ns, gaps.starts)
    rows = gaps.row[gaps.starts]
    there = well[rows]
    return rows[there], values[there]


def _each(gap_ns: Ints, starts: Ints) -> Ints:
    """The longest gap of each request."""
    longest: Ints = np.maximum.reduceat(gap_ns, starts) if len(starts) else gap_ns
    return longest


def _per_request(run: LoadedRun, objective: Objective, rows: Ints) -> Floats:
    """The objective's figure of each row in ms; NaN, which keeps nothing, where the request has none."""
    samples, metric = run.samples, objective.metric
    if metric not in STREAM_DURATIONS:
        found = np.full(len(samples), np.nan)
        known = samples.with_server_time(rows) if metric == "server_time" else rows
        found[known] = samples.durations_ns(metric, rows) / 1e6
        return found[rows]
    has_first = samples.first_token_ns[rows] != NO_TIME
    if metric in CENSORED_METRICS:
        since = samples.intended_ns if metric == TIME_TO_FIRST_TOKEN else samples.sent_ns
        return np.where(has_first, samples.first_token_ns[rows] - since[rows], np.nan) / 1e6
    if metric == "time_per_output_token":
        return np.where(has_first, _per_output_token(run, rows), np.nan) / 1e6
    found = np.where(samples.first_token_ns == NO_TIME, np.nan, 0.0)  # a stream of one token has no gap, and keeps all
    starts, gap_ns = run.gaps.starts, run.gaps.gap_ns
    if len(starts):
        place = run.gaps.row[starts]
        if metric == "time_to_second_token":
            found[place] = gap_ns[starts] / 1e6
        elif metric == "worst_inter_token_latency":
            found[place] = _each(gap_ns, starts) / 1e6
        else:
            found[place] = _of_own_gaps(run, objective.quantile) / 1e6
    return found[rows]


def _of_own_gaps(run: LoadedRun, statistic: str) -> Floats:
    """A statistic of each request's own gaps in ns, in the order of `Gaps.starts`."""
    gap_ns, starts = run.gaps.gap_ns, run.gaps.starts
    lengths = np.diff(np.append(starts, len(gap_ns)))
    if statistic == "mean":
        return np.asarray(np.add.reduceat(gap_ns, starts) / lengths)
    if statistic == "max":
        return _each(gap_ns, starts).astype(np.float64)
    group = np.repeat(np.arange(len(starts)), lengths)
    ordered = gap_ns[np.lexsort((gap_ns, group))]
    return _at(ordered, starts, lengths, PRINTED[statistic])


def _at(ordered: Ints, starts: Ints, lengths: NDArray[Any], q: float) -> Floats:
    """The quantile `q` of each group of values that are sorted within their group (`quantiles.at`)."""
    rank = q * (lengths - 1)
    below = np.floor(rank).astype(np.int64)
    above = np.minimum(below + 1, lengths - 1)
    low = ordered[starts + below].astype(np.float64)
    return np.asarray(low + (rank - below) * (ordered[starts + above] - low))
