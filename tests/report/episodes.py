"""A run as one would meet it: key against aml_token with refreshes, a server stall, a burst of 401s, a hub stall.

`tests.analysis.synthetic` writes steady runs; this rewrites one so that something happens in it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from tests.analysis.run_files import write_batches
from tests.analysis.synthetic import Side, write_run

STALL_AT_S, STALL_S = 21.0, 0.4
BURST_AT_S, BURST_S = 41.0, 1.5


def write_eventful_run(path: Path, *, rate: float = 500.0, duration_s: float = 60.0, seed: int = 1) -> Path:
    """Write `path` and return it: a 0.4 s server stall at 21 s, a 1.5 s burst of 401s for aml_token at 41 s."""
    sides = (
        Side("key", deployments=("blue", "green")),
        Side(
            "aml_token",
            shift_ms=0.6,
            refresh_every_s=8.0,
            refresh_failures=1,
            tail=(0.002, 6.0),
            deployments=("blue", "green"),
        ),
    )
    write_run(path, sides=sides, rate=rate, duration_s=duration_s, seed=seed, noise_ms=0.4, stalls=((30.2, 14.0),))
    file = path / "samples" / "w0.arrows"
    with pa.OSFile(str(file)) as source, pa.ipc.open_stream(source) as stream:
        batches = [_disturb(batch) for batch in stream]
    write_batches(file, batches)
    return path


def _disturb(batch: pa.RecordBatch) -> pa.RecordBatch:
    columns = {name: batch.column(name) for name in batch.schema.names}
    intended_s = columns["intended_ns"].to_numpy() / 1e9
    held_ns = np.where(
        (intended_s >= STALL_AT_S) & (intended_s < STALL_AT_S + STALL_S), (STALL_AT_S + STALL_S - intended_s) * 1e9, 0
    ).astype(np.int64)
    for name in ("first_byte_ns", "done_ns"):
        columns[name] = pa.array(columns[name].to_numpy() + held_ns)
    token = np.array(columns["variant"].to_pylist()) == "aml_token"
    burst = token & (intended_s >= BURST_AT_S) & (intended_s < BURST_AT_S + BURST_S)
    burst &= np.random.default_rng(7).random(len(burst)) < np.clip((intended_s - BURST_AT_S) * 2, 0, 0.8)
    expired = intended_s < BURST_AT_S + 0.8
    columns["status"] = pa.array(np.where(burst, 401, columns["status"].to_numpy()).astype(np.uint16))
    columns["outcome"] = _words(np.where(burst, "auth_failure", columns["outcome"].to_pylist()))
    columns["cause"] = _words(np.where(burst, np.where(expired, "expired", "refused"), columns["cause"].to_pylist()))
    return pa.record_batch([columns[name] for name in batch.schema.names], schema=batch.schema)


def _words(values: object) -> pa.Array:
    words, codes = np.unique(np.asarray(values).astype(str), return_inverse=True)
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.uint8)), pa.array(words.tolist(), pa.utf8()))
