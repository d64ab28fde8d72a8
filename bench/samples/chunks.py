"""Every gap between the tokens of streamed answers: `chunks/<worker>.arrows`, written and read back. Edge.

A row is one gap: the `sequence` of its request, and how much later than the one before the event came, in units of
0.1 us (`UNIT_NS`), as `gap_low` + 65,536 x `gap_high`. The times of a request are rounded before they are subtracted,
so its gaps add up. A row with the largest number there is (1.68 s) goes on in the next row. Batches are sealed as those
of the samples are.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bench.samples import stream
from bench.samples.sealed import SealedWriter

ROWS = 4096
UNIT_NS = 100
_GOES_ON = (1 << 24) - 1

COLUMNS: tuple[tuple[str, str], ...] = (("sequence", "uint32"), ("gap_low", "uint16"), ("gap_high", "uint8"))
"""(name, type) in file order."""

Gaps = tuple[NDArray[np.int64], NDArray[np.int64]]
"""The sequence number of each gap's request, and the gaps in ns, in the order in which they were recorded."""


class ChunkRecorder:
    """Writes one worker's gaps. `recorded` counts rows, `written` those handed to the file; a `broken` one takes none.

    The file is made ahead, for nobody can be sure of a descriptor in mid-run, and goes away when nothing was streamed.
    """

    def __init__(self, path: Path, *, metadata: dict[str, str]) -> None:
        """OSError when there can be no such file."""
        self.recorded = 0
        self.written = 0
        self.broken = False
        self._streams = 0
        self._path = path
        self._used = 0
        self._columns = [np.zeros(ROWS, kind) for _, kind in COLUMNS]
        path.parent.mkdir(parents=True, exist_ok=True)
        schema = pa.schema([(name, getattr(pa, kind)()) for name, kind in COLUMNS], metadata=metadata)
        self._writer = SealedWriter(path, schema)
        self._schema = self._writer.schema
        self._batch(1)  # the first batch ever is slow: not in a run

    def add(self, sequence: int, times_ns: list[int]) -> None:
        """The gaps between one request's events with text, from the times of these."""
        self._streams += 1
        if len(times_ns) < 2:
            return
        times = np.array(times_ns, np.int64)
        gaps = np.diff((times - times[0] + UNIT_NS // 2) // UNIT_NS)
        if int(gaps.max()) >= _GOES_ON:
            gaps = _continued(gaps)
        self.recorded += len(gaps)
        while len(gaps):
            taken = gaps[: ROWS - self._used]
            place = slice(self._used, self._used + len(taken))
            sequences, low, high = self._columns
            sequences[place] = sequence
            low[place] = taken & 0xFFFF
            high[place] = taken >> 16
            self._used += len(taken)
            gaps = gaps[len(taken) :]
            if self._used == ROWS:
                self.flush()

    def flush(self) -> None:
        """Write what there is. An error of the disk loses these gaps and all later ones, and `written` shows it."""
        rows, self._used = self._used, 0
        if not rows or self.broken:
            return
        try:
            self._writer.write(self._batch(rows))
        except OSError:
            self.broken = True
            return
        self.written += rows

    def close(self) -> None:
        """Write what is left and end the file; remove one that has nothing in it."""
        self.flush()
        self._writer.close(whole=not self.broken)
        if not self._streams:
            with contextlib.suppress(OSError):
                self._path.unlink()
                self._path.parent.rmdir()  # only when it is empty

    def _batch(self, rows: int) -> Any:
        columns = [pa.array(column[:rows]) for column in self._columns]
        return pa.RecordBatch.from_arrays(columns, schema=self._schema)


def inspect(path: Path) -> stream.Stream:
    """How much of a file of gaps can be read."""
    return stream.inspect(path, COLUMNS)


def read(found: stream.Stream) -> Gaps:
    """All gaps of a file that was inspected. One of `stream.READ_ERRORS` when it cannot be decoded."""
    names = [name for name, _ in COLUMNS]
    parts = []
    for batch in stream.batches(found, names):
        if not batch.names.issuperset(names):
            raise ValueError("a file of something else")
        parts.append([batch.numbers(name) for name in names])
    if not parts:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    sequence, low, high = (np.concatenate([part[place] for part in parts]) for place in range(len(names)))
    units = low.astype(np.int64) + (high.astype(np.int64) << 16)
    ends = np.flatnonzero(units != _GOES_ON)
    whole = units[: ends[-1] + 1] if len(ends) else units[:0]
    if len(whole) != len(ends):
        units = np.add.reduceat(whole, np.concatenate(([0], ends[:-1] + 1))) if len(ends) else whole
    return sequence[ends].astype(np.int64), units * UNIT_NS


def _continued(gaps: Iterable[int]) -> NDArray[np.int64]:
    """With each long gap as several rows, of which all but the last are full."""
    rows: list[int] = []
    for gap in gaps:
        full, rest = divmod(int(gap), _GOES_ON)
        rows += [*[_GOES_ON] * full, rest]
    return np.array(rows, np.int64)
