"""The lines of a history, wherever they lie: typed, each run once, in the order they were made.

A line that is damaged is left out and named, so that one does not cost the others.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bench import schemas
from bench.errors import RunInvalid
from bench.schemas.history import HistoryEntry

Entries = tuple[tuple[HistoryEntry, ...], tuple[str, ...]]
"""The runs, and one sentence for each line that cannot be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What came of adding a run: whether it was `new`, and why something of it is `missing` there."""

    new: bool
    missing: str = ""


def entries_of(lines: Iterable[tuple[str, bytes]]) -> Entries:
    """Of pairs of where a line is and what it says. RunInvalid when a newer version of this tool wrote one."""
    entries: dict[str, HistoryEntry] = {}
    problems = []
    for where, line in lines:
        try:
            entry = schemas.decode_as(line, HistoryEntry)
        except schemas.NewerVersion as exc:
            raise RunInvalid(f"{where} {exc}", hint="install the newer version") from exc
        except ValueError as exc:
            problems.append(f"{where} {exc}: it is left out")
            continue
        if entry.run_id in entries and entries[entry.run_id] != entry:
            problems.append(f"{where}: run {entry.run_id} again, with other figures; the first counts")
        entries.setdefault(entry.run_id, entry)
    return tuple(sorted(entries.values(), key=lambda entry: (entry.at, entry.run_id))), tuple(problems)
