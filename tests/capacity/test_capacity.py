"""`bench capacity` on an emulator whose capacity is known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.command import bench


def _capacity(tmp_path: Path, *, precision: str, probe: str, timeout_s: float) -> float:
    """The answer for two instances that each take one request in 20 ms, which together take 100/s."""
    done = bench(
        *("capacity", "--emulator", "--slo", "response_time.p50 < 35ms", "--first", "90", "--probe", probe),
        *("--precision", precision),
        "--emulator-options=--instances 2 --max-concurrent-requests 1 --service-base 20ms --service-exponential 0ms",
        cwd=tmp_path,
        timeout_s=timeout_s,
    )
    assert done.code == 0, done
    assert "capacity: " in done.out
    assert next(tmp_path.glob("results/*-capacity/capacity.png")).stat().st_size > 10_000
    found = json.loads(next(tmp_path.glob("results/*-capacity/capacity.json")).read_text())
    return float(found["capacity"])


@pytest.mark.quiet
@pytest.mark.timeout(600)
def test_is_within_5_percent_of_the_known_capacity(tmp_path: Path) -> None:
    """A fine search finds 100/s to within 5 %."""
    assert 95 <= _capacity(tmp_path, precision="0.03", probe="5s", timeout_s=500) <= 105


@pytest.mark.slow
def test_a_search_ends_at_its_limit_and_leaves_its_files(tmp_path: Path) -> None:
    """A target that takes any rate: the limit is the answer and is named, with a table and a plot."""
    done = bench(
        *("capacity", "--emulator", "--slo", "error_rate <= 50%", "--first", "100", "--limit", "100", "--probe", "1s"),
        cwd=tmp_path,
    )
    folder = next(tmp_path.glob("results/*-capacity"))
    found = json.loads((folder / "capacity.json").read_text())
    assert done.code == (0 if found["capacity"] else 4), done  # on a busy machine a probe may fail, and says so
    assert {probe["rate"] for probe in found["probes"]} <= {100.0, 50.0, 25.0, 12.5, 6.25, 3.125, 1.5625}
    if found["capacity"] == 100:
        assert "100/s is the highest rate that the search was to try" in done.out
    assert (folder / "capacity.png").read_bytes().startswith(b"\x89PNG")
    assert "| rate /s | holds |" in (folder / "capacity.md").read_text()


def test_an_objective_is_needed(tmp_path: Path) -> None:
    """Without --slo there is nothing to hold."""
    done = bench("capacity", "--emulator", cwd=tmp_path)
    assert done.code == 2
    assert "--slo" in done.err
