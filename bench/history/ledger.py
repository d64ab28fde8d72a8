"""The file of a history: `<folder>/history.jsonl`, one run a line, only ever added to. Edge: reads and writes it.

It can lie in git (lines merge) or in a folder that a pipeline keeps. A line that is damaged is left out and named.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

import msgspec

from bench.errors import RunInvalid, UsageError
from bench.history.entry import SCHEMA_VERSION, Entry

FILE = "history.jsonl"

_DECODER = msgspec.json.Decoder(Entry)


def read(folder: Path) -> tuple[tuple[Entry, ...], tuple[str, ...]]:
    """The runs in the order they were made, and one sentence for each line that cannot be used.

    UsageError when there is no history; RunInvalid when a newer version of this tool wrote it.
    """
    path = folder / FILE
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError as exc:
        raise UsageError(f"{path} does not exist", hint="make it with `bench history add RUN`") from exc
    except OSError as exc:
        raise UsageError(f"{path} cannot be read: {exc.strerror}", hint="name a folder with --history") from exc
    entries: dict[str, Entry] = {}
    problems = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            entry = _DECODER.decode(line)
        except msgspec.DecodeError as exc:
            problems.append(f"{path}, line {number} cannot be used: {exc}")
            continue
        if entry.schema_version > SCHEMA_VERSION:
            raise RunInvalid(
                f"{path}, line {number} has schema {entry.schema_version}, this version reads {SCHEMA_VERSION}",
                hint="install the newer version",
            )
        if entry.run_id in entries and entries[entry.run_id] != entry:
            problems.append(f"{path}, line {number}: run {entry.run_id} again, with other figures; the first counts")
        entries.setdefault(entry.run_id, entry)
    return tuple(sorted(entries.values(), key=lambda entry: (entry.at, entry.run_id))), tuple(problems)


def add(folder: Path, entry: Entry) -> bool:
    """Append a run; False when it is there already. UsageError when the folder cannot be written."""
    path = folder / FILE
    if path.exists() and any(known.run_id == entry.run_id for known in read(folder)[0]):
        return False
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _append(path, msgspec.json.encode(entry) + b"\n")
    except OSError as exc:
        raise UsageError(f"{path} cannot be written: {exc.strerror}", hint="name a folder with --history") from exc
    return True


def _append(path: Path, line: bytes) -> None:
    """One write, behind a line break where the last line was cut off. A short write is taken back."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        size = os.fstat(fd).st_size
        if size and os.pread(fd, 1, size - 1) != b"\n":
            line = b"\n" + line
        if os.write(fd, line) != len(line):
            os.ftruncate(fd, size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(fd)
    finally:
        os.close(fd)
