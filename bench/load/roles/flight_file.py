"""`flights.jsonl`: one credential fetch a line, in the run's own time. Edge.

A fetch that ends before the clock starts (the first one) is held back until its zero is known; its times are negative.
Every process counts from its own zero, so that a worker on another host means the same moment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bench.line_file import LineFile

Record = Mapping[str, Any]


class FlightTimes:
    """Takes records with this host's monotonic times, and hands them to `sink` relative to the run's zero."""

    def __init__(self, sink: Callable[[Record], None]) -> None:
        self._sink = sink
        self._zero_ns: int | None = None
        self._early: list[Record] = []

    def add(self, record: Record) -> None:
        if self._zero_ns is None:
            self._early.append(record)
            return
        zero_ns = self._zero_ns
        self._sink({name: value - zero_ns if name.endswith("ed_ns") else value for name, value in record.items()})

    def start(self, zero_ns: int) -> None:
        """The zero is known; only the first one counts, so `start` with any time is also the end of waiting for it."""
        if self._zero_ns is None:
            self._zero_ns = zero_ns
            early, self._early = self._early, []
            for record in early:
                self.add(record)


class FlightFile:
    """The file of run `run_id`, as each line says. One without a line: nothing was fetched; none: it got lost.

    It never raises after it was opened: `lost` counts what the disk did not take, `written` what it did.
    """

    def __init__(self, path: Path, *, run_id: str) -> None:
        """Raises OSError."""
        self.written = 0
        self._run_id = run_id
        self._file = LineFile(path)

    @property
    def lost(self) -> int:
        return self._file.lost

    def write(self, record: Record) -> None:
        """A record in the run's own time."""
        self.written += self._file.write({**record, "run_id": self._run_id})

    def close(self) -> None:
        self._file.close()
