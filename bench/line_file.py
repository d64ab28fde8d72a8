"""A file of JSON lines, such as a sender's health: whole lines, and no exception ever. Edge: owns one open file.

It is opened before the first request and stays open, so that a process that runs out of descriptors can still
say so. What cannot be written is counted, and a line that was cut off is taken back: the next one must not be glued to
it, nor to one that a killed process left behind.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class LineFile:
    """Appends to `path`; `lost` counts the lines that the disk did not take, `why` is the last reason.

    `number` is that reason's errno; 0 where it was no error of the system.
    """

    def __init__(self, path: Path) -> None:
        """Raises OSError when there can be no such file."""
        self.lost = 0
        self.why = ""
        self.number = 0
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0), 0o644)
        self._whole = os.fstat(self._fd).st_size
        self._begin = b"\n" if self._whole and os.pread(self._fd, 1, self._whole - 1) != b"\n" else b""

    def write(self, record: Mapping[str, Any]) -> bool:
        """Add a line. False when it is lost."""
        try:
            fields = {**record, "lost_lines": self.lost} if self.lost else record
            line = self._begin + (json.dumps(fields, separators=(",", ":")) + "\n").encode()
            written = os.write(self._fd, line)
        except (OSError, ValueError, TypeError) as exc:
            written, line, self.why = 0, b"?", getattr(exc, "strerror", None) or str(exc)
            self.number = getattr(exc, "errno", None) or 0
        if written == len(line):
            self._whole += written
            self._begin = b""
            return True
        self.lost += 1
        if not self.why:
            self.why, self.number = os.strerror(errno.ENOSPC), errno.ENOSPC
        try:
            os.ftruncate(self._fd, self._whole)
        except OSError as exc:
            self.why = exc.strerror or str(exc)
        return False

    def close(self) -> None:
        """Safe to call twice."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
