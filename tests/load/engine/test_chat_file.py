"""Conversations of `--chat`: what is added, what is passed on, and what no server would take."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.errors import UsageError
from bench.load.engine.bodies import Framing
from bench.load.engine.chat_file import load_chats

HELLO = {"messages": [{"role": "user", "content": "Hello"}]}


def bodies(path: Path) -> list[Any]:
    payloads, _ = load_chats(str(path), framing=Framing())
    assert all(b"Content-Type: application/json\r\n" in payload.head for payload in payloads)
    return [json.loads(payload.tail) for payload in payloads]


def test_a_streamed_answer_with_usage_is_asked_for(tmp_path: Path) -> None:
    """Unless the line says otherwise; everything else is as it was written."""
    file = tmp_path / "chats.jsonl"
    lines = [
        HELLO | {"max_tokens": 7, "model": "m", "x": [1.50, None]},
        HELLO | {"stream": False},
        HELLO | {"stream_options": {"include_usage": False}},
        {"prompt": "Once", "stream": True},
    ]
    file.write_text("\n\n".join(map(json.dumps, lines)) + "\n")
    usage = {"stream_options": {"include_usage": True}}
    assert bodies(file) == [
        lines[0] | {"stream": True} | usage,
        lines[1],
        lines[2] | {"stream": True},
        lines[3] | usage,
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "empty"),
        ("{}", "neither messages"),
        ("[]", "line 1"),
        ("nonsense", "line 1"),
        ('{"messages": []}', "length"),
        ('{"messages": ["Hello"]}', "messages"),
        ('{"messages": [{"content": "x"}]}', "role"),
        (json.dumps(HELLO | {"max_tokens": 0}), "max_tokens"),
        (json.dumps(HELLO | {"stream": "yes"}), "stream"),
        ("[" * 100_000, "line 1"),
    ],
)
def test_what_is_no_chat(line: str, said: str, tmp_path: Path) -> None:
    """One line says where and why, before the first request."""
    file = tmp_path / "chats.jsonl"
    file.write_text(line)
    with pytest.raises(UsageError) as refused:
        load_chats(str(file), framing=Framing())
    assert said in refused.value.describe()
    with pytest.raises(UsageError):
        load_chats(str(tmp_path / "none.jsonl"), framing=Framing())
