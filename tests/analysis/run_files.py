"""Writing a run's files in the layout of `bench run`, for `synthetic`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from bench.endpoint import AuthMode
from bench.plan.run_plan import RunPlan
from bench.sample import COLUMNS
from bench.samples.sealed import SealedWriter

BATCH_ROWS = 5_000
WORD = pa.dictionary(pa.uint8(), pa.utf8())
SCHEMA = pa.schema([(name, WORD if kind == "word" else getattr(pa, kind)()) for name, kind in COLUMNS])


NOT_STREAMED: dict[str, Any] = {"first_token_ns": -1, "last_token_ns": -1, "tokens_from": "", "stands_for": 1}
"""Of columns that a made run may lack; others are 0."""


def health_lines(
    end_s: float,
    cpu: float,
    in_flight: int,
    backlog: int,
    stalls: tuple[Any, ...],
    *,
    ways: tuple[dict[str, Any], ...] = (),
    held_back: tuple[dict[str, Any], ...] = (),
) -> list[dict[str, Any]]:
    lines = []
    for second in range(1, int(end_s) + 1):
        here = [{"at_ns": int(t * 1e9), "ms": ms, "cause": "gc"} for t, ms in stalls if second - 1 <= t < second]
        lines.append(
            {
                "at_ns": second * 1_000_000_000,
                "cpu": cpu,
                "backlog": backlog,
                "in_flight": in_flight,
                "stall_max_ms": max((s["ms"] for s in here), default=0.2),
                "stalls": here,
                "gc_ms": 0.1,
                "overhead_ms": 0.05,
                "ways": list(ways),
                "held_back": list(held_back),
            }
        )
    return lines


def way(
    variant: str, *, to: str = "10.0.0.1:443", round_trip_ms: float | None, connections: int = 3, sent_again: int = 0
) -> dict[str, Any]:
    """What a health line says of the connections to one address."""
    counts = {"open": connections, "opened": 1, "sent_again": sent_again}
    return {"variant": variant, "to": to, "round_trip_ms": round_trip_ms, **counts}


def write_manifest(
    path: Path, plan: RunPlan, written: dict[str, int], *, flights: int, ended: dict[str, Any] | None
) -> None:
    """`written` is the number of samples of each worker, which only a run that ended knows; so with its flights."""
    manifest: dict[str, Any] = {
        "schema_version": 1,
        "run_id": path.name,
        "plan": plan.as_json(),
        "seed": plan.seed,
        "measure_from_ns": int(plan.warm_up_s * 1e9),
        "target": {"kind": "emulator"},
        "variants": {
            v.name: {
                "auth_mode": str(v.auth_mode),
                "endpoint": v.endpoint,
                "scoring_uri": "http://127.0.0.1:1/score",
                "request_bytes": 312 if v.auth_mode is AuthMode.KEY else 1312,
            }
            for v in plan.variants
        },
        "versions": {"python": "3.11.0", "locust": "2.47.0", "gevent": "26.4.0"},
        "host": {"cpus": 2, "cpu_model": "synthetic", "kernel": "6.0", "hostname": "nowhere"},
        "clock": {"monotonic_ns": 0, "wall_ns": 1_767_225_600_000_000_000, "pacer": "timerfd"},
        "workers": list(written),
    }
    if ended:
        manifest |= {"ended": ended, "samples": written, "flights": flights}
    (path / "samples").mkdir(parents=True)
    (path / "health").mkdir()
    (path / "manifest.json").write_text(json.dumps(manifest))


def write_samples(file: Path, worker: str, run_id: str, columns: dict[str, Any]) -> None:
    """One Arrow IPC stream; every batch replaces the dictionaries, as a recorder that starts afresh may do."""
    schema = SCHEMA.with_metadata({"worker": worker, "run_id": run_id})
    writer = SealedWriter(file, schema)
    for start in range(0, len(columns["done_ns"]), BATCH_ROWS):
        part = {name: values[start : start + BATCH_ROWS] for name, values in columns.items()}
        rows = len(part["done_ns"])
        whole = [_array(part.get(n, np.full(rows, NOT_STREAMED.get(n, 0))), kind) for n, kind in COLUMNS]
        writer.write(pa.record_batch(whole, schema=schema))
    writer.close()


def write_batches(file: Path, batches: list[Any]) -> None:
    """A stream of these batches, with the metadata of their schema."""
    writer = SealedWriter(file, batches[0].schema)
    for batch in batches:
        writer.write(batch)
    writer.close()


def _array(values: Any, kind: str) -> Any:
    if kind != "word":
        return pa.array(values.astype(kind))
    words, codes = np.unique(values.astype(str), return_inverse=True)
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.uint8)), pa.array(words.tolist(), pa.utf8()))


def write_jsonl(file: Path, records: list[dict[str, Any]]) -> None:
    file.write_text("".join(json.dumps(record) + "\n" for record in records))
