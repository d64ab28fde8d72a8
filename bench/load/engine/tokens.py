"""What the events of a streamed answer say: which of them bring text, how many tokens, how it ended. Pure.

The form is that of OpenAI's chat completions and completions, which every server of language models speaks. An event
brings text when a choice of it has non-empty content, reasoning, a tool call's name or arguments, or text; a role, a
usage block and `[DONE]` do not. An event of any other form counts as text when it has data, so that a scoring script
which streams lines of its own is measured too.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from bench.sample import TokensFrom

_DONE = b"[DONE]"
_MOST = 0xFFFFFFFF


class _Function(Struct, frozen=True, gc=False):
    name: str | None = None
    arguments: str | None = None


class _ToolCall(Struct, frozen=True, gc=False):
    function: _Function | None = None


class _Delta(Struct, frozen=True, gc=False):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Choice(Struct, frozen=True, gc=False):
    delta: _Delta | None = None
    text: str | None = None
    finish_reason: str | None = None


class _Usage(Struct, frozen=True, gc=False):
    completion_tokens: float | None = None
    prompt_tokens: float | None = None


class _Chunk(Struct, frozen=True, gc=False):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: Any = None


_DECODE = msgspec.json.Decoder(_Chunk).decode


class Streamed(NamedTuple):
    """What one streamed answer was. `times_ns` are those of the events with text, absolute, in order.

    `output_tokens` are what its usage says, else the events with text (`tokens_from`). `error` is what the server said
    in the middle of the stream. `broken_off`: in OpenAI's form, and neither a finish reason nor `[DONE]` came.
    """

    times_ns: list[int]
    output_tokens: int
    prompt_tokens: int
    tokens_from: TokensFrom
    error: str
    broken_off: bool


class TokenReader:
    """Reads one answer at a time, event by event (an `EventSink` of the wire); `take` hands out what it was."""

    __slots__ = ("_completed", "_ended", "_error", "_formed", "_prompt", "_streams", "_times")

    def __init__(self) -> None:
        self._streams = False
        self.begin()
        self._streams = False

    def begin(self) -> None:
        """An answer is a stream."""
        self._streams = True
        self._times: list[int] = []
        self._completed: int | None = None
        self._prompt = 0
        self._formed = self._ended = False
        self._error = ""

    def event(self, data: bytes, name: bytes, at_ns: int) -> None:
        """One event. Hot."""
        try:
            chunk = _DECODE(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self._of_another_form(data, name, at_ns)
            return
        choices = chunk.choices
        if choices is None:
            if chunk.error is not None or name == b"error":
                self._error = self._error or _text_of(chunk.error)
            elif chunk.usage is None:
                self._of_another_form(data, name, at_ns)
        else:
            self._formed = True
            for choice in choices:
                if choice.finish_reason is not None:
                    self._ended = True
                delta = choice.delta
                if (delta is not None and (delta.content or _brings_text(delta))) or choice.text:
                    self._times.append(at_ns)
                    break
            if chunk.error is not None:
                self._error = self._error or _text_of(chunk.error)
        if chunk.usage is not None:
            self._count(chunk.usage)

    def take(self) -> Streamed | None:
        """The last answer, if it was a stream; only once."""
        if not self._streams:
            return None
        self._streams = False
        times, completed = self._times, self._completed
        return Streamed(
            times,
            len(times) if completed is None else completed,
            self._prompt,
            TokensFrom.EVENTS if completed is None else TokensFrom.USAGE,
            self._error,
            self._formed and not self._ended,
        )

    def _count(self, usage: _Usage) -> None:
        if usage.completion_tokens is not None:
            self._completed = int(min(max(usage.completion_tokens, 0), _MOST))
        if usage.prompt_tokens is not None:
            self._prompt = int(min(max(usage.prompt_tokens, 0), _MOST))

    def _of_another_form(self, data: bytes, name: bytes, at_ns: int) -> None:
        if data == _DONE:
            self._ended = True
        elif name == b"error":
            self._error = self._error or _text_of(data.decode("utf-8", "replace"))
        elif data:
            self._times.append(at_ns)


def _brings_text(delta: _Delta) -> bool:
    """Other text than content."""
    if delta.reasoning_content or delta.reasoning:
        return True
    functions = [call.function for call in delta.tool_calls or () if call.function is not None]
    return any(function.arguments or function.name for function in functions)


def _text_of(error: Any) -> str:
    """What a server says of its error: a text, or an object with a message."""
    if isinstance(error, dict):
        error = error.get("message") or error.get("code") or "an error"
    return str(error or "an error")
