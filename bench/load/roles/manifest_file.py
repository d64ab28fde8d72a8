"""`manifest.json` of a run that goes on: it gets its end also when the disk is full. Edge.

Room for the end is set aside when the run begins, as a file of real bytes. When the disk takes nothing more that file
makes room; when somebody else has taken the room, the end is written over the manifest's own bytes, which were made
long enough (JSON may end in blanks) and are held open.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_RESERVE_BYTES = 1 << 16
_END_BYTES = 1 << 12


class ManifestFile:
    """The manifest at `path`. `write` raises OSError; `finish` says whether it could."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reserve = path.with_name(f".{path.name}.reserve")
        self._partial = path.with_name(f".{path.name}.{os.getpid()}")
        self._held = -1
        """The manifest's own bytes, open: there may be no descriptor left for its end."""

    def write(self, value: Mapping[str, Any]) -> None:
        """Replace it in one step, with room for an end."""
        text = _text(value)
        self._replace(text + b" " * (_END_BYTES - 1) + b"\n")
        self._let_go()
        self._held = os.open(self._path, os.O_WRONLY | getattr(os, "O_CLOEXEC", 0))
        if not self._reserve.exists():
            _fill(self._reserve)

    def finish(self, value: Mapping[str, Any]) -> bool:
        """Its last version; gives back what was set aside."""
        text = _text(value)
        for write in (self._replace, self._replace_in_the_reserve, self._overwrite):
            try:
                write(text)
            except OSError:
                continue
            self.release()
            return True
        self.release()
        return False

    def release(self) -> None:
        """Give back what was set aside."""
        self._let_go()
        for path in (self._reserve, self._partial):
            with contextlib.suppress(OSError):
                path.unlink()

    def _let_go(self) -> None:
        held, self._held = self._held, -1
        if held >= 0:
            os.close(held)

    def _replace_in_the_reserve(self, text: bytes) -> None:
        with contextlib.suppress(OSError):
            self._reserve.unlink()
        self._replace(text)

    def _replace(self, text: bytes) -> None:
        try:
            with self._partial.open("wb") as file:
                file.write(text)
            self._partial.replace(self._path)
        except OSError:
            with contextlib.suppress(OSError):
                self._partial.unlink()
            raise

    def _overwrite(self, text: bytes) -> None:
        """Not in one step, but without asking the system for anything."""
        with contextlib.suppress(OSError):
            self._partial.unlink()
        length = os.fstat(self._held).st_size
        if os.pwrite(self._held, text.ljust(length), 0) < len(text):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _text(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()


def _fill(path: Path) -> None:
    """With bytes that no file system packs away."""
    try:
        path.write_bytes(os.urandom(_RESERVE_BYTES))
    except OSError:
        with contextlib.suppress(OSError):
            path.unlink()
