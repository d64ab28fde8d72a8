"""stdout and stderr that never decide how a command ends. Edge: owns the file descriptors 0, 1 and 2.

A gate's exit code must be the same whether somebody reads its lines, closed the pipe (`bench gate ... | true`), has no
room for them (`> /dev/full`) or gave no stdout at all (`>&-`).
"""

from __future__ import annotations

import io
import os
import sys
from typing import Any, TextIO


class _Tolerant(io.FileIO):
    """A file descriptor that takes everything, also when nobody is left to take it from there."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data) or 0
        except OSError:
            return memoryview(data).nbytes


def tolerate() -> None:
    """Open what is closed of 0, 1 and 2 (else the next file would get that number), and let no write to 1 or 2 fail."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    sys.stdout = _stream(1, sys.stdout)
    sys.stderr = _stream(2, sys.stderr)


def _stream(number: int, before: TextIO | None) -> TextIO:
    """Text on `number` as Python would have it; a character that its encoding lacks is escaped."""
    raw = _Tolerant(number, "w", closefd=False)
    encoding = before.encoding if before is not None else "utf-8"
    lines = number == 2 or raw.isatty()
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding=encoding, errors="backslashreplace", line_buffering=lines)
