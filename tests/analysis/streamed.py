"""Runs of streamed answers, written to disk request by request as a worker writes them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.endpoint import AuthMode
from bench.plan.run_plan import RunPlan, Variant
from bench.sample import COLUMNS, NO_TIME
from bench.samples.chunks import ChunkRecorder
from tests.analysis.run_files import health_lines, write_jsonl, write_manifest, write_samples

MS = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request, due at `at_s` and sent `lag_ms` later. `first_ms`, from sending, is None where no token came;
    `gaps_ms` follow it; it ended `end_ms` after the last of them. `tokens` None: counted by events."""

    at_s: float
    first_ms: float | None = 50.0
    gaps_ms: Sequence[float] = ()
    end_ms: float = 1.0
    lag_ms: float = 0.0
    tokens: int | None = None
    outcome: str = "ok"
    cause: str = ""
    streamed: bool = True
    variant: str = "key"
    phase: str = "measure"
    request_class: str = ""
    late_cause: str = ""


def write_streamed(
    path: Path, requests: Sequence[Asked], *, duration_s: float = 60.0, goodput: tuple[str, ...] = ()
) -> Path:
    """The folder of a run of one worker, 60 s long and without a warm-up."""
    names = sorted({one.variant for one in requests})
    plan = RunPlan(
        target="emulator",
        variants=tuple(Variant(name=name, auth_mode=AuthMode(name), endpoint=f"ep-{name}") for name in names),
        arrival_rate=len(requests) / duration_s,
        duration_s=duration_s,
        warm_up_s=0.0,
        goodput=goodput,
    )
    ended = {"at_ns": int(duration_s * 1e9), "reason": "completed"}
    write_manifest(path, plan, {"w0": len(requests)}, flights=0, ended=ended)
    recorder = ChunkRecorder(path / "chunks" / "w0.arrows", metadata={"run_id": path.name, "worker": "w0"})
    rows: list[dict[str, Any]] = []
    for sequence, one in enumerate(requests, start=1):
        due = round(one.at_s * 1e9)
        sent = due + round(one.lag_ms * MS)
        times = [] if one.first_ms is None else [sent + round(one.first_ms * MS)]
        for gap in one.gaps_ms:
            times.append(times[-1] + round(gap * MS))
        if one.streamed:
            recorder.add(sequence, times)
        row: dict[str, Any] = {name: "" if kind == "word" else 0 for name, kind in COLUMNS}
        row |= {
            "intended_ns": due,
            "began_ns": sent,
            "sent_ns": sent,
            "sequence": sequence,
            "status": 200,
            "stands_for": 1,
        }
        done = (times[-1] if times else sent) + round(one.end_ms * MS)
        row |= {"server_time_ns": (done - sent) // 2 if one.outcome == "ok" else NO_TIME, "done_ns": done}
        row |= {"first_token_ns": times[0] if times else NO_TIME, "last_token_ns": times[-1] if times else NO_TIME}
        row |= {"outcome": one.outcome, "cause": one.cause, "variant": one.variant, "phase": one.phase}
        row |= {"request_class": one.request_class, "late_cause": one.late_cause}
        if one.streamed:
            row |= {"content_events": len(times), "output_tokens": len(times) if one.tokens is None else one.tokens}
            row["tokens_from"] = "events" if one.tokens is None else "usage"
        rows.append(row)
    recorder.close()
    columns = {
        name: np.array([row[name] for row in rows], object if kind == "word" else np.int64) for name, kind in COLUMNS
    }
    write_samples(path / "samples" / "w0.arrows", "w0", path.name, columns)
    last = {"end": True, "written": len(rows), "recorded": len(rows), "due": len(rows), "unwritten": 0}
    write_jsonl(
        path / "health" / "w0.jsonl",
        [*health_lines(duration_s, 0.2, 3, 0, ()), last | {"dropped_arrivals": 0, "gaps_written": recorder.written}],
    )
    write_jsonl(path / "flights.jsonl", [])
    manifest = json.loads((path / "manifest.json").read_text())
    (path / "manifest.json").write_text(json.dumps(manifest | {"chunks": {"w0": recorder.written}}))
    return path
