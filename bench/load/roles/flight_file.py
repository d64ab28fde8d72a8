"""`flights.jsonl`: one credential fetch a line, in the run's own time. Edge.

Fetches that end before the clock starts (the first ones) are held back until its zero is known; theirs
are negative times.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.rundir import append_jsonl


class FlightWriter:
    """Takes records with absolute monotonic times, writes them relative to the run's zero."""

    def __init__(self) -> None:
        self.written = 0
        self._path: Path | None = None
        self._zero_ns: int | None = None
        self._early: list[dict[str, Any]] = []

    def open(self, path: Path) -> None:
        """The file is there from now on: one without a line says that nothing was fetched, none that it got lost."""
        self._path, self._zero_ns, self._early = path, None, []
        self.written = 0
        path.touch()

    def add(self, record: Mapping[str, Any]) -> None:
        if self._path is None:
            return
        if self._zero_ns is None:
            self._early.append(dict(record))
            return
        shifted = {name: value - self._zero_ns if name.endswith("ed_ns") else value for name, value in record.items()}
        append_jsonl(self._path, [shifted])
        self.written += 1

    def start(self, zero_ns: int) -> None:
        """The zero is known."""
        self._zero_ns = zero_ns
        early, self._early = self._early, []
        for record in early:
            self.add(record)

    def close(self, zero_ns: int) -> None:
        """Write what is left, against `zero_ns` if the clock never started."""
        if self._zero_ns is None:
            self.start(zero_ns)
        self._path = None
