"""Samples to disk, while requests are under way. Edge: writes one stream.

A sample is one `struct.pack_into` into a preallocated row buffer (about 1 us, no object that the garbage
collector would have to look at). Full buffers wait for the next `flush`, once a second, which makes of each one record
batch: small batches keep the hub's pause short (0.2 ms for 1,024 rows), those that are written one after the other find
the processor's caches warm, and a killed run keeps all but its last second. Batches are LZ4-compressed, which brings a
row from 71 bytes to well under 64. Its seal costs 0.02 us a sample.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from bench.sample import COLUMNS, Cause, Freshness, LateCause, Outcome, Phase, TokensFrom
from bench.samples.sealed import SealedWriter

ROWS = 1024
_MOST_WAITING = 8
"""Full buffers; with more each is written when the next one is full."""

_FORMATS = {
    "int64": ("q", "<i8"),
    "uint32": ("I", "<u4"),
    "uint16": ("H", "<u2"),
    "uint8": ("B", "u1"),
    "word": ("B", "u1"),
}
_ROW = struct.Struct("<" + "".join(_FORMATS[kind][0] for _, kind in COLUMNS))
_DTYPE = np.dtype([(name, _FORMATS[kind][1]) for name, kind in COLUMNS])


def _nobody(rows: Any) -> None:
    """Watches no rows."""


def _at_once() -> None:
    """No pause."""


class Words:
    """The words of one column, numbered as they are met; at most 256."""

    def __init__(self, known: Iterable[str]) -> None:
        self.codes: dict[str, int] = {}
        self._as_arrow: Any = pa.array([], pa.string())
        for word in known:
            self.code(word)

    def code(self, word: str) -> int:
        """The word's number. Beyond 255 different words the rest share the last one, `...`."""
        code = self.codes.get(word)
        if code is None:
            if len(self.codes) >= 255:
                word = "..."
            code = self.codes.setdefault(word, len(self.codes))
        return code

    def as_arrow(self) -> Any:
        """The words in the order of their codes, built anew only when one was added."""
        if len(self._as_arrow) != len(self.codes):
            self._as_arrow = pa.array(list(self.codes), pa.string())
        return self._as_arrow


class Recorder:
    """Writes `samples/<worker>.arrows`. `recorded` counts samples taken, `written` those handed to the file.

    `observe` is shown the rows of each batch, written or not; it must not keep them. `broken`: the disk did not
    take one, and nothing more is written.
    """

    def __init__(self, path: Path, *, metadata: dict[str, str]) -> None:
        self.outcomes = Words(outcome.value for outcome in Outcome)
        self.causes = Words(cause.value for cause in Cause)
        self.phases = Words(phase.value for phase in Phase)
        self.variants = Words(())
        self.deployments = Words(("",))
        self.freshnesses = Words(freshness.value for freshness in Freshness)
        self.late_causes = Words(cause.value for cause in LateCause)
        self.request_classes = Words(("",))
        self.tokens_from = Words(source.value for source in TokensFrom)
        self.recorded = 0
        self.written = 0
        self.observe: Callable[[Any], None] = _nobody
        self.broken = False
        self.words = {
            "outcome": self.outcomes,
            "cause": self.causes,
            "phase": self.phases,
            "variant": self.variants,
            "deployment": self.deployments,
            "freshness": self.freshnesses,
            "late_cause": self.late_causes,
            "request_class": self.request_classes,
            "tokens_from": self.tokens_from,
        }
        self._rows = bytearray(_ROW.size * ROWS)
        self._used = 0
        self._waiting: deque[tuple[bytearray, int]] = deque()
        self._is_writing = False
        self._spare = [bytearray(_ROW.size * ROWS) for _ in range(_MOST_WAITING)]
        self._schema = pa.schema(
            [
                (name, pa.dictionary(pa.uint8(), pa.string()) if kind == "word" else getattr(pa, kind)())
                for name, kind in COLUMNS
            ],
            metadata=metadata,
        )
        self._writer = SealedWriter(path, self._schema)
        self._schema = self._writer.schema
        self._types = [(field.name, field.type) for field in self._schema]
        self._batch(np.frombuffer(self._rows, dtype=_DTYPE, count=1))  # the first batch ever costs 60 ms: not in a run

    def blank_rows(self, count: int) -> Any:
        """Rows of zeros, for whoever wants to be warm before the first batch comes."""
        return np.zeros(count, _DTYPE)

    def record(self, *values: int) -> None:
        """One sample, in the order of `bench.sample.COLUMNS`; words as their codes. Hot."""
        _ROW.pack_into(self._rows, self._used, *values)
        self._used += _ROW.size
        self.recorded += 1
        if self._used == len(self._rows):
            self._put_aside()
            if len(self._waiting) > _MOST_WAITING and not self._is_writing:
                self._write_next(_at_once)

    def flush(self, pause: Callable[[], object] = _at_once) -> None:
        """Write what there is when it is called; now and then `pause`, in which more may be recorded.

        An error of the disk loses these samples and all later ones, and `broken` says so.
        """
        self._put_aside()
        for left in reversed(range(len(self._waiting))):
            if self._waiting:  # one may have been written in a pause
                self._write_next(pause)
                if left:
                    pause()

    def _put_aside(self) -> None:
        if self._used:
            self._waiting.append((self._rows, self._used // _ROW.size))
            self._rows = self._spare.pop() if self._spare else bytearray(_ROW.size * ROWS)
            self._used = 0

    def _write_next(self, pause: Callable[[], object]) -> None:
        """The oldest batch. It waits on when `pause` ends the greenlet that writes it."""
        buffer, rows = self._waiting[0]
        taken = np.frombuffer(buffer, dtype=_DTYPE, count=rows)
        self._is_writing = True
        try:
            self._write(taken, pause)
        finally:
            self._is_writing = False
        self._waiting.popleft()
        self.observe(taken)
        self._spare.append(buffer)

    def _write(self, rows: Any, pause: Callable[[], object]) -> None:
        """Nothing may follow a batch that was cut off: a reader would take it for the rest of that batch."""
        if self.broken:
            return
        batch = self._batch(rows)
        pause()
        try:
            self._writer.write(batch)
        except OSError:
            self.broken = True
        else:
            self.written += len(rows)

    def close(self) -> None:
        """Write what is left and end the file; what a broken disk does not take shows in `written`."""
        self.flush()
        self._writer.close(whole=not self.broken)

    def _batch(self, rows: Any) -> Any:
        columns = []
        for name, arrow_type in self._types:
            buffers = [None, pa.py_buffer(np.ascontiguousarray(rows[name]))]
            if name in self.words:
                words = self.words[name].as_arrow()
                columns.append(pa.DictionaryArray.from_buffers(arrow_type, len(rows), buffers, words))
            else:
                columns.append(pa.Array.from_buffers(arrow_type, len(rows), buffers))
        return pa.RecordBatch.from_arrays(columns, schema=self._schema)
