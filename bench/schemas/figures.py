"""What is made of a run: its summary, and the baseline that one becomes. Pure."""

from __future__ import annotations

import typing
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from bench.schemas.values import Count, Figure, Name, Seconds, Version


class Interval(Struct, frozen=True, kw_only=True):
    """Both ends, or null where they cannot be computed; the rest says why. `open`: its upper end is not known."""

    low: Figure
    high: Figure
    more_needed: Figure = 0
    open: bool = False
    hangs_together_s: float = 0
    episodes: Count = 0
    why: str = ""


class Censored(Struct, frozen=True):
    """What a figure is above that requests without an answer decide."""

    above: float


class AuthFailures(Struct, frozen=True):
    """Refused requests."""

    count: Count
    by_cause: dict[str, Count]
    rate: Figure = None
    rate_interval: Interval | None = None


class Refreshes(Struct, frozen=True):
    """Credential fetches; null where the run's flights are not known."""

    count: Count | None
    failures: Count | None


class StreamFigures(Struct, frozen=True, kw_only=True):
    """What streamed answers brought; `requests` are how many the figures of each metric rest on, `lengths` the tokens
    of prompts and answers as the server counted them."""

    requests: dict[str, Count]
    lengths: dict[str, dict[str, Figure]] = {}
    output_tokens: Count = 0
    throughput: Figure = None
    throughput_per_user: Figure = None
    throughput_interval: Interval | None = None
    throughput_per_user_interval: Interval | None = None


class Goodput(Struct, frozen=True, kw_only=True):
    """Requests that kept every objective; `rate` of all of them, `throughput` a second; else `why` it is not known."""

    objectives: list[str]
    requests: Count | None
    rate: Figure
    low: Figure
    high: Figure
    throughput: Figure = None
    throughput_interval: Interval | None = None
    why: str = ""


class Checked(Struct, frozen=True):
    """Of so many answers so many had their bodies looked at; counts of failures are of those, shares speak for all."""

    answers: Count
    checked: Count


class StreamedFigures(Struct, frozen=True, kw_only=True):
    """The figures of streamed answers, where there were any, and of goodput, where something was asked of requests.

    `without_streams` are the runs of a set that streamed nothing: it then has no figure of streams.
    """

    streams: StreamFigures | msgspec.UnsetType = msgspec.UNSET
    goodput: Goodput | msgspec.UnsetType = msgspec.UNSET
    without_streams: list[Name] = []
    time_to_first_token_ms: dict[str, Figure] = {}
    service_time_to_first_token_ms: dict[str, Figure] = {}
    time_to_second_token_ms: dict[str, Figure] = {}
    inter_token_latency_ms: dict[str, Figure] = {}
    worst_inter_token_latency_ms: dict[str, Figure] = {}
    time_per_output_token_ms: dict[str, Figure] = {}
    time_to_first_token_ms_interval: dict[str, Interval] = {}
    service_time_to_first_token_ms_interval: dict[str, Interval] = {}
    time_to_second_token_ms_interval: dict[str, Interval] = {}
    inter_token_latency_ms_interval: dict[str, Interval] = {}
    worst_inter_token_latency_ms_interval: dict[str, Interval] = {}
    time_per_output_token_ms_interval: dict[str, Interval] = {}
    time_to_first_token_ms_censored: dict[str, Censored] = {}
    service_time_to_first_token_ms_censored: dict[str, Censored] = {}


class ClassFigures(StreamedFigures, frozen=True, kw_only=True):
    """The figures of one class of a variant's requests that a gate can ask for."""

    requests: Count
    latency_samples: Count
    throughput: Figure
    error_rate: Figure
    outcomes: dict[str, Count]
    response_time_ms: dict[str, Figure] = {}
    service_time_ms: dict[str, Figure] = {}
    response_time_ms_interval: dict[str, Interval] = {}
    service_time_ms_interval: dict[str, Interval] = {}
    response_time_ms_censored: dict[str, Censored] = {}
    service_time_ms_censored: dict[str, Censored] = {}
    error_rate_interval: Interval | None = None
    outcome_rates: dict[str, Interval] = {}
    checked: Checked | msgspec.UnsetType = msgspec.UNSET


class VariantFigures(StreamedFigures, frozen=True, kw_only=True):
    """The figures of a variant that a gate can ask for; on one that is missing a gate has no data."""

    auth_mode: str
    requests: Count
    latency_samples: Count
    throughput: Figure
    throughput_interval: Interval | None = None
    error_rate: Figure
    outcomes: dict[str, Count]
    auth_failures: AuthFailures
    refreshes: Refreshes
    response_time_ms: dict[str, Figure]
    service_time_ms: dict[str, Figure] = {}
    schedule_lag_ms: dict[str, Figure] = {}
    lease_wait_ms: dict[str, Figure] = {}
    server_time_ms: dict[str, Figure] = {}
    response_time_ms_interval: dict[str, Interval] = {}
    service_time_ms_interval: dict[str, Interval] = {}
    schedule_lag_ms_interval: dict[str, Interval] = {}
    lease_wait_ms_interval: dict[str, Interval] = {}
    server_time_ms_interval: dict[str, Interval] = {}
    response_time_ms_censored: dict[str, Censored] = {}
    service_time_ms_censored: dict[str, Censored] = {}
    error_rate_interval: Interval | None = None
    outcome_rates: dict[str, Interval] = {}
    checked: Checked | msgspec.UnsetType = msgspec.UNSET
    classes: dict[str, ClassFigures] = {}


class Estimate(Interval, frozen=True, kw_only=True):
    """A difference with its interval."""

    estimate: Figure


class Comparison(Struct, frozen=True):
    """A candidate against a baseline."""

    baseline: str
    candidate: str
    response_time_ms: dict[str, Estimate]
    time_to_first_token_ms: dict[str, Estimate] = {}


class Trust(Struct, frozen=True):
    """Whether the run can be believed."""

    verdict: typing.Literal["TRUSTED", "SUSPECT", "INVALID"]
    reasons: list[str]
    asked_rate: Figure = None
    achieved_rate: Figure = None
    dropped_arrivals: Count | None = None
    unwritten_samples: Count | None = None


class Summary(Struct, frozen=True, kw_only=True):
    """`summary.json`, as far as it is read back."""

    schema_version: Version
    run_id: Name
    trust: Trust
    variants: Annotated[dict[str, VariantFigures], Meta(min_length=1)]
    measured_s: Seconds = 0.0
    machine: dict[str, str | int | None] = {}
    comparison: Comparison | msgspec.UnsetType = msgspec.UNSET
    comparisons: list[Comparison] = []


class SetLine(Struct, frozen=True, kw_only=True):
    """A run of a set: its trust (empty where it cannot be read), why it is left out, its figures by variant.

    `intervals` are those within the run, `differences` those of its candidates; older sets have none.
    """

    run_id: Name
    trust: str
    left_out: str
    figures: dict[str, dict[str, Figure]]
    intervals: dict[str, dict[str, Interval]] = {}
    differences: dict[str, dict[str, Estimate]] = {}


class SetSummary(Summary, frozen=True, kw_only=True):
    """`summary.json` of a set of runs: figures between runs in the shape of a run's, and a line for each run."""

    asked_runs: Annotated[int, Meta(ge=1, le=10**4)]
    ended: str
    runs: Annotated[list[SetLine], Meta(min_length=1)]


class RunSet(Struct, frozen=True, kw_only=True):
    """`set.json`: what was asked for: runs at most, the pause between them, how well a figure must be known."""

    schema_version: Version
    set_id: Name
    runs: Annotated[int, Meta(ge=1, le=10**4)]
    pause_s: Seconds
    until: str


class Baseline(Struct, frozen=True, kw_only=True):
    """`results/baselines/<name>.json`."""

    schema_version: Version
    name: Name
    workload: dict[str, Any]
    host: dict[str, str | int | None]
    summary: Summary
    more_runs: list[Summary] = []
