"""Fetches in the run's own time, on whichever host they were made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.load.roles.flight_file import FlightFile, FlightTimes


def _fetch(started_ns: int) -> dict[str, Any]:
    return {"variant": "key", "started_ns": started_ns, "ended_ns": started_ns + 5, "longest_wait_ns": 3}


def test_times_count_from_this_host_s_zero() -> None:
    """Two hosts whose clocks are days apart mean the same moment; a fetch before the clock started is negative."""
    records: list[Any] = []
    for zero_ns in (1_000, 86_400_000_000_000):
        times = FlightTimes(records.append)
        times.add(_fetch(zero_ns - 100))
        assert len(records) % 2 == 0
        times.start(zero_ns)
        times.start(7)
        times.add(_fetch(zero_ns + 100))
    assert records[:2] == records[2:] == [{**_fetch(-100)}, {**_fetch(100)}]


def test_the_file_counts_what_it_takes(tmp_path: Path) -> None:
    """It is there before the first fetch, and never raises."""
    file = FlightFile(tmp_path / "flights.jsonl", run_id="mine")
    assert (tmp_path / "flights.jsonl").read_bytes() == b""
    file.write({**_fetch(1), "run_id": "a worker's word"})
    file.write({"variant": object()})
    file.close()
    assert (file.written, file.lost) == (1, 1)
    line = json.loads((tmp_path / "flights.jsonl").read_text())
    assert (line["started_ns"], line["run_id"]) == (1, "mine")
