"""Streamed answers with a known schedule: what a chat body asks for, and the events it gets. Pure; on the hot path.

The events are those of OpenAI's chat completions, as vLLM and Azure write them: a role, one token an event, a finish
reason, usage where it was asked for, `[DONE]`; each is a chunk of its own. Gaps are a base plus an exponential.
"""

from __future__ import annotations

import json
from random import Random
from typing import Any

from bench.emulator.service_time import ServiceTimes
from bench.emulator.settings import StreamSettings

PATH = b"/v1/chat/completions"
MOST_TOKENS = 100_000
WHOLE, CUT, ERROR, HANG = "", "cut", "error", "hang"
"""How a stream ends: with all its tokens, broken off, with an error the model had, or never."""


class TooManyTokens(ValueError):
    """A body asks for more than a model gives; the text is what OpenAI's 400 says of it (`invalid_value`)."""

    def __init__(self, name: str, asked: int) -> None:
        message = (
            f"{name} is too large: {asked}. This model supports at most {MOST_TOKENS} completion tokens, "
            f"whereas you provided {asked}."
        )
        error = {"message": message, "type": "invalid_request_error", "param": name, "code": "invalid_value"}
        super().__init__(json.dumps({"error": error}))


def _event(value: Any) -> bytes:
    data = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    text = f"data: {data}\n\n".encode()
    return b"%x\r\n%b\r\n" % (len(text), text)


def _delta(delta: dict[str, str], finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "chatcmpl-emulator", "object": "chat.completion.chunk", "model": "emulator", "choices": [choice]}


_ROLE = _event(_delta({"role": "assistant", "content": ""}))
_TOKEN = _event(_delta({"content": " token"}))
_FINISH = _event(_delta({}, "stop"))
_DONE = _event("[DONE]")
_ERROR = _event({"error": {"message": "CUDA out of memory", "type": "server_error", "code": 500}})
_LAST_CHUNK = b"0\r\n\r\n"


class Stream:
    """One answer under way. `times_ns` has for each token when it was due and when it was handed to the kernel.

    `budget` is what it may cost, prompt and answer together.
    """

    __slots__ = ("budget", "ending", "left", "sent", "times_ns", "tokens", "usage")

    def __init__(self, tokens: int, *, prompt: int, usage: bytes, ending: str, stops_at: int) -> None:
        self.tokens = tokens
        self.budget = prompt + tokens
        self.usage = usage
        self.ending = ending
        self.left = stops_at if ending else tokens
        self.sent = 0
        self.times_ns: list[int] = []

    def next_piece(self, head: bytes) -> bytes:
        """The bytes that are due now; `head` goes before the first of them."""
        self.sent += 1
        self.left -= 1
        piece = head + _ROLE + _TOKEN if self.sent == 1 else _TOKEN
        if self.left > 0:
            return piece
        if self.ending == ERROR:
            return piece + _ERROR + _DONE + _LAST_CHUNK
        return piece if self.ending else piece + _FINISH + self.usage + _DONE + _LAST_CHUNK


class Streams:
    """Plans the streamed answers of one endpoint."""

    def __init__(self, settings: StreamSettings, seed: int) -> None:
        self._tokens = settings.tokens
        self._faults = settings.faults
        self._random = Random(seed)  # noqa: S311 - a reproducible sequence is the point
        self._first_ns = ServiceTimes(
            base_ns=settings.first_base_ns, exponential_ns=settings.first_exponential_ns, seed=seed
        ).next_ns
        self.gap_ns = ServiceTimes(
            base_ns=settings.gap_base_ns, exponential_ns=settings.gap_exponential_ns, seed=seed + 1
        ).next_ns

    def asked(self, body: bytes) -> Stream | None:
        """The stream that a body asks for; None when it asks for a plain answer. Raises TooManyTokens."""
        if b'"stream"' not in body:
            return None
        try:
            asked = json.loads(body)
        except ValueError:
            return None
        if not isinstance(asked, dict) or asked.get("stream") is not True:
            return None
        name = "max_completion_tokens" if "max_completion_tokens" in asked else "max_tokens"
        most = asked.get(name)
        if isinstance(most, int) and most > MOST_TOKENS:
            raise TooManyTokens(name, most)
        tokens = most if isinstance(most, int) and most > 0 else self._tokens
        options = asked.get("stream_options")
        wants_usage = isinstance(options, dict) and options.get("include_usage") is True
        ending = self._ending()
        stops_at = self._random.randint(1, tokens) if ending else tokens
        prompt = _words(asked)
        usage = _usage(prompt, tokens) if wants_usage else b""
        return Stream(tokens, prompt=prompt, usage=usage, ending=ending, stops_at=stops_at)

    def first_ns(self) -> int:
        """How long the first token takes."""
        return self._first_ns()

    def _ending(self) -> str:
        drawn = self._random.random() * 100 if self._faults else 100.0
        for name, percent in self._faults:
            if drawn < percent:
                return name
            drawn -= percent
        return WHOLE


def _words(asked: dict[str, Any]) -> int:
    """Of all messages: a word is a token here."""
    messages = asked.get("messages")
    turns = [one for one in messages if isinstance(one, dict)] if isinstance(messages, list) else []
    return sum(len(str(turn.get("content", "")).split()) for turn in turns)


def _usage(prompt: int, tokens: int) -> bytes:
    usage = {"prompt_tokens": prompt, "completion_tokens": tokens, "total_tokens": prompt + tokens}
    return _event({**_delta({}), "choices": [], "usage": usage})
