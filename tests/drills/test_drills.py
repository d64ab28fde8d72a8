"""Faults that really happen, and what they may cost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.drills.catalogue import DRILLS, find
from bench.drills.runner import carry_out
from tests.e2e.command import LOCUSTFILES, bench


@pytest.mark.parametrize("name", ["key_primary_rotated", "arm_503"])
def test_costs_nothing_beyond_what_was_in_flight(name: str, tmp_path: Path) -> None:
    """Every arrival has a sample, nothing is lost, one fetch at a time, every refusal with its right cause.

    How soon it is over is measured by `bench drill`, on a machine that does nothing else.
    """
    chosen = name if name in DRILLS else next(each for each in DRILLS if name in each)
    drill = find(chosen)
    done = carry_out(drill, locustfile=LOCUSTFILES / f"{drill.auth_mode}.py", out=tmp_path)
    found = done.findings
    assert found.arrivals > 1000
    assert found.missing == 0
    assert found.lost == found.lost_in_flight, done
    assert (found.overlapping_fetches, found.unexplained_calls) == (0, 0), done
    assert found.classified == found.refused, done.findings.misjudged
    assert found.fetches >= 1


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
