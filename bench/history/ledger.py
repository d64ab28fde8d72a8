"""The file of a history: `<folder>/history.jsonl`, one run a line, only ever added to. Edge: reads and writes it.

It can lie in git (lines merge) or in a folder that a pipeline keeps. A line that is damaged is left out and named.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from bench.errors import UsageError, unwritable
from bench.history.lines import Entries, entries_of
from bench.line_file import LineFile
from bench.rundir import read_bytes
from bench.schemas.history import HistoryEntry

FILE = "history.jsonl"


def read(folder: Path) -> Entries:
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
    return entries_of((f"{path}, line {n}", line) for n, line in enumerate(lines, start=1) if line.strip())


def add(folder: Path, entry: HistoryEntry) -> bool:
    """Append a run; False when it is there already. UsageError or RunInvalid when the folder cannot be written."""
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
            lost = OSError(file.number, file.why)
            raise unwritable(f"{path} cannot be written", lost, hint="name a folder with --history")
    finally:
        file.close()
    return True
