"""Sixty runs of load over time, of a model that gets 5 % slower, and later another 12 %: both are found, none else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bench.calibration.histories import PLANTED
from bench.credentials import Grant, PlainAgent
from bench.endpoint import AuthMode
from bench.history import ledger
from bench.history.change_points import ChangePoint
from bench.history.watch import Series, watch
from tests.credentials.emulated import Emulator
from tests.e2e.command import bench

pytestmark = [pytest.mark.soak, pytest.mark.quiet, pytest.mark.timeout(7200)]

RUNS = 60
MOST_TRIES = 30
BASE_MS = 50.0
LOAD = ("--arrival-rate", "50", "--duration", "2s", "--warm-up", "500ms")
NEAR = 2
"""Runs beside the planted one; a shift reported there is named by a neighbour's commit."""


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    running = Emulator()
    yield running
    running.stop()


def test_two_planted_changes_are_found_and_named_and_none_else(emulator: Emulator, tmp_path: Path) -> None:
    """By both medians that are watched; the p99 of 100 requests may miss one, and no other place is reported."""
    with closing(PlainAgent(emulator.workspace, env=emulator.env)) as agent:
        granted = agent.fetch(emulator.endpoint(AuthMode.KEY), AuthMode.KEY)
    assert isinstance(granted, Grant)
    changes = {0: BASE_MS, **dict(PLANTED)}
    model_ms = 1.0
    for number in range(RUNS):
        if number in changes:
            model_ms *= changes[number]
            emulator.calm()
            emulator.fault(do="model", answer="slow", delay=f"{model_ms:.3f}ms")
        _believed_run(emulator, granted.secrets[0], number, tmp_path)
    runs, problems = ledger.read(tmp_path / "perf")
    watched = watch(runs)
    assert problems == ()
    assert len(watched.runs) == RUNS
    printed = bench("history", "changes", "--history", "perf", cwd=tmp_path).out
    for series in watched.series:
        expected = {first: factor - 1 for first, factor in PLANTED if series.metric != "error_rate"}
        found = {_planted_at(shift): shift for shift in series.shifts}
        assert found.keys() <= expected.keys(), printed
        if series.metric.endswith("p50"):
            assert found.keys() == expected.keys(), printed
            assert [found[first].change for first in expected] == pytest.approx(list(expected.values()), abs=0.02), (
                printed
            )
        assert len(found) == len(series.shifts), printed
        assert all(_commit(series, shift) in printed for shift in series.shifts), printed


def _believed_run(emulator: Emulator, key: str, number: int, folder: Path) -> None:
    """One run more in the history that can be believed: a busy machine's are INVALID, are kept, and do not count."""
    uri = emulator.facts["scoring_uri"]["key"]
    for _ in range(MOST_TRIES):
        done = bench(
            *("run", "--scoring-uri", uri, *LOAD, "--history", "perf"),
            cwd=folder,
            BENCH_KEY=key,
            GITHUB_SHA=f"{number:03d}".ljust(40, "0"),
        )
        if done.summary_at(folder)["trust"]["verdict"] != "INVALID":
            return
    raise AssertionError(f"run {number}: {MOST_TRIES} times INVALID: {json.dumps(done.out[-400:])}")


def _commit(series: Series, shift: ChangePoint) -> str:
    return f"commit {series.entries[shift.index].commit[:12]}"


def _planted_at(shift: ChangePoint) -> int:
    """The run of the planted change that the shift is near; the shift's own where there is none."""
    return next((first for first, _ in PLANTED if abs(shift.index - first) <= NEAR), shift.index)
