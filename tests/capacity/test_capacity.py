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


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_is_within_5_percent_of_the_known_capacity(tmp_path: Path) -> None:
    """A fine search finds 100/s to within 5 %."""
    assert 95 <= _capacity(tmp_path, precision="0.03", probe="5s", timeout_s=500) <= 105


def test_an_objective_is_needed(tmp_path: Path) -> None:
    """Without --slo there is nothing to hold."""
    done = bench("capacity", "--emulator", cwd=tmp_path)
    assert done.code == 2
    assert "--slo" in done.err
