"""Writes an Arrow IPC stream whose batches are sealed. Edge: owns one file.

Arrow writes into memory; a batch is sealed there and handed to the file with one write. A batch that the disk does not
take whole is taken back, so that the file ends with the last whole one.
"""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path
from typing import Any

import pyarrow as pa

from bench.samples import seal

_BUFFER_BYTES = 1 << 18
_OPTIONS = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False, emit_dictionary_deltas=True)


class SealedWriter:
    """`write` is whole or an OSError; after one nothing may follow, for the words of a lost batch are lost with it."""

    def __init__(self, path: Path, schema: Any) -> None:
        self.schema = schema.with_metadata({**(schema.metadata or {}), "format": str(seal.FORMAT)})
        self._batches = 0
        self._file = _File(path)
        self._buffer = pa.BufferedOutputStream(pa.PythonFile(self._file, "w"), _BUFFER_BYTES)
        self._writer = pa.ipc.new_stream(self._buffer, self.schema, options=_OPTIONS)

    def write(self, batch: Any) -> None:
        """One record batch. OSError when the disk does not take it."""
        text = seal.blank(self._batches, batch.num_rows)
        self._writer.write_batch(batch, custom_metadata={seal.KEY: text})
        self._buffer.flush()
        self._file.put(sealed=True)
        self._batches += 1

    def close(self, *, whole: bool = True) -> None:
        """End the file; `whole` writes the mark of the stream's end."""
        with contextlib.suppress(OSError):
            if whole:
                self._writer.close()
                self._buffer.flush()
                self._file.put(sealed=False)
        with contextlib.suppress(OSError):
            self._file.close()


class _File:
    """Collects what Arrow writes, in as many pieces as it likes, until it is a whole batch."""

    closed = False

    def __init__(self, path: Path) -> None:
        self._raw = path.open("wb", buffering=0)
        self._frame = bytearray()
        self._size = 0

    def write(self, piece: bytes) -> None:
        self._frame += piece

    def flush(self) -> None:
        """Arrow calls this whenever it likes; `put` is what writes."""

    def put(self, *, sealed: bool) -> None:
        """Write what was collected. OSError when the disk does not take all of it; then it has none of it."""
        if sealed:
            seal.fill_in(self._frame)
        frame, self._frame = self._frame, bytearray()
        try:
            self._write_all(frame)
        except OSError:
            with contextlib.suppress(OSError):
                self._raw.truncate(self._size)
            raise
        self._size = self._raw.tell()

    def _write_all(self, frame: bytearray) -> None:
        while frame:
            taken = self._raw.write(frame)
            if not taken:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            del frame[:taken]

    def close(self) -> None:
        self._raw.close()
