"""A worker whose process stood still while it was given up: it asks, is dismissed, and sends nothing twice."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tests.chaos.processes import MARK, of_run
from tests.e2e.command import clean_environment
from tests.load.roles.processes import await_that, run_folder

RATE, SECONDS = 100, 12
TRUTH = np.dtype([("id", "S40"), ("received_ns", "<i8"), ("answered_ns", "<i8"), ("service_ns", "<i8")])


def _intended(run: Path) -> list[int]:
    """When each arrival in the samples was due."""
    files = (pa.ipc.open_stream(path.read_bytes()).read_all() for path in run.glob("samples/*.arrows"))
    return [due for table in files for due in table.column("intended_ns").to_pylist()]


@pytest.mark.slow
def test_what_others_have_taken_over_is_not_sent_again(tmp_path: Path) -> None:
    """SIGSTOP until the master gives it up, then SIGCONT: each arrival is in the samples once, or counted as lost.

    The emulator has seen as many requests as there are samples.
    """
    mark, truth = secrets.token_hex(8), tmp_path / "truth"
    words = ["--emulator", "--emulator-options", f"--truth {truth}", "--processes", "2", "--warm-up", "0s"]
    words += ["--arrival-rate", str(RATE), "--duration", f"{SECONDS}s"]
    bench = subprocess.Popen(
        [sys.executable, "-m", "bench", "run", *words],
        cwd=tmp_path,
        env=clean_environment(**{MARK: mark}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert bench.stdout is not None
    try:
        await_that(lambda: [path.stat().st_size for path in tmp_path.glob("results/*/health/w1.jsonl")] > [0])
        worker = next(each for each in of_run(mark) if each.role == "worker")
        os.kill(worker.pid, signal.SIGSTOP)
        said = next(line for line in bench.stdout if "was lost" in line or "error" in line)
        os.kill(worker.pid, signal.SIGCONT)
        rest = bench.communicate(timeout=300)[0]
    finally:
        bench.kill()
        bench.communicate()
    run = run_folder(tmp_path)
    manifest = json.loads((run / "manifest.json").read_text())
    (loss,) = manifest["lost"]
    assert "it fell silent; the others take over" in said
    assert loss["why"] == "it fell silent, and woke later", rest
    assert loss["taken_over"]
    due = _intended(run)
    assert len(set(due)) == len(due), "an arrival was sent twice"
    assert len(due) + manifest["lost_samples"] == RATE * SECONDS
    seen = np.fromfile(truth, dtype=TRUTH, offset=TRUTH.itemsize)
    assert len(seen) == len(set(seen["id"])) == len(due)
