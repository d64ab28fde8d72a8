"""The lines of `--chat FILE.jsonl`: one conversation each, as OpenAI's chat completions take it. Edge: reads it.

A line is the body itself: `messages` (or a `prompt`), `max_tokens`, `model`, whatever the server knows. What makes the
answer measurable is added where the line says nothing of it: `"stream": true`, and usage at the stream's end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

from bench.errors import UsageError
from bench.load.engine.bodies import Framing, Lines, kept_or_not
from bench.load.engine.payload import JSON, Payload

_HINT = 'write {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 64}'


class _Message(msgspec.Struct):
    role: str


class _Line(msgspec.Struct):
    """What must be right for a server to answer; everything else is passed on as it stands."""

    messages: Annotated[list[_Message], msgspec.Meta(min_length=1)] | msgspec.UnsetType = msgspec.UNSET
    prompt: Any = msgspec.UNSET
    max_tokens: Annotated[int, msgspec.Meta(ge=1)] | None = None
    max_completion_tokens: Annotated[int, msgspec.Meta(ge=1)] | None = None
    stream: bool | None = None
    stream_options: dict[str, Any] | None = None


_CHECK = msgspec.json.Decoder(_Line)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TRUE = msgspec.Raw(b"true")
_USAGE = msgspec.Raw(b'{"include_usage":true}')


def load_chats(path: str, *, framing: Framing) -> tuple[Sequence[Payload], str]:
    """The framed bodies of a file's lines, and its SHA-256. UsageError with the line's number for what is no chat."""
    lines = Lines(path)
    if not len(lines):
        raise UsageError(f"--chat {path} is empty", hint=_HINT)

    def read(index: int) -> Payload:
        where = f"--chat {path}, line {lines.numbers[index]}"
        return framing.frame(_streamed(lines.read(index), where=where), content_type=JSON)

    for index in range(len(lines)):
        read(index)
    return kept_or_not(len(lines), read, path), lines.sha256


def _streamed(raw: bytes, *, where: str) -> bytes:
    """A line as the body that is sent."""
    try:
        line = _CHECK.decode(raw)
        fields = _FIELDS.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise UsageError(f"{where}: {exc}", hint=_HINT) from exc
    if line.messages is msgspec.UNSET and line.prompt is msgspec.UNSET:
        raise UsageError(f"{where} has neither messages nor a prompt", hint=_HINT)
    if line.stream is None:
        fields["stream"] = _TRUE
    if line.stream is not False and line.stream_options is None:
        fields["stream_options"] = _USAGE
    return msgspec.json.encode(fields)
