"""Logs as JSON lines, with the last of them in memory for the admin interface. Edge: writes one file each.

Two are kept: every control-plane request, and the emulator's own reason for every 401 and 403 of the data plane.
No line ever holds a header's value, a body or a secret.
"""

from __future__ import annotations

import json
from collections import deque
from pathlib import Path
from typing import Any

_IN_MEMORY = 100_000


class Journal:
    """One JSONL file. `add` with `at_once` writes through; otherwise `flush`, once a second, does."""

    def __init__(self, path: Path, *, at_once: bool) -> None:
        self.path = path
        self._file = path.open("w", encoding="utf-8")
        self._at_once = at_once
        self._last: deque[dict[str, Any]] = deque(maxlen=_IN_MEMORY)

    def add(self, record: dict[str, Any]) -> None:
        self._last.append(record)
        self._file.write(json.dumps(record, separators=(",", ":")) + "\n")
        if self._at_once:
            self._file.flush()

    def records(self) -> list[dict[str, Any]]:
        """The newest 100,000, oldest first."""
        return list(self._last)

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()
