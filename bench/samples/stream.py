"""One worker's samples, or another sealed stream, read back. Edge: reads one Arrow IPC stream, and trusts none of it.

`inspect` walks over the file once and finds how much of it is sound; `batches` decodes that much and no more. A file
is believed up to its first fault: what follows a damaged batch may rest on words that were lost with it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
from numpy.typing import NDArray

from bench.sample import COLUMNS
from bench.samples import seal

_UNREADABLE = (pa.ArrowException, OSError, EOFError, ValueError, MemoryError)
"""What Arrow raises where a file is not what it should be."""

_END_MARK = b"\xff\xff\xff\xff\0\0\0\0"
_CUT = "is cut off after {rows} samples: its worker was killed while it wrote, or the file was damaged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """What there is to read in a file: `rows` samples in `batches` batches, and the `fault` that follows them.

    `fault` ends a sentence that begins with the file's name; it is empty where all is well. `run_id` and `worker` are
    what the stream says of itself, empty where it does not. `sealed` is false for what an older version wrote.
    `complete` says that the worker ended the stream, so that nothing can be missing behind it.
    """

    path: Path
    run_id: str = ""
    worker: str = ""
    sealed: bool = False
    rows: int = 0
    batches: int = 0
    complete: bool = False
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """Some samples of one worker, as columns (`bench.sample.COLUMNS`); `names` are those that are there."""

    rows: int
    names: frozenset[str]
    _batch: Any

    def numbers(self, name: str) -> NDArray[Any]:
        """A column of numbers. ValueError when one is missing in it."""
        found: NDArray[Any] = self._batch.column(name).to_numpy()
        return found

    def words(self, name: str) -> tuple[NDArray[Any], list[str]]:
        """A column of words: a code for each row, and the words by their code."""
        column = self._batch.column(name)
        return column.indices.to_numpy(), [word or "" for word in column.dictionary.to_pylist()]

    def column(self, name: str) -> list[Any]:
        """A column as plain values."""
        found: list[Any] = self._batch.column(name).to_pylist()
        return found


Columns = tuple[tuple[str, str], ...]
"""(name, type), as `bench.sample.COLUMNS`."""


def inspect(path: Path, columns: Columns = COLUMNS) -> Stream:
    """How much of the file can be read; never fails, but says what is wrong. `columns` are those it should have."""
    found = Stream(path=path)
    try:
        if not path.is_file():
            return replace(found, fault="is no file" if path.exists() else "is missing")
        with path.open("rb") as file, pa.OSFile(str(path)) as source:
            schema = pa.ipc.read_schema(source)
            facts = {key.decode(): value.decode() for key, value in (schema.metadata or {}).items()}
            version = facts.get("format", "1")
            found = replace(
                found, run_id=facts.get("run_id", ""), worker=facts.get("worker", ""), sealed=version != "1"
            )
            if not version.isdecimal() or int(version) > seal.FORMAT:
                what = f"has format {version[:20]!r}, this version reads {seal.FORMAT}: update this tool"
                return replace(found, fault=what)
            if wrong := _wrong_columns(schema, columns):
                return replace(found, fault=f"is no stream of samples: its column {wrong} has another type")
            source.seek(0)
            return _walk(found, file, source)
    except _UNREADABLE as exc:
        return replace(found, fault=_unreadable(path, exc))


def batches(stream: Stream, columns: Iterable[str]) -> Iterator[Batch]:
    """The batches that `inspect` found sound, with those of `columns` that the file has.

    One of an older version may still be found wrong here; then it is pa.ArrowException, OSError or ValueError that
    ends it, and `READ_ERRORS` names them.
    """
    for batch in _decoded(stream.path, stream.batches, columns) if stream.batches else ():
        yield Batch(batch.num_rows, frozenset(batch.schema.names), batch)


READ_ERRORS = _UNREADABLE


def _decoded(path: Path, most: int, columns: Iterable[str]) -> Iterator[Any]:
    wanted = set(columns)
    with pa.OSFile(str(path)) as source, pa.ipc.open_stream(source) as stream:
        places = [place for place, name in enumerate(stream.schema.names) if name in wanted]
    options = pa.ipc.IpcReadOptions(included_fields=places, use_threads=False)
    with pa.OSFile(str(path)) as source, pa.ipc.open_stream(source, options=options) as stream:
        for _ in range(most):  # what follows is damaged, or was written since
            batch = stream.read_next_batch()
            batch.validate(full=True)
            yield batch


def _walk(found: Stream, file: Any, source: Any) -> Stream:
    """Over the messages of the stream: each batch must be the next one, and its bytes those that were written."""
    size = found.path.stat().st_size
    began = 0
    pa.ipc.read_message(source)  # the schema
    last = source.tell()  # the end of the last batch
    while True:
        here = source.tell()
        if here >= size:
            if found.sealed and here != last:  # between a batch's new words and itself
                return _broken_off(found, here - last)
            break
        try:
            message = pa.ipc.read_message(source)
        except EOFError:  # the end of the stream, or of the file
            return _ended(found, file, last=last if found.sealed else here, here=here, size=size)
        except _UNREADABLE:
            return _broken_off(found, size - (last if found.sealed else here))
        if message.type != "record batch":
            continue
        ends = source.tell()
        mark = seal.find(message.metadata.to_pybytes())
        if not found.sealed and mark is None:
            found = replace(found, batches=found.batches + 1)
            continue
        file.seek(began)
        frame = file.read(ends - began)
        if mark is None or not seal.holds(frame, here - began + _PREFIX_BYTES + mark.place, mark.crc32):
            return replace(found, fault=f"is damaged after {found.rows} samples: a checksum is wrong")
        if mark.number != found.batches:
            return replace(found, fault=f"lacks batch {found.batches} or has one twice, after {found.rows} samples")
        found = replace(found, batches=found.batches + 1, rows=found.rows + mark.rows)
        began = last = ends
    return found if found.sealed else _counted(found)


_PREFIX_BYTES = 8
"""Before a message's metadata: a mark and a length."""


def _ended(found: Stream, file: Any, *, last: int, here: int, size: int) -> Stream:
    """The stream says that it ends here, where `last` is its last batch's end: nothing may follow."""
    found = found if found.sealed else _counted(found)
    file.seek(here)
    if found.fault or file.read(len(_END_MARK)) != _END_MARK:
        return found if found.fault else _broken_off(found, size - last)
    if here + len(_END_MARK) < size:
        return replace(found, fault=f"goes on after its end, which is at {found.rows} samples: is it two files in one?")
    return replace(found, complete=True)


def _broken_off(found: Stream, left: int) -> Stream:
    """In the middle of a message. Every message is longer than the mark of the end, of which a part may be there."""
    found = found if found.sealed else _counted(found)
    if found.fault or left < len(_END_MARK):
        return found
    return replace(found, fault=_CUT.format(rows=found.rows))


def _counted(found: Stream) -> Stream:
    """The rows of a stream without seals: only decoding shows how many, of the smallest column."""
    rows = number = 0
    with contextlib.suppress(*_UNREADABLE):
        for batch in _decoded(found.path, found.batches, ["attempt", "variant"]):
            rows += batch.num_rows
            number += 1
    fault = "" if number == found.batches else _CUT.format(rows=rows)
    return replace(found, rows=rows, batches=number, fault=fault)


def _wrong_columns(schema: Any, columns: Columns) -> str:
    """The name of the first column that is not of the type it should be."""
    for name, kind in columns:
        if name not in schema.names:
            continue
        wanted = pa.dictionary(pa.uint8(), pa.string()) if kind == "word" else getattr(pa, kind)()
        if schema.get_all_field_indices(name)[1:] or schema.field(name).type != wanted:
            return name
    return ""


def _unreadable(path: Path, exc: BaseException) -> str:
    if isinstance(exc, OSError) and exc.strerror:
        return f"cannot be read: {exc.strerror}"
    if path.stat().st_size == 0:
        return "is empty: the worker ended before its first flush"
    return "is no stream of samples"
