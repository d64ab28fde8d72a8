"""What a streamed answer said, for whoever has to carry on with it. Pure.

While an answer comes its events are only kept; what they say is put together when it is asked for.
"""

from __future__ import annotations

import msgspec

from bench.load.engine.tokens import TokenReader

MOST_BYTES = 8 << 20
"""Of the events of one answer: a token takes about 200."""


class _Delta(msgspec.Struct, gc=False):
    content: str | None = None


class _Choice(msgspec.Struct, gc=False):
    index: int | None = None
    delta: _Delta | None = None


class _Chunk(msgspec.Struct, gc=False):
    choices: list[_Choice] | None = None


_DECODE = msgspec.json.Decoder(_Chunk).decode


class AnswerReader(TokenReader):
    """A `TokenReader` that keeps the events too, up to `most_bytes` of them."""

    __slots__ = ("_held", "_held_bytes", "_most_bytes")

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        super().__init__()

    def begin(self) -> None:
        super().begin()
        self._held: list[bytes] = []
        self._held_bytes = 0

    def event(self, data: bytes, name: bytes, at_ns: int) -> None:
        """One event. Hot."""
        super().event(data, name, at_ns)
        self._held_bytes += len(data)
        if self._held_bytes <= self._most_bytes:
            self._held.append(data)

    def text(self) -> str | None:
        """What the first choice of the last answer said, in OpenAI's form; None where it was too long to be kept."""
        if self._held_bytes > self._most_bytes:
            return None
        return "".join(map(_content_of, self._held))

    def forget(self) -> None:
        """The last answer, whose text must not be taken for that of one which is no stream."""
        self._held, self._held_bytes = [], 0


def _content_of(data: bytes) -> str:
    try:
        choices = _DECODE(data).choices or ()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    return "".join(one.delta.content or "" for one in choices if not one.index and one.delta is not None)
