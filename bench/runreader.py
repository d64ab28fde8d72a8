"""Reading a run's folder back into arrays. Edge: the only reader of `samples/*.arrows`.

A killed run still loads: what could be read is returned, and `LoadedRun.problems` says what is missing.
Memory is about 64 bytes a sample: the columns are allocated once, and every batch is decoded into its place.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bench.analysis.run import LoadedRun, Samples
from bench.errors import UsageError
from bench.rundir import RunDir, read_json, read_jsonl
from bench.sample import COLUMNS, NO_TIME

_UNREAD = ("first_byte_ns", "sequence")
"""Columns no statistic needs; what is not decompressed costs neither time nor memory."""

_READ = tuple((name, kind) for name, kind in COLUMNS if name not in _UNREAD)
_ABSENT = {"server_time_ns": NO_TIME}


def load_run(path: Path) -> LoadedRun:
    """Everything `bench run` left in `path`.

    UsageError when there is no manifest with a plan in it; anything else that is missing becomes a problem.
    """
    folder = RunDir(path)
    manifest = read_json(folder.manifest)
    if not isinstance(manifest.get("plan"), dict):
        raise UsageError(f"{folder.manifest} has no plan", hint="is it the manifest of a run?")
    problems: list[str] = []
    workers = sorted({*(str(name) for name in manifest.get("workers", ())), *_stems(folder.samples, "*.arrows")})
    samples = _read_samples({worker: folder.samples / f"{worker}.arrows" for worker in workers}, problems)
    health = {worker: tuple(read_jsonl(folder.health / f"{worker}.jsonl")) for worker in workers}
    silent = [worker for worker, records in health.items() if not records]
    if silent:
        problems.append(f"no health record of {', '.join(silent)}: CPU, stalls and losses are not known")
    if not manifest.get("ended"):
        problems.append("the manifest does not say that the run ended: it was killed, or still goes on")
    return LoadedRun(
        path=path,
        manifest=manifest,
        samples=samples,
        flights=tuple(read_jsonl(folder.flights)),
        health=health,
        failures=tuple(record for file in sorted(folder.failures.glob("*.jsonl")) for record in read_jsonl(file)),
        problems=tuple(problems),
    )


def _stems(folder: Path, pattern: str) -> set[str]:
    return {file.stem for file in folder.glob(pattern)}


def _read_samples(files: dict[str, Path], problems: list[str]) -> Samples:
    expected = {worker: _count_rows(file) for worker, file in files.items()}
    rows = _Rows(sum(expected.values()))
    for worker, file in files.items():
        before = rows.filled
        try:
            for batch in _batches(file, _places(file, [name for name, _ in _READ])):
                if rows.filled - before + batch.num_rows > expected[worker]:
                    break  # the run goes on: this batch was written since the rows were counted
                rows.add(worker, batch)
        except (pa.ArrowInvalid, OSError) as exc:
            problems.append(_cut_off(file, rows.filled - before, exc))
    if not rows.filled:
        problems.append("there is no sample: the run ended before its first flush, or never sent a request")
    return rows.finish(problems)


def _cut_off(file: Path, kept: int, exc: Exception) -> str:
    if isinstance(exc, FileNotFoundError):
        return f"samples/{file.name} is missing"
    return f"samples/{file.name} is cut off after {kept} samples: the worker was killed while it wrote"


def _places(file: Path, names: list[str]) -> list[int]:
    """Where the columns called `names` are in the stream; those it lacks are left out."""
    with pa.OSFile(str(file)) as source, pa.ipc.open_stream(source) as stream:
        return [place for place, name in enumerate(stream.schema.names) if name in names]


def _batches(file: Path, columns: list[int]) -> Iterator[pa.RecordBatch]:
    """The batches of one stream, until its end or until it breaks off with pa.ArrowInvalid or OSError."""
    options = pa.ipc.IpcReadOptions(included_fields=columns, use_threads=False)
    with pa.OSFile(str(file)) as source, pa.ipc.open_stream(source, options=options) as stream:
        yield from stream


def _count_rows(file: Path) -> int:
    """Rows in the whole batches of `file`; only the smallest column is decompressed."""
    rows = 0
    try:
        for batch in _batches(file, _places(file, ["attempt"])):
            rows += batch.num_rows
    except (pa.ArrowInvalid, OSError):
        pass  # the second pass meets the same fault and reports it
    return rows


class _Rows:
    """Columns of a known length, filled batch by batch; word codes are unified over workers and dictionaries."""

    def __init__(self, capacity: int) -> None:
        self.filled = 0
        self._tables: dict[str, dict[str, int]] = {name: {} for name, kind in _READ if kind == "word"}
        self._tables["worker"] = {}
        self._missing: set[str] = set()
        self._columns: dict[str, NDArray[Any]] = {"worker": np.zeros(capacity, np.uint8)}
        for name, kind in _READ:
            dtype = np.uint8 if kind == "word" else np.dtype(kind)
            self._columns[name] = np.full(capacity, _ABSENT.get(name, 0), dtype)

    def add(self, worker: str, batch: pa.RecordBatch) -> None:
        """Decode `batch` behind the rows that are there."""
        place = slice(self.filled, self.filled + batch.num_rows)
        there = set(batch.schema.names)
        for name, kind in _READ:
            if name not in there:
                self._missing.add(name)
                self._columns[name][place] = self._code(name, "") if kind == "word" else _ABSENT.get(name, 0)
            elif kind == "word":
                column = batch.column(name)
                codes = [self._code(name, word or "") for word in column.dictionary.to_pylist()]
                self._columns[name][place] = np.array(codes, np.uint16)[column.indices.to_numpy()]
            else:
                self._columns[name][place] = batch.column(name).to_numpy()
        self._columns["worker"][place] = self._code("worker", worker)
        self.filled += batch.num_rows

    def finish(self, problems: list[str]) -> Samples:
        """The filled part of every column."""
        if self._missing:
            problems.append(f"the samples lack {', '.join(sorted(self._missing))}: an older version wrote them")
        words = {name: tuple(table) for name, table in self._tables.items()}
        return Samples(**{name: column[: self.filled] for name, column in self._columns.items()}, words=words)

    def _code(self, column: str, word: str) -> int:
        table = self._tables[column]
        code = table.setdefault(word, len(table))
        if code > np.iinfo(self._columns[column].dtype).max:
            self._columns[column] = self._columns[column].astype(np.uint16)
        return code
