"""Whatever happens to a run, it ends in time and in the right words. `make chaos`; CHAOS_RUNS and CHAOS_SEED."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from bench.line_file import LineFile
from tests.chaos.chaotic_run import carry_out
from tests.chaos.faults import KINDS, Fault
from tests.chaos.table import main, row_of

RUNS = int(os.environ.get("CHAOS_RUNS", "20"))
FIRST = int(os.environ.get("CHAOS_SEED", "1"))


@pytest.mark.chaos
@pytest.mark.timeout(400)
@pytest.mark.skipif(sys.platform != "linux", reason="finds the processes in /proc")
@pytest.mark.parametrize("seed", range(FIRST, FIRST + RUNS))
def test_a_run_with_a_fault_ends_well(seed: int, tmp_path: Path) -> None:
    """In time, with a documented code, no orphan, no traceback, its samples readable, and not green when it is not."""
    outcome = carry_out(Fault.drawn(seed), tmp_path)
    if log := os.environ.get("CHAOS_LOG"):
        LineFile(Path(log)).write(outcome.as_json())
    assert outcome.broken == (), f"{outcome.as_json()}\n{outcome.said}"


def test_a_seed_is_a_fault() -> None:
    """The same one every time, and all kinds are drawn."""
    assert Fault.drawn(7) == Fault.drawn(7)
    drawn = [Fault.drawn(seed) for seed in range(200)]
    assert {fault.kind for fault in drawn} == set(KINDS)
    assert not [fault for fault in drawn if (fault.kind, fault.role) == ("stop for good", "bench")]


def test_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One row a kind; what was broken is listed by its seed."""
    run = {"seed": 3, "fault": "kill", "done": "agent", "code": 0, "took_s": 5.0, "gone_s": 0.1, "broken": []}
    log = LineFile(tmp_path / "log")
    assert log.write(run)
    assert log.write({**run, "seed": 4, "code": -1, "broken": ["did not end"]})
    main(tmp_path / "log", tmp_path)
    assert "- seed 4 (kill: agent): did not end" in (tmp_path / "chaos.md").read_text()
    assert row_of("kill", [run])["exit codes"] == "1 x 0"
    assert '"broken": 1' in capsys.readouterr().out
