"""The client's own wall clock is wrong, or steps; the drills shift the emulator's instead, which has to be the same."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import pytest

from bench.drills.catalogue import DRILLS
from bench.drills.runner import carry_out
from bench.runreader import load_manifest
from tests.e2e.command import LOCUSTFILES

SITECUSTOMIZE = """
import sys, time
if {"bench.load", "bench.credentials.agent"} & set(sys.orig_argv):
    true, true_ns, steps_at = time.time, time.time_ns, time.monotonic() + AFTER_S
    def off():
        return BY_S if time.monotonic() >= steps_at else 0
    time.time = lambda: true() + off()
    time.time_ns = lambda: true_ns() + off() * 1_000_000_000
"""
"""Whatever Python code asks for the time gets a wrong one, in Locust and in the agent, and nowhere else."""


@pytest.mark.soak
@pytest.mark.parametrize("by_s", [-600, 600])
@pytest.mark.parametrize("after_s", [0, 6])
def test_costs_nothing(by_s: int, after_s: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens of five seconds are renewed in time and none is refused; the step comes in mid-run."""
    (tmp_path / "sitecustomize.py").write_text(
        SITECUSTOMIZE.replace("AFTER_S", str(after_s)).replace("BY_S", str(by_s))
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    drill = dataclasses.replace(DRILLS["clock_10_min_fast"], faults=(), duration_s=9.0, ends_s=9.0)
    done = carry_out(drill, locustfile=LOCUSTFILES / "aml_token.py", out=tmp_path / "runs")
    if not after_s:
        wall_s = load_manifest(done.folder)["clock"]["wall_ns"] / 1e9
        assert wall_s - time.time() == pytest.approx(by_s, abs=60), "the clock was right"
    assert done.missed == (), done.findings
    assert done.findings.by_cause == {}
    assert 3 <= done.findings.fetches <= 5
