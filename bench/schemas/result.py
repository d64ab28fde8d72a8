"""What `--json` says of a run. Pure."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from bench.schemas.figures import AuthFailures, Trust
from bench.schemas.gates import GateEntry
from bench.schemas.values import Count, Figure, Name, Version


class VariantResult(Struct, frozen=True, kw_only=True):
    """The figures that a script asks for first; `summary.json` in the run's folder has all."""

    auth_mode: str
    requests: Count
    throughput: Figure
    error_rate: Figure
    outcomes: dict[str, Count]
    auth_failures: AuthFailures
    response_time_ms: dict[str, Figure]
    service_time_ms: dict[str, Figure]


class Result(Struct, frozen=True, kw_only=True):
    """The object of `run`, `compare`, `gate` with --json. With an `error`, one line, the rest may be missing: nothing
    was measured."""

    schema_version: Version
    exit_code: int
    error: str
    run_id: Name | None = None
    folder: str = ""
    report: str = ""
    ending: str = ""
    trust: Trust | None = None
    variants: dict[str, VariantResult] = {}
    comparisons: list[dict[str, Any]] = []
    gates: list[GateEntry] = []
