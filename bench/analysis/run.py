"""A finished run as arrays: what every statistic is folded over. Pure noun; numpy only, reads no file.

`bench.runreader` builds a `LoadedRun`; `analysis`, `report` and the tests read it. Nobody changes the
arrays. All `_ns` columns are int64 nanoseconds since the run's start (see `bench.sample`).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.analysis.warm_up import WarmUp, last_of, warm_up
from bench.metrics import DURATIONS
from bench.plan.load_changes import loads_of
from bench.plan.run_plan import RunPlan
from bench.sample import NO_TIME, Outcome, Phase, WorkloadModel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
Rows = Mask | Ints
"""Which samples: a mask over all of them, or their row numbers."""
Part = tuple[str, str]
"""A part of a variant's requests: a word column and its word, such as ("request_class", "large")."""

METRICS = tuple(DURATIONS)
"""The durations that are summarised, in the order of the summary."""

LATENCY_OUTCOMES = (Outcome.OK, Outcome.TIMED_OUT)
"""Outcomes that count in latency: answers with their time, time-outs as not answered until they ended; see decision
031."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Samples:
    """Every sample of every worker, one array a column; all arrays have the same length.

    A word column holds small codes; `words[column][code]` is the word. `worker` is a word column too.
    `first_byte_ns` stays on disk: no statistic reads it. Where nothing was streamed the columns of tokens are one value
    each, seen as many times as there are samples; so is `sequence` where there are neither streams nor traces.
    """

    intended_ns: Ints
    began_ns: Ints
    sent_ns: Ints
    done_ns: Ints
    connect_ns: Ints
    server_time_ns: Ints
    response_bytes: NDArray[np.uint32]
    generation: NDArray[np.uint16]
    status: NDArray[np.uint16]
    outcome: NDArray[Any]
    cause: NDArray[Any]
    phase: NDArray[Any]
    variant: NDArray[Any]
    deployment: NDArray[Any]
    freshness: NDArray[Any]
    attempt: NDArray[np.uint8]
    replays: NDArray[np.uint8]
    late_cause: NDArray[Any]
    request_class: NDArray[Any]
    first_token_ns: Ints
    last_token_ns: Ints
    content_events: NDArray[np.uint32]
    output_tokens: NDArray[np.uint32]
    prompt_tokens: NDArray[np.uint32]
    tokens_from: NDArray[Any]
    stands_for: NDArray[np.uint16]
    sequence: NDArray[np.uint32]
    worker: NDArray[Any]
    words: Mapping[str, tuple[str, ...]]

    def __len__(self) -> int:
        return len(self.intended_ns)

    def where(self, column: str, *words: str) -> Mask:
        """Mask of the rows whose word in `column` is one of `words`; a word nobody wrote matches nothing."""
        codes: NDArray[Any] = getattr(self, column)
        table = self.words[column]
        mask = np.zeros(len(self), dtype=bool)
        for word in words:
            if word in table:
                mask |= codes == table.index(word)
        return mask

    def counts(self, column: str, mask: Mask) -> dict[str, int]:
        """How often each word of `column` occurs among the rows of `mask`; words that do not occur are left out."""
        codes: NDArray[Any] = getattr(self, column)
        table = self.words[column]
        found = np.bincount(codes[mask], minlength=len(table))
        return {word: int(n) for word, n in zip(table, found, strict=False) if n}

    def durations_ns(self, metric: str, rows: Rows) -> Ints:
        """One of `METRICS` or `connect` for some rows, in nanoseconds, in row order.

        `server_time` leaves out the rows whose server did not report it; see `with_server_time`.
        """
        match metric:
            case "response_time":
                return self.done_ns[rows] - self.intended_ns[rows]
            case "service_time":
                return self.done_ns[rows] - self.sent_ns[rows]
            case "schedule_lag":
                return self.began_ns[rows] - self.intended_ns[rows]
            case "lease_wait":
                return self.sent_ns[rows] - self.began_ns[rows]
            case "connect":
                return self.connect_ns[rows]
            case "server_time":
                return self.server_time_ns[self.with_server_time(rows)]
        raise ValueError(f"no duration is called {metric!r}; there are {', '.join(METRICS)} and connect")

    def with_server_time(self, rows: Rows) -> Ints:
        """Row numbers of those of `rows` whose server reported its own time."""
        numbers = np.asarray(np.flatnonzero(rows) if rows.dtype == bool else rows, dtype=np.int64)
        known: Ints = numbers[self.server_time_ns[numbers] != NO_TIME]
        return known


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Gaps:
    """Every gap between the tokens of streamed answers, those of a request one after the other in their order.

    `row` is the row of the gap's sample; `starts` are where a request's gaps begin.
    """

    row: Ints
    gap_ns: Ints
    starts: Ints

    def __len__(self) -> int:
        return len(self.row)


NO_GAPS = Gaps(row=np.zeros(0, np.int64), gap_ns=np.zeros(0, np.int64), starts=np.zeros(0, np.int64))


@dataclass(frozen=True, eq=False, kw_only=True)
class LoadedRun:
    """One run as it lies on disk, complete or not; `problems` says in plain sentences what is missing.

    `health` has one tuple of records a worker; `flights` are the records of flights.jsonl, none where
    they are not known (`flights_known`), `failures` those of failures/*.jsonl; a worker whose health is
    not known has no record.
    Not slotted, and with `memo` for what is folded: each is computed once a run.
    """

    path: Path
    manifest: Mapping[str, Any]
    samples: Samples
    gaps: Gaps = NO_GAPS
    flights: tuple[Mapping[str, Any], ...] = ()
    health: Mapping[str, tuple[Mapping[str, Any], ...]]
    failures: tuple[Mapping[str, Any], ...] = ()
    flights_known: bool = True
    problems: tuple[str, ...] = ()
    memo: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def run_id(self) -> str:
        return str(self.manifest.get("run_id") or self.path.name)

    @cached_property
    def plan(self) -> RunPlan:
        """The intent of the run."""
        return RunPlan.from_json(dict(self.manifest["plan"]))

    @property
    def endless(self) -> bool:
        """Whether it was asked to go on until somebody stops it: without a duration, and without a shape that ends."""
        return self.plan.duration_s is None and not self.manifest.get("shape")

    @cached_property
    def stage_starts_s(self) -> tuple[float, ...]:
        """When each stage of the load begins: of the plan, of what a person or a LoadTestShape made of it."""
        if self.plan.stages:
            return tuple(itertools.accumulate((stage.duration_s for stage in self.plan.stages[:-1]), initial=0.0))
        if self.plan.changes:
            return tuple(load.from_ns / 1e9 for load in loads_of(self.plan))
        return tuple(stage["from_s"] for stage in (self.manifest.get("shape") or {}).get("stages", ()))

    @property
    def open_model(self) -> bool:
        return self.plan.model is WorkloadModel.OPEN

    @cached_property
    def variants(self) -> tuple[str, ...]:
        """Names in the order of the plan; a name only the samples know comes last."""
        planned = [variant.name for variant in self.plan.variants]
        found = [word for word in self.samples.words["variant"] if word not in planned]
        return tuple(planned + found)

    def auth_mode(self, variant: str) -> str:
        """The auth mode the variant was asked to use; empty when the manifest does not know it."""
        recorded = self.manifest.get("variants", {}).get(variant, {}).get("auth_mode")
        planned = [str(v.auth_mode) for v in self.plan.variants if v.name == variant]
        return str(recorded or (planned[0] if planned else ""))

    @cached_property
    def measured(self) -> Mask:
        """Rows that are judged: everything but the warm-up."""
        rows = self.samples.where("phase", Phase.MEASURE)
        return rows if self.warm_up is None else rows | (self.samples.intended_ns >= self.measure_from_ns)

    @cached_property
    def warm_up(self) -> WarmUp | None:
        """How a warm-up went that was to end once service time had settled; None of any other."""
        if not self.plan.warm_up_auto:
            return None
        taken = self.samples.where("outcome", *LATENCY_OUTCOMES)
        until_s = float(self.samples.intended_ns.max(initial=0)) / 1e9
        found = []
        for variant in self.variants:
            rows = np.flatnonzero(taken & self.samples.where("variant", variant))
            found.append(
                warm_up(
                    self.samples.intended_ns[rows] / 1e9,
                    self.samples.durations_ns("service_time", rows) / 1e6,
                    at_most_s=self.plan.warm_up_s,
                    until_s=until_s,
                    least_ms=self.plan.min_effect_ms,
                )
            )
        return last_of(found)

    @property
    def measure_from_ns(self) -> int:
        """Since the run's start; what was due before that is warm-up."""
        if self.warm_up is not None:
            return round(self.warm_up.ended_s * 1e9)
        return int(self.manifest.get("measure_from_ns", 0))

    @cached_property
    def _latency(self) -> Mask:
        return self.measured & self.samples.where("outcome", *LATENCY_OUTCOMES)

    @cached_property
    def censored(self) -> Mask:
        """Rows of requests that got no answer in time: ours ran out, or a 408 or a 504 says so of the target's."""
        return self.samples.where("outcome", Outcome.TIMED_OUT)

    def rows(self, variant: str | None = None, part: Part | None = None) -> Mask:
        """Measured rows, of one variant or of all; of a part of them."""
        rows = self.measured if variant is None else self.measured & self.samples.where("variant", variant)
        return rows if part is None else rows & self.samples.where(*part)

    def latency_rows(self, variant: str | None = None) -> Mask:
        """Measured rows that count in latency (`LATENCY_OUTCOMES`), of one variant or of all."""
        return self._latency if variant is None else self._latency & self.samples.where("variant", variant)

    @cached_property
    def window_ns(self) -> tuple[int, int]:
        """Measured stretch (from, until) in ns since the run's start.

        It lasts as long as the plan said, or until the run ended earlier; a killed run until its last sample.
        """
        begin = self.measure_from_ns
        last = int(self.samples.done_ns[self.measured].max(initial=begin))
        ended = self.manifest.get("ended") or {}
        stopped = int(ended.get("at_ns", last))
        planned = self.plan.duration_s
        end = int(self.manifest.get("measure_from_ns", 0)) + round((planned or 0) * 1e9)
        until = stopped if planned is None else min(end, max(stopped, begin))
        return begin, max(until, begin)

    @property
    def wall_zero_s(self) -> float | None:
        """The run's zero in seconds since 1970; None where the manifest does not have it."""
        wall_ns = (self.manifest.get("clock") or {}).get("wall_ns")
        return wall_ns / 1e9 if wall_ns else None

    @property
    def span_s(self) -> float:
        """Length of `window_ns` in seconds."""
        begin, until = self.window_ns
        return (until - begin) / 1e9
