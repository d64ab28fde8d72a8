"""What the events of a streamed answer say: which bring text, how many tokens, and how it ended."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bench.load.engine.tokens import Streamed, TokenReader
from bench.sample import TokensFrom


def read(*events: Any, name: bytes = b"") -> Streamed:
    """The events of one answer, a nanosecond apart from 1 on."""
    reader = TokenReader()
    reader.begin()
    for number, event in enumerate(events, start=1):
        data = event if isinstance(event, bytes) else json.dumps(event).encode()
        reader.event(data, name, number)
    found = reader.take()
    assert found is not None
    assert reader.take() is None
    return found


def delta(**content: Any) -> dict[str, Any]:
    return {"id": "c", "choices": [{"index": 0, "delta": content, "finish_reason": None}]}


END = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
USAGE = {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 11, "total_tokens": 18}}


@pytest.mark.parametrize(
    ("event", "counts"),
    [
        (delta(content="a"), True),
        (delta(reasoning_content="hm"), True),
        (delta(reasoning="hm"), True),
        (delta(tool_calls=[{"index": 0, "function": {"name": "f", "arguments": ""}}]), True),
        (delta(tool_calls=[{"index": 0, "function": {"arguments": "{"}}]), True),
        ({"choices": [{"text": "a"}]}, True),
        ({"choices": [{"delta": {}}, {"delta": {"content": "b"}}]}, True),
        (delta(role="assistant"), False),
        (delta(role="assistant", content=""), False),
        (delta(content=None, tool_calls=[]), False),
        (END, False),
        (USAGE, False),
        ({"choices": [], "prompt_filter_results": []}, False),
        (b"[DONE]", False),
        (b"", False),
        (b"plain text", True),
        ({"token": {"text": "a"}}, True),
        ([1, 2], True),
        (b'{"choices": 5}', True),
        (b"[" * 100_000, True),
        (b"\xff\xfe", True),
    ],
)
def test_which_events_bring_text(event: Any, counts: bool) -> None:
    """Content, reasoning, tool calls, text, and whatever is of another form; never a role, a usage block, an end."""
    assert read(event).times_ns == ([1] if counts else [])


def test_tokens_are_those_of_the_usage_block() -> None:
    """Else the events with text, and the answer says which; where every event has a block the last one counts."""
    from_usage = read(delta(role="assistant"), delta(content="a"), delta(content="b c"), END, USAGE, b"[DONE]")
    assert (from_usage.output_tokens, from_usage.prompt_tokens, from_usage.tokens_from) == (11, 7, TokensFrom.USAGE)
    counted = read(delta(content="a"), delta(content="b"), END, b"[DONE]")
    assert (counted.output_tokens, counted.prompt_tokens, counted.tokens_from) == (2, 0, TokensFrom.EVENTS)
    running = [{**delta(content="a"), "usage": {"prompt_tokens": 3, "completion_tokens": n}} for n in (1, 2)]
    assert read(*running, END).output_tokens == 2


@pytest.mark.parametrize("lie", [-5, 1 << 40, 3.5, 1e300])
def test_usage_that_cannot_be(lie: int) -> None:
    """A server may say anything; the sample is recorded all the same."""
    found = read(delta(content="a"), {"choices": [], "usage": {"completion_tokens": lie, "prompt_tokens": lie}})
    assert found.times_ns == [1]
    assert 0 <= found.output_tokens <= 0xFFFFFFFF
    assert 0 <= found.prompt_tokens <= 0xFFFFFFFF


@pytest.mark.parametrize(
    ("event", "name", "said"),
    [
        ({"error": {"message": "out of memory", "code": 500}}, b"", "out of memory"),
        ({"error": "no"}, b"", "no"),
        ({"error": {}}, b"", "an error"),
        (b"broken", b"error", "broken"),
        ({"message": "x"}, b"error", "an error"),
        ({**delta(content="x"), "error": {"message": "late"}}, b"", "late"),
    ],
)
def test_an_error_in_mid_stream(event: Any, name: bytes, said: str) -> None:
    """Of either form; what came before it is kept."""
    reader = TokenReader()
    reader.begin()
    reader.event(json.dumps(delta(content="a")).encode(), b"", 1)
    reader.event(event if isinstance(event, bytes) else json.dumps(event).encode(), name, 2)
    found = reader.take()
    assert found is not None
    assert found.error == said
    assert found.times_ns[0] == 1


def test_a_stream_that_was_broken_off() -> None:
    """In OpenAI's form a finish reason or [DONE] ends it; another form has no end but the answer's own."""
    assert read(delta(content="a")).broken_off
    assert not read(delta(content="a"), END).broken_off
    assert not read(delta(content="a"), b"[DONE]").broken_off
    assert not read(b"line one", b"line two").broken_off


def test_no_stream_is_none() -> None:
    """And one that never began has nothing to tell."""
    assert TokenReader().take() is None
