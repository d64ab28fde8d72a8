"""The lines of `--chat FILE.jsonl`: one conversation each, as OpenAI's chat completions take it. Edge: reads it.

A line is the body itself: `messages` (or a `prompt`), `max_tokens`, `model`, whatever the server knows. What makes the
answer measurable is added where the line says nothing of it: `"stream": true`, and usage at the stream's end.

With `turns` it is a conversation of several: what the user says, one after the other, after `messages` if there are
any. Each turn is sent once the one before it is answered, and carries that answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from bench.errors import UsageError
from bench.load.engine import chat_fields
from bench.load.engine.bodies import Framing, Lines, kept_or_not
from bench.load.engine.chat_fields import Fields
from bench.load.engine.conversation import FirstTurn, Turn, fields_of, message
from bench.load.engine.payload import JSON, Payload
from bench.plan.prompt_plan import MOST_TURNS

_HINT = 'write {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 64}'
_TURNS_HINT = 'write {"turns": ["Hello", {"content": "And then?", "max_tokens": 64}]}'
_LONGEST_THINK_S = 86_400

_Tokens = Annotated[int, msgspec.Meta(ge=1)]


class _Message(msgspec.Struct):
    role: str


class _Turn(msgspec.Struct, forbid_unknown_fields=True):
    """What the user says in a turn: a text, or a list of parts."""

    content: msgspec.Raw
    max_tokens: _Tokens | None = None
    think_s: Annotated[float, msgspec.Meta(ge=0, le=_LONGEST_THINK_S)] | None = None


class _Line(msgspec.Struct):
    """What must be right for a server to answer; everything else is passed on as it stands."""

    messages: Annotated[list[_Message], msgspec.Meta(min_length=1)] | msgspec.UnsetType = msgspec.UNSET
    prompt: Any = msgspec.UNSET
    max_tokens: _Tokens | None = None
    max_completion_tokens: _Tokens | None = None
    stream: bool | None = None
    stream_options: dict[str, Any] | None = None
    turns: Annotated[list[str | _Turn], msgspec.Meta(min_length=1, max_length=MOST_TURNS)] | None = None


class _Messages(msgspec.Struct):
    messages: list[msgspec.Raw] = []


_CHECK = msgspec.json.Decoder(_Line)
_MESSAGES = msgspec.json.Decoder(_Messages)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chats:
    """What was read. `turns` is how many the longest conversation has; 0 where no line has any."""

    bodies: Sequence[Payload]
    sha256: str
    turns: int


def load_chats(path: str, *, framing: Framing, fields: Fields | None = None, think_s: float = 0.0) -> Chats:
    """The framed bodies of a file's lines; UsageError with the line's number for what is no chat.

    `fields` are added to each line that does not have them; `think_s` is the pause before a turn that says none.
    """
    lines = Lines(path)
    if not len(lines):
        raise UsageError(f"--chat {path} is empty", hint=_HINT)

    def check(index: int) -> tuple[_Line, Fields]:
        line, own = _decode(lines.read(index), where=f"--chat {path}, line {lines.numbers[index]}")
        return line, chat_fields.streamed({**(fields or {}), **own})

    most_turns = max(len(check(index)[0].turns or ()) for index in range(len(lines)))

    def read(index: int) -> Payload:
        line, own = check(index)
        if not most_turns or (line.turns is None and line.messages is msgspec.UNSET):
            return framing.frame(msgspec.json.encode(own), content_type=JSON)
        turns = _turns(lines.read(index), line, own, think_s=think_s)
        return FirstTurn.begin(turns, content_type=framing.content_type or JSON)

    return Chats(bodies=kept_or_not(len(lines), read, path), sha256=lines.sha256, turns=most_turns)


def _decode(raw: bytes, *, where: str) -> tuple[_Line, Fields]:
    try:
        line, fields = _CHECK.decode(raw), chat_fields.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise UsageError(f"{where}: {exc}", hint=_TURNS_HINT if b'"turns"' in raw else _HINT) from exc
    if line.turns is None and line.messages is msgspec.UNSET and line.prompt is msgspec.UNSET:
        raise UsageError(f"{where} has neither messages nor a prompt", hint=_HINT)
    if line.turns is not None and line.prompt is not msgspec.UNSET:
        raise UsageError(f"{where} has turns and a prompt, which has none", hint=_TURNS_HINT)
    if line.turns is not None and line.stream is False:
        raise UsageError(f"{where}: turns need a streamed answer", hint='leave "stream" out')
    return line, fields


def _turns(raw: bytes, line: _Line, fields: Fields, *, think_s: float) -> list[Turn]:
    """Of a conversation. The user's first words follow the line's own messages; a line without turns is one."""
    spoken = [bytes(one) for one in _MESSAGES.decode(raw).messages]
    rest = {name: value for name, value in fields.items() if name not in {"messages", "turns"}}
    found = []
    for one in line.turns or (None,):
        turn = _Turn(msgspec.Raw(msgspec.json.encode(one))) if isinstance(one, str) else one
        own = dict(rest)
        if turn is not None:
            spoken.append(message("user", turn.content))
            if turn.max_tokens is not None:
                own["max_tokens"] = msgspec.Raw(str(turn.max_tokens).encode())
        pause_s = turn.think_s if turn is not None and turn.think_s is not None else think_s
        found.append(Turn(b",".join(spoken), fields_of(own), round(pause_s * 1e9)))
        spoken = []
    return found
