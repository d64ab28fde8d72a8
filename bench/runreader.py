"""Reading a run's folder back into arrays. Edge: reads the files of a run, and trusts none of them.

A killed run still loads: what could be read is returned, and `LoadedRun.problems` says what is missing, damaged or not
of this run. Memory is about 64 bytes a sample: the columns are allocated once, and every batch is decoded into
its place.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import clock, schemas
from bench.analysis.run import NO_GAPS, Gaps, LoadedRun, Samples
from bench.errors import RunInvalid
from bench.rundir import RunDir
from bench.sample import COLUMNS, NO_TIME
from bench.samples import chunks, stream
from bench.samples.stream import Batch, Stream

_UNREAD = ("first_byte_ns",)
"""A column no statistic needs; what is not decompressed costs neither time nor memory."""

_OF_STREAMS: dict[str, Any] = {
    "sequence": 0,
    "first_token_ns": NO_TIME,
    "last_token_ns": NO_TIME,
    "content_events": 0,
    "output_tokens": 0,
    "prompt_tokens": 0,
    "tokens_from": "",
}
"""Columns that are read only where answers were streamed, with their value everywhere else."""

_ADDED = {**_OF_STREAMS, "stands_for": 1}
"""Columns that an older version did not write, with the value that says as much."""

_ABSENT = {"server_time_ns": NO_TIME, **_ADDED}


def load_run(path: Path) -> LoadedRun:
    """Everything `bench run` left in `path`.

    UsageError when there is no manifest, RunInvalid when it is damaged; anything else that is missing, damaged or not
    of this run is left out, and becomes a problem.
    """
    folder = RunDir(path)
    manifest = load_manifest(folder)
    ended = bool(manifest.get("ended"))
    problems: list[str] = []
    workers = sorted({*manifest["workers"], *_stems(folder.samples, "*.arrows")})
    samples, sequences = _read_samples(folder, workers, manifest, problems)
    gaps = _read_gaps(folder, workers, manifest, sequences, problems)
    health = _read_health(folder, sorted({*workers, *_stems(folder.health, "*.jsonl")}), manifest, problems)
    flights, fault = schemas.load_lines(folder.flights, schemas.Flight, cut=not ended)
    flights, foreign = _own(flights, {"run_id": str(manifest["run_id"])})
    if foreign:
        problems.append(f"flights.jsonl {foreign}")
    counted = manifest.get("flights")
    if not fault and counted is not None and len(flights) != counted:
        fault = f"has {len(flights)} fetches of {counted} that were made"
    if fault:
        problems.append(f"flights.jsonl {fault}: what the credential fetches did is not known")
    if not ended:
        problems.append(_unended(folder))
    return LoadedRun(
        path=path,
        manifest=manifest,
        samples=samples,
        gaps=gaps,
        flights=tuple(flights),
        flights_known=not fault,
        health=health,
        failures=_read_failures(folder, str(manifest["run_id"]), problems, cut=not ended),
        problems=tuple(problems),
    )


def _own(lines: list[dict[str, Any]], whose: Mapping[str, str]) -> tuple[list[dict[str, Any]], str]:
    """The lines that say nothing else of whose they are, and a fault where there are others. Old files say nothing."""
    own = [line for line in lines if all(line.get(name, "") in {"", value} for name, value in whose.items())]
    others = len(lines) - len(own)
    return own, f"has {others} lines of another run or worker: they are left out" if others else ""


def _read_failures(folder: RunDir, run_id: str, problems: list[str], *, cut: bool) -> tuple[dict[str, Any], ...]:
    """What the first failure of each kind said; the counts are those of the samples."""
    kinds: list[dict[str, Any]] = []
    for file in sorted(folder.failures.glob("*.jsonl")):
        lines, fault = schemas.load_lines(file, schemas.FailureSample, cut=cut)
        lines, foreign = _own(lines, {"run_id": run_id, "worker": file.stem})
        kinds += lines
        if foreign:
            problems.append(f"failures/{file.name} {foreign}")
        if fault:
            problems.append(f"failures/{file.name} {fault}: what the failures said is not known")
    return tuple(kinds)


def load_manifest(folder: RunDir) -> dict[str, Any]:
    """The manifest of a run. UsageError when there is none, RunInvalid when it is damaged."""
    manifest = schemas.load(folder.manifest, schemas.Manifest)
    if fault := schemas.plan_fault(manifest["plan"]):
        raise RunInvalid(f"the plan in {folder.manifest} {fault}", hint="the folder is damaged: run it again")
    return manifest


def still_goes_on(folder: RunDir) -> bool:
    """Whether a run that has not ended wrote something just now: its workers write once a second."""
    now_s = clock.wall_s()
    files = (folder.manifest, *folder.health.glob("*.jsonl"), *folder.samples.glob("*.arrows"))
    return any(now_s - _changed_s(file) < _LIVE_S for file in files)


_LIVE_S = 5.0


def _changed_s(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0


def _unended(folder: RunDir) -> str:
    if still_goes_on(folder):
        return "the run still goes on: its files changed a moment ago"
    return "the manifest does not say that the run ended: it was killed, or still goes on"


def _read_health(
    folder: RunDir, workers: list[str], manifest: Mapping[str, Any], problems: list[str]
) -> dict[str, tuple[dict[str, Any], ...]]:
    """What each worker said of itself; nothing of one whose file is missing or damaged."""
    health: dict[str, tuple[dict[str, Any], ...]] = {}
    silent = []
    ended = bool(manifest.get("ended"))
    for worker in workers:
        if ended and manifest["workers"] and worker not in manifest["workers"]:
            if (folder.health / f"{worker}.jsonl").exists():
                problems.append(f"health/{worker}.jsonl is of a worker that the manifest does not know: it is left out")
            continue
        records, fault = schemas.load_lines(folder.health / f"{worker}.jsonl", schemas.HealthTick, cut=not ended)
        written = manifest.get("samples", {}).get(worker)
        last = records[-1] if records else {}
        whose = {"run_id": str(manifest.get("run_id", "")), "worker": worker}
        if not fault and _own(records, whose)[1]:
            records, fault = [], "has lines of another run or worker: it is left out"
        if not fault and ended and written is not None and last.get("written") != written:
            records, fault = [], "is not the one that this run ended with"
        if fault and fault != "is missing":
            problems.append(f"health/{worker}.jsonl {fault}")
        health[worker] = tuple(records)
        if not records:
            silent.append(worker)
    if silent:
        problems.append(f"no health record of {', '.join(silent)}: CPU, stalls and losses are not known")
    return health


def _stems(folder: Path, pattern: str) -> set[str]:
    return {file.stem for file in folder.glob(pattern)}


Sequences = dict[str, tuple[int, NDArray[Any]]]
"""By worker: the row of its first sample, and the numbers of its requests in the order of its rows."""


def _read_gaps(
    folder: RunDir, workers: list[str], manifest: Mapping[str, Any], sequences: Sequences, problems: list[str]
) -> Gaps:
    """The gaps of this run's streamed answers, each with the row of its request; those of no known sample are left out.

    A run that streamed nothing has no such file, nor has one of an older version.
    """
    written_rows: Mapping[str, int] = manifest.get("chunks", {})
    rows, values = [], []
    for worker in workers:
        path = folder.chunks / f"{worker}.arrows"
        if not path.exists() and not written_rows.get(worker):
            continue
        found = chunks.inspect(path)
        fault, written = found.fault, written_rows.get(worker)
        if stranger := _stranger(worker, found, manifest):
            problems.append(f"chunks/{path.name} {stranger}: it is left out")
            continue
        try:
            sequence, gap_ns = chunks.read(found)
        except stream.READ_ERRORS:
            problems.append(f"chunks/{path.name} cannot be decoded: the gaps between its tokens are not known")
            continue
        if not fault and written is not None and found.rows != written:
            fault = f"has {found.rows} gaps of {written} that were written"
        if fault:
            problems.append(f"chunks/{path.name} {fault.replace(' samples', ' gaps')}")
        first, known = sequences.get(worker, (0, np.zeros(0, np.int64)))
        order = np.argsort(known, kind="stable")
        place = np.searchsorted(known, sequence, sorter=order).clip(max=max(len(known) - 1, 0))
        there = known[order[place]] == sequence if len(known) else np.zeros(len(sequence), bool)
        rows.append(first + order[place[there]])
        values.append(gap_ns[there])
    if not rows:
        return NO_GAPS
    row = np.concatenate(rows)
    starts = np.flatnonzero(np.diff(row, prepend=-1))
    return Gaps(row=row, gap_ns=np.concatenate(values), starts=starts)


def _read_samples(
    folder: RunDir, workers: list[str], manifest: Mapping[str, Any], problems: list[str]
) -> tuple[Samples, Sequences]:
    """The samples of this run's workers, as far as each file is sound; a file of another run or worker is left out."""
    streams = {worker: stream.inspect(folder.samples / f"{worker}.arrows") for worker in workers}
    written_rows: Mapping[str, int] = manifest.get("samples", {})
    own = {}
    for worker, found in streams.items():
        if stranger := _stranger(worker, found, manifest):
            problems.append(f"samples/{worker}.arrows {stranger}: it is left out")
        else:
            own[worker] = found
    streamed = folder.chunks.is_dir() or any(manifest.get("chunks", {}).values())
    traced = manifest["plan"].get("trace_share") is not None
    rows = _Rows(sum(found.rows for found in own.values()), streamed=streamed, traced=traced)
    sequences: Sequences = {}
    for worker, found in own.items():
        fault = found.fault
        before = rows.filled
        try:
            for batch in stream.batches(found, [name for name, _ in rows.read]):
                rows.add(worker, batch)
        except stream.READ_ERRORS:
            fault = f"cannot be decoded after {rows.filled - before} samples"
        if streamed:
            sequences[worker] = (before, rows.numbers("sequence")[before : rows.filled])
        written = written_rows.get(worker)
        if not fault and written is not None and rows.filled - before != written:
            fault = f"has {rows.filled - before} samples of {written} that were written"
        if fault:
            problems.append(f"samples/{worker}.arrows {fault}")
    old = [worker for worker, found in own.items() if found.rows and not found.sealed]
    if old:
        problems.append(f"the samples of {', '.join(old)} have no checksums: an older version wrote them")
    if not rows.filled:
        problems.append("there is no sample: the run ended before its first flush, or never sent a request")
    return rows.finish(problems), sequences


def sample_batches(
    folder: RunDir, manifest: Mapping[str, Any], columns: Collection[str], problems: list[str]
) -> Iterator[tuple[str, Batch]]:
    """Worker and batch of every sample of this run that can be read; what cannot becomes a problem."""
    written_rows: Mapping[str, int] = manifest.get("samples", {})
    for worker in sorted({*manifest["workers"], *_stems(folder.samples, "*.arrows")}):
        found = stream.inspect(folder.samples / f"{worker}.arrows")
        if stranger := _stranger(worker, found, manifest):
            problems.append(f"samples/{worker}.arrows {stranger}: it is left out")
            continue
        fault = found.fault
        try:
            for batch in stream.batches(found, columns):
                yield worker, batch
        except stream.READ_ERRORS:
            fault = "cannot be decoded to its end"
        written = written_rows.get(worker)
        if not fault and written is not None and found.rows != written:
            fault = f"has {found.rows} samples of {written} that were written"
        if fault:
            problems.append(f"samples/{worker}.arrows {fault}")


def _stranger(worker: str, found: Stream, manifest: Mapping[str, Any]) -> str:
    """Why a file is not this run's, or empty. Only what a stream says of itself can tell."""
    run_id = str(manifest.get("run_id", ""))
    if found.run_id and found.run_id != run_id:
        return f"is of run {found.run_id}"
    if found.worker and found.worker != worker:
        return f"is of worker {found.worker}"
    if found.sealed and not (found.run_id and found.worker):
        return "does not say of which run and worker it is"
    if manifest.get("ended") and manifest.get("workers") and worker not in manifest["workers"]:
        return "is of a worker that the manifest does not know"
    return ""


class _Rows:
    """Columns of a known length, filled batch by batch; word codes are unified over workers and dictionaries."""

    def __init__(self, capacity: int, *, streamed: bool, traced: bool) -> None:
        self.filled = 0
        unread = {*_UNREAD, *(() if streamed else _OF_STREAMS)} - ({"sequence"} if traced else set())
        self.read = tuple((name, kind) for name, kind in COLUMNS if name not in unread)
        self._tables: dict[str, dict[str, int]] = {name: {} for name, kind in COLUMNS if kind == "word"}
        self._tables["worker"] = {}
        self._missing: set[str] = set()
        self._columns: dict[str, NDArray[Any]] = {"worker": np.zeros(capacity, np.uint8)}
        for name, kind in self.read:
            dtype = np.uint8 if kind == "word" else np.dtype(kind)
            self._columns[name] = np.full(capacity, 0 if kind == "word" else _ABSENT.get(name, 0), dtype)

    def add(self, worker: str, batch: Batch) -> None:
        """Decode `batch` behind the rows that are there."""
        place = slice(self.filled, self.filled + batch.rows)
        for name, kind in self.read:
            if name not in batch.names:
                if name not in _ADDED:
                    self._missing.add(name)
                self._columns[name][place] = self._code(name, "") if kind == "word" else _ABSENT.get(name, 0)
            elif kind == "word":
                codes, words = batch.words(name)
                ours = [self._code(name, word) for word in words]
                self._columns[name][place] = np.array(ours, np.uint16)[codes]
            else:
                self._columns[name][place] = batch.numbers(name)
        self._columns["worker"][place] = self._code("worker", worker)
        self.filled += batch.rows

    def finish(self, problems: list[str]) -> Samples:
        """The filled part of every column."""
        if self._missing:
            problems.append(f"the samples lack {', '.join(sorted(self._missing))}: an older version wrote them")
        columns = {name: column[: self.filled] for name, column in self._columns.items()}
        for name, kind in COLUMNS:
            if name in _OF_STREAMS and name not in columns:
                value = self._code(name, "") if kind == "word" else _OF_STREAMS[name]
                columns[name] = np.broadcast_to(np.array(value, np.uint8 if kind == "word" else kind), self.filled)
        words = {name: tuple(table) for name, table in self._tables.items()}
        return Samples(**columns, words=words)

    def numbers(self, name: str) -> NDArray[Any]:
        """A column so far."""
        return self._columns[name]

    def _code(self, column: str, word: str) -> int:
        table = self._tables[column]
        code = table.setdefault(word, len(table))
        if column in self._columns and code > np.iinfo(self._columns[column].dtype).max:
            self._columns[column] = self._columns[column].astype(np.uint16)
        return code
