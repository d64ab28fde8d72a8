"""A conversation of several turns: what each adds, and the body that it is sent in. Pure.

A turn's body is all that was said before it, the answers among them, and what the turn says itself. Bodies are put
together from JSON that was made ahead: of a turn only the answer before it has to be encoded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import msgspec

from bench.load.engine.payload import Payload
from bench.plan.prompt_plan import turn_class

_HEAD = b'{"messages":['


@dataclass(frozen=True, slots=True)
class Turn:
    """`messages` are JSON objects with commas between them, `fields` the rest of the body as `fields_of` gives it;
    `think_ns` is the pause before it."""

    messages: bytes
    fields: bytes
    think_ns: int = 0


@dataclass(frozen=True, slots=True)
class FirstTurn(Payload):
    """The request that begins a conversation, and the turns that follow it. `spoken_bytes` of its body are messages."""

    later: tuple[Turn, ...] = ()
    spoken_bytes: int = 0

    @classmethod
    def begin(cls, turns: Sequence[Turn], *, content_type: str) -> Self:
        """Of one turn at least."""
        first, *later = turns
        plain = Payload.of(body_of(first.messages, first.fields), content_type=content_type)
        return cls(plain.head, plain.tail, turn_class(1), None, tuple(later), len(first.messages))

    @property
    def spoken(self) -> bytes:
        """The messages of its body, without the brackets."""
        begin = len(b"\r\n\r\n") + len(_HEAD)
        return self.tail[begin : begin + self.spoken_bytes]


def body_of(spoken: bytes, fields: bytes) -> bytes:
    """A whole body."""
    return b"%b%b]%b}" % (_HEAD, spoken, fields)


def fields_of(fields: Mapping[str, object]) -> bytes:
    """What stands beside the messages in a body, with the comma before it."""
    return b"," + msgspec.json.encode(fields)[1:-1] if fields else b""


def message(role: str, content: object) -> bytes:
    """One message; `content` may be raw JSON."""
    return msgspec.json.encode({"role": role, "content": content})
