"""Server-sent events out of the body of an answer, piece by piece. Pure: bytes in, events out.

The format is that of the HTML standard, "Server-sent events", 9.2.6: lines end with LF, CR or CRLF; a blank line ends
an event; several `data` lines are one text; a line that begins with a colon is a comment, and is no event. What the end
of the stream cuts off is no event either. Of its fields only `data` and `event` matter to a measurement.
"""

from __future__ import annotations

import re
from typing import Protocol

MOST_BYTES = 16 << 20
"""A server that never ends an event could fill the memory with it."""

_LINE = re.compile(rb"\r\n|\n|\r")
_SPACE = ord(" ")
_BOM = b"\xef\xbb\xbf"


class EventTooLong(Exception):
    """More than `MOST_BYTES` without the end of an event."""


class EventSink(Protocol):
    """Who receives each event: its data, its name (empty as a rule), and when its last byte came."""

    def begin(self) -> None:
        """An answer is a stream of events."""

    def event(self, data: bytes, name: bytes, at_ns: int) -> None:
        """One event; `at_ns` is the time of the poll that brought its last byte."""


class EventParser:
    """The events of one answer. `events` counts them; `last_ns` is the time of the last one, 0 before the first."""

    __slots__ = ("_between", "_data", "_first", "_held", "_line", "_name", "_sink", "_swallow_lf", "events", "last_ns")

    def __init__(self, sink: EventSink) -> None:
        self._sink = sink
        self._line = bytearray()  # the start of a line whose end has not come
        self._data: list[bytes] = []
        self._held = 0  # bytes in it
        self._name = b""
        self._between = True  # nothing of an event is held
        self._first = True
        self._swallow_lf = False  # a CR ended the last line: an LF after it is of the same end
        self.events = 0
        self.last_ns = 0

    def feed(self, piece: bytes, at_ns: int) -> None:
        """More of the body, come at `at_ns`. Raises EventTooLong. Hot: most servers send one whole event a chunk."""
        if self._between and piece.startswith(b"data:") and piece.endswith(b"\n\n") and b"\r" not in piece:
            end = len(piece) - 2
            if piece.find(b"\n") == end:
                self._first = self._swallow_lf = False
                self.events += 1
                self.last_ns = at_ns
                self._sink.event(piece[6 if piece[5] == _SPACE else 5 : end], b"", at_ns)
                return
        self._feed_lines(piece, at_ns)

    def _feed_lines(self, piece: bytes, at_ns: int) -> None:
        if self._swallow_lf and piece:
            self._swallow_lf = False
            if piece[:1] == b"\n":
                piece = piece[1:]
        *whole, rest = _LINE.split(piece)
        for line in whole:
            if self._line:
                line = bytes(self._line) + line
                self._line.clear()
            self._take(line, at_ns)
        self._line += rest
        if not rest and piece[-1:] == b"\r":
            self._swallow_lf = True
        self._between = not (self._line or self._data or self._name)
        if len(self._line) + self._held > MOST_BYTES:
            raise EventTooLong(f"an event of more than {MOST_BYTES >> 20} MiB")

    def _take(self, line: bytes, at_ns: int) -> None:
        """One line, without its end."""
        if self._first:
            self._first = False
            line = line.removeprefix(_BOM)
        if not line:
            if self._data:
                data, name = b"\n".join(self._data), self._name
                self._data, self._held, self._name = [], 0, b""
                self._dispatch(data, name, at_ns)
            self._name = b""
            return
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
            self._held += len(value) + 1
        elif field == b"event":
            self._name = value

    def _dispatch(self, data: bytes, name: bytes, at_ns: int) -> None:
        self.events += 1
        self.last_ns = at_ns
        self._sink.event(data, name, at_ns)
