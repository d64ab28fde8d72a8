"""Where a key of a TOML file stands, for a message: the parser of the standard library does not say. Pure.

A search line by line, right for files as people write them. Where it finds nothing it says 0, and the message has no
line; what the file means is never taken from here.
"""

from __future__ import annotations

import re

_HEADER = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]\s*(?:#.*)?$")
_KEY = re.compile(r"\s*([\w.\"'-]+)\s*=")


def key_lines(text: str) -> dict[tuple[str, ...], int]:
    """The line of each table's header and of each key, by the path to it."""
    found: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = _path(header[1])
            found.setdefault(table, number)
        elif key := _KEY.match(line):
            found.setdefault((*table, *_path(key[1])), number)
    return found


def _path(text: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in text.split("."))
