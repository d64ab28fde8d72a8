"""CPU a request is that of the steady part of a run."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest

from bench.calibration.bench_run import cpu_us_per_request
from bench.runreader import load_run
from tests.analysis.synthetic import write_run


def _ticks(*seconds: tuple[float, float, int]) -> tuple[dict[str, Any], ...]:
    return tuple({"at_ns": round(at_s * 1e9), "cpu": cpu, "requests": n} for at_s, cpu, n in seconds)


def test_neither_the_start_nor_the_end_counts(tmp_path: Path) -> None:
    """Two workers: only whole intervals within the measured part are added up."""
    run = load_run(write_run(tmp_path / "20260101-000000-000-beef"))
    begin_s, end_s = (at_ns / 1e9 for at_ns in run.window_ns)
    first = _ticks((begin_s - 1, 0.9, 5), (begin_s + 1, 0.9, 100), (begin_s + 2, 0.2, 1100), (end_s + 1, 1.0, 1101))
    second = _ticks((begin_s, 0.9, 0), (begin_s + 1, 0.4, 1000))
    known = dataclasses.replace(run, health={"w0": first, "w1": (*second, {"end": True})})
    assert cpu_us_per_request(known) == pytest.approx((0.2 + 0.4) / 2000 * 1e6)


def test_too_short_a_run_cannot_tell(tmp_path: Path) -> None:
    """Without two records in the measured part there is no figure."""
    run = load_run(write_run(tmp_path / "20260101-000000-000-beef"))
    assert math.isnan(cpu_us_per_request(dataclasses.replace(run, health={"w0": ()})))
