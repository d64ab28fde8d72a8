"""Rates that change over time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tests.e2e.command import bench


@pytest.mark.slow
def test_ramp_step_and_spike(tmp_path: Path) -> None:
    """Stages send what the integral of the rate says, each in its own stretch of time."""
    done = bench(
        *("run", "--emulator", "--emulator-options=--service-zero", "--warm-up", "0s"),
        *("--stages", "1s@50, 1s@50..150, 500ms@400, 1s@20"),
        cwd=tmp_path,
    )
    assert done.code in {0, 4}, done
    table = pa.ipc.open_stream(tmp_path / done.run / "samples" / "w0.arrows").read_all()
    due_s = table["intended_ns"].to_numpy() / 1e9
    counts = [int(((due_s >= low) & (due_s < high)).sum()) for low, high in ((0, 1), (1, 2), (2, 2.5), (2.5, 3.5))]
    assert np.abs(np.array(counts) - [50, 100, 200, 20]).max() <= 1
    assert abs(sum(counts) - 370) <= 1
    summary = done.summary_at(tmp_path)
    assert abs(summary["trust"]["asked_rate"] - 370 / 3.5) < 0.5
