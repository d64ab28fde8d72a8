"""`bench calibrate` end to end, in a short form."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.command import bench


@pytest.mark.slow
def test_the_harness_against_known_times(tmp_path: Path) -> None:
    """Every measured request is found in the truth, and the table says what it was measured on."""
    done = bench("calibrate", "--rates", "200", "--seconds", "2", "--out", "tables", cwd=tmp_path)
    assert done.code == 0, done
    found = json.loads((tmp_path / "tables" / "rates.json").read_text())
    row = found["rows"][0]
    assert 300 < row["requests"] < 500
    assert row["refreshes"] >= 1
    assert row["service error p50 ms"] > 0  # the loopback is not free
    assert row["true response p50 ms"] > 10
    assert found["machine"]["cpus"] >= 1
    assert "| 200/s |" in (tmp_path / "tables" / "rates.md").read_text()
