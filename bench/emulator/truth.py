"""The emulator's true times, one record a request that reached the model. Edge: writes one file.

Of streamed answers a second file, FILE.streams, has every token (header b"BENCHSTREAM1"). A stream is 56 bytes and its
tokens behind them:

    0  40s  x-ms-client-request-id    40 i64  received_ns    48 i64  number of tokens
    56 + 16n  i64 when token n was due, i64 when it was handed to the kernel

A later `bench calibrate` holds a client's own times against these. Layout, little-endian, 64 bytes each:

    offset 0          header: b"BENCHTRUTH1", padded with NUL to 64 bytes
    offset 64 + 64n   0  40s  x-ms-client-request-id, padded with NUL (all NUL: none was sent)
                      40 i64  received_ns: CLOCK_MONOTONIC when the request's last bytes were read
                      48 i64  answered_ns: CLOCK_MONOTONIC just before its answer was handed to the kernel
                      56 i64  service_ns: the planned service time

`numpy.fromfile(path, dtype=[("id", "S40"), ("received_ns", "<i8"), ("answered_ns", "<i8"), ("service_ns", "<i8")],
offset=64)` reads it. Arrow would cost a stall of milliseconds a second to write; this is one `struct.pack`.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

MAGIC = b"BENCHTRUTH1"
RECORD = struct.Struct("<40sqqq")
STREAM_MAGIC = b"BENCHSTREAM1"
STREAM = struct.Struct("<40sqq")


class TruthFile:
    """Collects records in memory; `flush` hands them to the system. OSError when the file cannot be made."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb", buffering=0)
        self._file.write(MAGIC.ljust(RECORD.size, b"\0"))
        self._records: list[bytes] = []
        self._path = path
        self._streams: BinaryIO | None = None
        self._stream_records: list[bytes] = []

    def add(self, request_id: bytes, received_ns: int, answered_ns: int, service_ns: int) -> None:
        self._records.append(RECORD.pack(request_id, received_ns, answered_ns, service_ns))

    def add_stream(self, request_id: bytes, received_ns: int, times_ns: list[int]) -> None:
        """`times_ns` are due and sent, token by token."""
        head = STREAM.pack(request_id, received_ns, len(times_ns) // 2)
        self._stream_records.append(head + struct.pack(f"<{len(times_ns)}q", *times_ns))

    def flush(self) -> None:
        if self._records:
            records, self._records = self._records, []
            self._file.write(b"".join(records))
        if self._stream_records:
            if self._streams is None:
                self._streams = self._path.with_name(f"{self._path.name}.streams").open("wb", buffering=0)
                self._streams.write(STREAM_MAGIC.ljust(RECORD.size, b"\0"))
            records, self._stream_records = self._stream_records, []
            self._streams.write(b"".join(records))

    def close(self) -> None:
        self.flush()
        self._file.close()
        if self._streams is not None:
            self._streams.close()
