"""Text of unknown origin made harmless on a terminal and in a CI log. Pure.

Names, paths and answers may hold line breaks, escape sequences, or what a CI server takes for a command: Azure
Pipelines and old GitHub runners obey `##vso[` and `##[` anywhere in a line, GitHub obeys `::word` at its start
(GitHub docs, "Workflow commands"; Microsoft Learn, "Logging commands").
"""

from __future__ import annotations

import re
from typing import TextIO

_COLOUR = re.compile(r"(\x1b\[[0-9;]{1,5}m)")
_COMMAND = re.compile(r"##(?=\s*(?:vso|\[|\w*\[))", re.IGNORECASE)
_AT_START = re.compile(r"^(\s*)::")


def printable(text: str) -> str:
    """`text` on one line, without anything that cannot be printed."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def harmless(line: str) -> str:
    """One line that no CI server obeys; spaces and our own colours are kept."""
    parts = _COLOUR.split(line.expandtabs())
    kept = (part if i % 2 else "".join(c if c.isprintable() else " " for c in part) for i, part in enumerate(parts))
    return _AT_START.sub(r"\1: :", _COMMAND.sub("# #", "".join(kept)))


def write_line(stream: TextIO, line: str) -> None:
    """Write one line, whatever is in it; a line break within it becomes a space."""
    stream.write(harmless(line) + "\n")


def write_lines(stream: TextIO, text: str) -> None:
    """Write a text of several lines of our own making; whatever is in them."""
    for line in text.rstrip("\n").split("\n"):
        write_line(stream, line)


def harmless_json(text: str) -> str:
    """The same JSON value, written so that no line of it is a command: `##` stands only within strings."""
    return text.replace("##", "\\u0023\\u0023")
