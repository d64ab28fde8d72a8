"""What the files of this tool must look like to be believed. Edge: reads them; the only one that knows msgspec.

Each file that is read back has a type here, from which `docs/schemas/*.json` is made. Keys that are not known are
accepted, for a newer version may add some; a missing key, a value of another type and a newer `schema_version` are
refused in one line. What passes is handed on as plain values, as it lies in the file.
"""

from __future__ import annotations

import dataclasses
import typing
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from bench.errors import BenchError, RunInvalid, UsageError
from bench.plan.run_plan import ARRIVALS, TRACE, RunPlan, Stage, Variant
from bench.rundir import read_bytes

VERSION = 1
"""`schema_version` of every file here; a file of a higher one is refused."""

Version = Annotated[int, Meta(ge=1)]
Count = Annotated[int, Meta(ge=0, le=2**53)]
Ns = Annotated[int, Meta(ge=-(2**53), le=2**53)]
WallNs = Annotated[int, Meta(ge=0, le=2**62)]
Seconds = Annotated[float, Meta(ge=0, le=1e9)]
Name = Annotated[str, Meta(min_length=1, max_length=255)]
Rate = Annotated[float, Meta(gt=0, le=1e9)]
Figure = float | None
"""One that cannot be told is null."""

_BOUNDS: dict[str, Any] = {
    "variants": Annotated[tuple[Variant, ...], Meta(min_length=1)],
    "users": Annotated[int, Meta(ge=1, le=10**9)],
    "arrival_rate": Rate | None,
    "arrivals": typing.Literal[(*ARRIVALS, TRACE)],
    "duration_s": Seconds | None,
    "warm_up_s": Seconds,
    "timeout_s": Seconds,
    "min_effect_ms": Annotated[float, Meta(gt=0, le=1e9)],
    "processes": Annotated[int, Meta(ge=1, le=10**6)],
}
_OF_VERSION_1 = {
    *("target", "variants", "users", "arrival_rate", "arrivals", "stages", "duration_s", "warm_up_s", "timeout_s"),
    *("payload", "payload_sha256", "deployment", "ca_file", "min_effect_ms", "seed", "processes"),
}
"""What every plan that was ever written has; a field that was added later has its default where it is missing."""


def _plan_fields() -> list[Any]:
    hints = typing.get_type_hints(RunPlan)
    return [
        (field.name, _BOUNDS.get(field.name, hints[field.name]))
        if field.name in _OF_VERSION_1
        else (field.name, _BOUNDS.get(field.name, hints[field.name]), _default_of(field))
        for field in dataclasses.fields(RunPlan)
    ]


def _default_of(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return msgspec.field(default_factory=field.default_factory)
    return field.default


Plan: Any = msgspec.defstruct("Plan", _plan_fields(), kw_only=True, frozen=True)
"""`bench.plan.run_plan.RunPlan` with the limits of its numbers."""


class _File(Struct, frozen=True, kw_only=True):
    schema_version: Version


class Target(Struct, frozen=True):
    """What kind of target it was: an emulator, an endpoint, a scoring URI."""

    kind: str


class VariantFacts(Struct, frozen=True):
    """What is known of a variant besides its plan."""

    auth_mode: str
    endpoint: str = ""
    scoring_uri: str = ""
    request_bytes: Count | None = None


class Host(Struct, frozen=True):
    """The machine."""

    cpus: int | None = None
    usable_cpus: int | None = None
    cpu_model: str = ""
    kernel: str = ""
    hostname: str = ""


class Clock(Struct, frozen=True):
    """The run's zero on two clocks."""

    monotonic_ns: Annotated[int, Meta(ge=0, le=2**62)]
    wall_ns: WallNs
    pacer: str = ""


class Ended(Struct, frozen=True):
    """When and why the run ended."""

    at_ns: Ns
    reason: str
    error: str = ""


class LostWorker(Struct, frozen=True):
    """A worker that was lost, when, how that showed, and what was lost with it."""

    worker: str
    at_ns: Ns
    why: str
    lost_samples: Count
    taken_over: bool


class DiskLoss(Struct, frozen=True):
    """What the disk did not take; samples from `lost_from_s` on."""

    lost_from_s: float | None = None
    unwritten_samples: Count = 0
    lost_lines: Count = 0
    lost_pieces: Count = 0


class Manifest(_File, frozen=True, kw_only=True):
    """`manifest.json`. `ended`, `samples` (by worker) and `flights` are there once the run has ended."""

    run_id: Name
    plan: Plan
    seed: int
    measure_from_ns: Annotated[int, Meta(ge=0, le=2**53)]
    target: Target
    variants: dict[str, VariantFacts]
    host: Host
    clock: Clock
    workers: list[Name]
    versions: dict[str, str] = {}
    ended: Ended | None = None
    samples: dict[str, Count] = {}
    flights: Count | None = None
    lost: list[LostWorker] = []
    lost_samples: Count = 0
    disk: DiskLoss | None = None


class Flight(Struct, frozen=True, kw_only=True):
    """A line of `flights.jsonl`: one credential fetch."""

    variant: str
    cause: str
    outcome: str
    started_ns: Ns
    ended_ns: Ns
    auth_mode: str = ""
    generation: Count = 0
    attempts: Count = 1
    waiters: Count = 0
    longest_wait_ns: Ns = 0
    error: str = ""


class FailureKind(Struct, frozen=True, kw_only=True):
    """A line of `failures/<worker>.jsonl`: one kind of failure, how often it came, and what its first one said."""

    variant: str
    outcome: str
    cause: str
    status: int
    count: int
    first_ns: int
    last_ns: int
    reason: str = ""
    location: str = ""
    model_status: str = ""
    model_reason: str = ""
    server: str = ""
    request_id: str = ""
    content_type: str = ""
    body: str = ""


class Stall(Struct, frozen=True, kw_only=True):
    """A time in which a worker's event loop stood still."""

    at_ns: Ns
    ms: float
    cause: str = ""


class HealthTick(Struct, frozen=True, kw_only=True):
    """A line of `health/<worker>.jsonl`: a second of a worker."""

    at_ns: Ns
    cpu: float
    stalls: list[Stall]
    requests: Count = 0
    in_flight: Count = 0
    backlog: float = 0
    lag_ms: float = 0
    overhead_ms: float = 0
    stall_max_ms: float = 0
    gc_ms: float = 0
    busy_ms: float = 0


class HealthEnd(Struct, frozen=True, kw_only=True):
    """The last line of `health/<worker>.jsonl`: what a worker has done and lost."""

    end: bool
    written: Count
    unwritten: Count
    dropped_arrivals: Count
    due: Count = 0
    recorded: Count = 0


class Interval(Struct, frozen=True, kw_only=True):
    """Both ends, or null where they cannot be told; the rest says why. `open`: nobody knows how high it reaches."""

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


class VariantFigures(Struct, frozen=True, kw_only=True):
    """The figures of a variant that a gate can ask for; on one that is missing a gate has no data."""

    auth_mode: str
    requests: Count
    latency_samples: Count
    throughput: Figure
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


class Estimate(Interval, frozen=True, kw_only=True):
    """A difference with its interval."""

    estimate: Figure


class Comparison(Struct, frozen=True):
    """A candidate against a baseline."""

    baseline: str
    candidate: str
    response_time_ms: dict[str, Estimate]


class Trust(Struct, frozen=True):
    """Whether the run can be believed."""

    verdict: typing.Literal["TRUSTED", "SUSPECT", "INVALID"]
    reasons: list[str]
    asked_rate: Figure = None
    achieved_rate: Figure = None
    dropped_arrivals: Count | None = None
    unwritten_samples: Count | None = None


class Summary(_File, frozen=True, kw_only=True):
    """`summary.json`, as far as it is read back."""

    run_id: Name
    trust: Trust
    variants: Annotated[dict[str, VariantFigures], Meta(min_length=1)]
    measured_s: Seconds = 0.0
    machine: dict[str, str | int | None] = {}
    comparison: Comparison | msgspec.UnsetType = msgspec.UNSET
    comparisons: list[Comparison] = []


class SetLine(Struct, frozen=True, kw_only=True):
    """A run of a set: its trust (empty where it cannot be read), why it is left out, its figures by variant."""

    run_id: Name
    trust: str
    left_out: str
    figures: dict[str, dict[str, Figure]]


class SetSummary(Summary, frozen=True, kw_only=True):
    """`summary.json` of a set of runs: figures between runs in the shape of a run's, and a line for each run."""

    asked_runs: Annotated[int, Meta(ge=1, le=10**4)]
    ended: str
    runs: Annotated[list[SetLine], Meta(min_length=1)]


class RunSet(_File, frozen=True, kw_only=True):
    """`set.json`: what was asked for: runs at most, the pause between them, how well a figure must be known."""

    set_id: Name
    runs: Annotated[int, Meta(ge=1, le=10**4)]
    pause_s: Seconds
    until: str


class Baseline(_File, frozen=True, kw_only=True):
    """`results/baselines/<name>.json`."""

    name: Name
    workload: dict[str, Any]
    host: dict[str, str | int | None]
    summary: Summary
    more_runs: list[Summary] = []


class GateEntry(Struct, frozen=True, kw_only=True):
    """One gate and what it says of the run. `shown` are the numbers as the report prints them."""

    gate: str
    name: str
    variant: str
    verdict: typing.Literal["PASS", "FAIL", "INCONCLUSIVE", "NO_DATA"]
    sentence: str
    measured: Figure
    above: Figure = None
    interval: list[Figure] | None
    threshold: Figure
    needed_requests: Count | None
    shown: dict[typing.Literal["measured", "interval", "threshold"], str]


class Gates(_File, frozen=True, kw_only=True):
    """`gates.json`: what the run was judged by last, and what came of it. `baseline` is empty without one."""

    run_id: Name
    baseline: str
    results: Annotated[list[GateEntry], Meta(min_length=1)]


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """`bench.toml`, or `[tool.bench]` of pyproject.toml."""

    gates: dict[str, str] | list[str] = []


class WorkspaceConfig(Struct, frozen=True):
    """`config.json`, as Azure's portal gives it."""

    subscription_id: str = ""
    resource_group: str = ""
    workspace_name: str = ""


PUBLISHED: dict[str, Any] = {
    "manifest": Manifest,
    "summary": Summary,
    "set": RunSet,
    "set-summary": SetSummary,
    "failure": FailureKind,
    "flight": Flight,
    "health": HealthTick,
    "health-end": HealthEnd,
    "gates": Gates,
    "baseline": Baseline,
    "settings": Settings,
    "workspace-config": WorkspaceConfig,
}
"""By the name of the file in docs/schemas."""

_HINTS = {RunInvalid: "the folder is damaged: run it again", UsageError: "is it a file of this tool?"}


def load(path: Path, schema: Any, *, error: type[BenchError] = RunInvalid) -> dict[str, Any]:
    """The JSON object in `path`, when it is as `schema` says; else `error`, in one line.

    UsageError when there is no such file.
    """
    try:
        raw = read_bytes(path)
    except FileNotFoundError as exc:
        raise UsageError(f"{path} does not exist", hint="name a run folder such as results/<run_id>") from exc
    except (OSError, ValueError) as exc:
        why = exc.strerror if isinstance(exc, OSError) and exc.strerror else exc
        raise error(f"{path} cannot be read: {why}", hint=_HINTS.get(error, "")) from exc
    try:
        return decode(raw, schema)
    except ValueError as exc:
        raise error(f"{path} {exc}", hint=_HINTS.get(error, "")) from exc


def decode(raw: bytes, schema: Any) -> dict[str, Any]:
    """A JSON object. ValueError with the end of a sentence that begins with the file's name."""
    try:
        values = msgspec.json.decode(raw)
        if not isinstance(values, dict):
            raise ValueError("does not hold a JSON object")  # noqa: TRY004 - one kind of error for what does not fit
        version = values.get("schema_version")
        if isinstance(version, int) and not isinstance(version, bool) and version > VERSION:
            raise ValueError(f"has schema_version {version}, this version reads {VERSION}: update this tool")
        msgspec.convert(values, HealthEnd if schema is HealthTick and values.get("end") is True else schema)
    except msgspec.ValidationError as exc:
        raise ValueError(f"does not fit its schema: {exc}") from exc
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise ValueError(f"is no JSON: {exc}") from exc
    return values


def load_lines(path: Path, schema: Any, *, cut: bool) -> tuple[list[dict[str, Any]], str]:
    """Every line of a JSON Lines file, and what is wrong with the first bad one; no line at all when there is one.

    With `cut` (a killed run) the last line may be half written, and is left out.
    """
    try:
        raw = read_bytes(path)
    except FileNotFoundError:
        return [], "is missing"
    except (OSError, ValueError) as exc:
        return [], f"cannot be read: {exc.strerror if isinstance(exc, OSError) and exc.strerror else exc}"
    *lines, rest = raw.split(b"\n")
    if rest and not cut:
        return [], "is cut off in its last line"
    records = []
    for number, line in enumerate(lines, start=1):
        try:
            records.append(decode(line, schema))
        except ValueError as exc:
            return [], f"line {number} {exc}"
    return records, ""


def json_schema(name: str) -> dict[str, Any]:
    """The JSON Schema (2020-12) of one of `PUBLISHED`."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **msgspec.json.schema(PUBLISHED[name])}


def plan_fault(values: dict[str, Any]) -> str:
    """What no type can say of a plan: a rate beside stages, a stage without length, a name that is there twice."""
    stages = tuple(msgspec.convert(values["stages"], tuple[Stage, ...]))
    if any(not 0 < stage.duration_s <= 1e9 or min(stage.start_rate, stage.end_rate) < 0 for stage in stages):
        return "has a stage that cannot be"
    if stages and values["arrival_rate"] is not None:
        return "has both a rate and stages"
    names = [variant["name"] for variant in values["variants"]]
    return "has the same variant twice" if len(set(names)) < len(names) else ""
