"""`manifest.json` of a run that goes on: it gets its end also when the disk is full. Edge.

Room for the end is set aside when the run begins, as a file of real bytes. When the disk takes nothing more that file
makes room; when somebody else has taken the room, the end is written over the manifest's own bytes, which were made
long enough (JSON may end in blanks).
"""

from __future__ import annotations

import contextlib
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

    def write(self, value: Mapping[str, Any]) -> None:
        """Replace it in one step, with room for an end."""
        text = _text(value)
        self._replace(text + b" " * (_END_BYTES - 1) + b"\n")
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
        for path in (self._reserve, self._partial):
            with contextlib.suppress(OSError):
                path.unlink()

    def _replace_in_the_reserve(self, text: bytes) -> None:
        self.release()
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
        """Not in one step, but without asking the disk for anything."""
        with self._path.open("r+b") as file:
            length = file.seek(0, os.SEEK_END)
            file.seek(0)
            file.write(text.ljust(length))


def _text(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()


def _fill(path: Path) -> None:
    """With bytes that no file system packs away."""
    try:
        path.write_bytes(os.urandom(_RESERVE_BYTES))
    except OSError:
        with contextlib.suppress(OSError):
            path.unlink()
