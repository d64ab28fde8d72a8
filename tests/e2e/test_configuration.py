"""One settings file for `bench` and for Locust, and a result that a script can read."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.e2e.command import LOCUSTFILES, UNDRAWN, bench, start_and_wait

FILE = """
[run]
endpoint = "nobody"
users = 3
duration = "9s"
warm-up = 0
arrival-rate = 20
[profiles.smoke]
emulator = true
duration = "1s"
gates = ["requests >= 1"]
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "bench.toml").write_text(FILE)
    return tmp_path


def plan_in(folder: Path) -> tuple[int, float, float]:
    plan = json.loads((folder / "manifest.json").read_text())["plan"]
    return plan["users"], plan["duration_s"], plan["arrival_rate"]


def test_bench(place: Path) -> None:
    """Standard output is one object, whose exit code is the process's."""
    done = bench("run", "--profile", "smoke", "--json", cwd=place, BENCH_USERS="4", **UNDRAWN)
    answer = json.loads(done.out)
    assert done.code == answer["exit_code"]
    assert plan_in(place / answer["folder"]) == (4, 1.0, 20.0)
    assert [gate["gate"] for gate in answer["gates"]] == ["requests >= 1"]


def test_locust(place: Path) -> None:
    """Its own command line comes first."""
    command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILES / "key.py"), "--headless"]
    done = start_and_wait([*command, "--profile", "smoke", "--arrival-rate", "30"], cwd=place, **UNDRAWN)
    (manifest,) = place.glob("results/*/manifest.json")
    assert plan_in(manifest.parent) == (3, 1.0, 30.0), done
