"""A run in a history. Pure."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from bench.schemas.values import Version

Word = Annotated[str, Meta(max_length=200, pattern=r"^[\w./@ +:-]*$")]
"""What a line may put on a terminal, a page and a CI log: nothing that could be markup or a command there."""

Spread = tuple[float | None, float | None, float | None]
"""(value, low, high): milliseconds for times, a share for rates, null where it is not known."""


class HistoryEntry(Struct, frozen=True, kw_only=True):
    """A line of `history.jsonl`. Keys that a later version adds are ignored."""

    schema_version: Version
    run_id: Word
    at: Word
    trust: Word
    plan: Word
    machine: Word
    target: Word = ""
    commit: Word = ""
    branch: Word = ""
    deployments: dict[Word, Word] = {}
    figures: dict[Word, dict[Word, Spread]] = {}
