"""The types that are published in docs/schemas, as JSON Schema. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from bench.failure_sample import FailureSample
from bench.schemas.figures import Baseline, RunSet, SetSummary, Summary
from bench.schemas.gates import Gates
from bench.schemas.history import HistoryEntry
from bench.schemas.result import Result
from bench.schemas.run_files import Flight, HealthEnd, HealthTick, Manifest
from bench.schemas.settings import Settings, WorkspaceConfig

PUBLISHED: dict[str, Any] = {
    "manifest": Manifest,
    "summary": Summary,
    "set": RunSet,
    "set-summary": SetSummary,
    "failure": FailureSample,
    "flight": Flight,
    "health": HealthTick,
    "health-end": HealthEnd,
    "gates": Gates,
    "baseline": Baseline,
    "result": Result,
    "history-entry": HistoryEntry,
    "settings": Settings,
    "workspace-config": WorkspaceConfig,
}
"""By the name of the file in docs/schemas."""


def json_schema(name: str) -> dict[str, Any]:
    """The JSON Schema (2020-12) of one of `PUBLISHED`."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **msgspec.json.schema(PUBLISHED[name])}
