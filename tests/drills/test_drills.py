"""Faults that really happen, and what they may cost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.drills.catalogue import DRILLS
from tests.e2e.command import bench


@pytest.mark.parametrize("name", ["key_primary_rotated", "aml_token_revoked", "arm_503", "agent_killed"])
def test_meets_its_goals(name: str, tmp_path: Path) -> None:
    """Nothing is lost beyond what was in flight, recovery is prompt, and every refusal has its right cause."""
    chosen = name if name in DRILLS else next(each for each in DRILLS if name in each)
    done = bench("drill", chosen, cwd=tmp_path)
    assert done.code == 0, done
    assert "met" in done.out


def test_list_and_unknown_name(tmp_path: Path) -> None:
    """`--list` has every drill with a line on it; an unknown name says what there is."""
    assert len(bench("drill", "--list", cwd=tmp_path).out.splitlines()) == len(DRILLS)
    unknown = bench("drill", "flood", cwd=tmp_path)
    assert unknown.code == 2
    assert "key_primary_rotated" in unknown.err


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_all_drills(tmp_path: Path) -> None:
    """The whole table: every drill meets its goals."""
    done = bench("drill", "--all", "--out", "tables", cwd=tmp_path, timeout_s=1700)
    found = json.loads((tmp_path / "tables" / "drills.json").read_text())["drills"]
    assert {name: each["missed"] for name, each in found.items() if each["missed"]} == {}, done
