"""The results of gates as part of a run: `gates.json` in its folder. Edge: reads and writes that file.

A run that is judged again has the new results only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from bench import schemas
from bench.errors import RunInvalid
from bench.gates.result import GateResult, show, show_interval
from bench.rundir import RunDir, write_json

SCHEMA_VERSION = 1


def keep(folder: RunDir, results: Sequence[GateResult], *, run_id: str, baseline: str) -> None:
    """Write them down. OSError when that cannot be."""
    entries = [entry_of(result) for result in results]
    write_json(
        folder.gates,
        {"schema_version": SCHEMA_VERSION, "run_id": run_id, "baseline": baseline, "results": entries},
    )


def kept(folder: RunDir, *, run_id: str) -> list[dict[str, Any]]:
    """What the run was judged by last; nothing where it never was. RunInvalid when it is damaged or another's."""
    if not folder.gates.exists():
        return []
    values = schemas.load(folder.gates, schemas.Gates)
    if values["run_id"] != run_id:
        raise RunInvalid(f"{folder.gates} is of run {values['run_id']}", hint="judge this run again with `bench gate`")
    entries: list[dict[str, Any]] = values["results"]
    return entries


def shown(result: GateResult) -> Mapping[str, str]:
    """The numbers of a result as the report prints them: `measured`, `interval`, `threshold`."""
    kind = result.gate.metric.kind
    return {
        "measured": result.shown or "no data",
        "interval": show_interval(kind, result.interval) if result.interval else "",
        "threshold": show(kind, result.threshold) if result.threshold is not None else "",
    }


def entry_of(result: GateResult) -> dict[str, Any]:
    """One gate's result as plain values."""
    return {
        "gate": str(result.gate),
        "name": result.gate.name,
        "variant": result.variant,
        "verdict": str(result.verdict),
        "sentence": result.sentence,
        "measured": _finite(result.measured),
        "above": _finite(result.above),
        "interval": [_finite(end) for end in result.interval] if result.interval else None,
        "threshold": _finite(result.threshold),
        "needed_requests": result.needed_requests,
        "shown": dict(shown(result)),
    }


def _finite(value: float | None) -> float | None:
    """JSON knows no infinity: an end that nobody knows is null."""
    return value if value is not None and math.isfinite(value) else None
