"""The file of a history: `<folder>/history.jsonl`, one run a line, only ever added to. Edge: reads and writes it.

It can lie in git (lines merge) or in a folder that a pipeline keeps. A line that is damaged is left out and named.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from bench import schemas
from bench.errors import RunInvalid, UsageError, unwritable
from bench.line_file import LineFile
from bench.rundir import read_bytes
from bench.schemas.history import HistoryEntry

FILE = "history.jsonl"


def read(folder: Path) -> tuple[tuple[HistoryEntry, ...], tuple[str, ...]]:
    """The runs in the order they were made, and one sentence for each line that cannot be used.

    UsageError when there is no history; RunInvalid when a newer version of this tool wrote it.
    """
    path = folder / FILE
    try:
        lines = read_bytes(path).splitlines()
    except FileNotFoundError as exc:
        raise UsageError(f"{path} does not exist", hint="make it with `bench history add RUN`") from exc
    except (OSError, ValueError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else exc
        raise UsageError(f"{path} cannot be read: {why}", hint="name a folder with --history") from exc
    entries: dict[str, HistoryEntry] = {}
    problems = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            entry = schemas.decode_as(line, HistoryEntry)
        except schemas.NewerVersion as exc:
            raise RunInvalid(f"{path}, line {number} {exc}", hint="install the newer version") from exc
        except ValueError as exc:
            problems.append(f"{path}, line {number} {exc}: it is left out")
            continue
        if entry.run_id in entries and entries[entry.run_id] != entry:
            problems.append(f"{path}, line {number}: run {entry.run_id} again, with other figures; the first counts")
        entries.setdefault(entry.run_id, entry)
    return tuple(sorted(entries.values(), key=lambda entry: (entry.at, entry.run_id))), tuple(problems)


def add(folder: Path, entry: HistoryEntry) -> bool:
    """Append a run; False when it is there already. UsageError when the folder cannot be written."""
    path = folder / FILE
    if path.exists() and any(known.run_id == entry.run_id for known in read(folder)[0]):
        return False
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = LineFile(path)
    except OSError as exc:
        raise unwritable(f"{path} cannot be written", exc, hint="name a folder with --history") from exc
    try:
        if not file.write(msgspec.structs.asdict(entry)):
            raise UsageError(f"{path} cannot be written: {file.why}", hint="name a folder with --history")
    finally:
        file.close()
    return True
