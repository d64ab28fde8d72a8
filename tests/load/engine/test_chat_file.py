"""Conversations of `--chat`: what is added, what is passed on, and what no server would take."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.errors import UsageError
from bench.load.engine import bodies as bodies_module
from bench.load.engine import chat_fields
from bench.load.engine.bodies import Framing
from bench.load.engine.chat_file import load_chats
from bench.load.engine.conversation import FirstTurn

HELLO = {"messages": [{"role": "user", "content": "Hello"}]}


def bodies(path: Path) -> list[Any]:
    chats = load_chats(str(path), framing=Framing())
    assert all(b"Content-Type: application/json\r\n" in payload.head for payload in chats.bodies)
    assert not chats.turns
    return [json.loads(payload.tail) for payload in chats.bodies]


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


def test_turns_follow_the_messages(tmp_path: Path) -> None:
    """Each turn has its own words, limit and pause; a line without turns beside them is a conversation of one."""
    file = tmp_path / "chats.jsonl"
    parts = [{"type": "text", "text": "Look: \u00e4"}]
    lines: list[dict[str, Any]] = [
        {
            "model": "m",
            "messages": [{"role": "system", "content": "Be short", "name": "x"}],
            "turns": ["Hello", {"content": parts, "max_tokens": 3, "think_s": 0.5}],
            "max_tokens": 9,
        },
        HELLO,
        {"prompt": "Once"},
    ]
    file.write_text("\n".join(map(json.dumps, lines)))
    chats = load_chats(str(file), framing=Framing(content_type="application/x"), think_s=2.0)
    assert chats.turns == 2
    first, alone, plain = chats.bodies
    assert isinstance(first, FirstTurn)
    assert b"Content-Type: application/x\r\n" in first.head
    rest = {"model": "m", "max_tokens": 9, "stream": True, "stream_options": {"include_usage": True}}
    said = [*lines[0]["messages"], {"role": "user", "content": "Hello"}]
    assert json.loads(first.tail) == {"messages": said} | rest
    assert json.loads(b"[%b]" % first.spoken) == said
    (second,) = first.later
    assert second.think_ns == 500_000_000
    assert json.loads(second.messages) == {"role": "user", "content": parts}
    assert json.loads(b"{%b}" % second.fields[1:]) == rest | {"max_tokens": 3}
    assert isinstance(alone, FirstTurn)
    assert (alone.later, alone.request_class) == ((), "turn 1")
    assert json.loads(alone.tail)["messages"] == HELLO["messages"]
    assert not isinstance(plain, FirstTurn)


def test_conversations_that_stay_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file too large to keep is read again when a conversation begins, and gives the same ones."""
    file = tmp_path / "chats.jsonl"
    file.write_text("\n".join(json.dumps({"turns": [f"Hello {n}", "And then?"], "max_tokens": n}) for n in (1, 2, 3)))
    kept = load_chats(str(file), framing=Framing())
    monkeypatch.setattr(bodies_module, "KEPT_BYTES", 0)
    on_disk = load_chats(str(file), framing=Framing())
    assert isinstance(on_disk.bodies, bodies_module.OnDisk)
    assert [on_disk.bodies[n] for n in range(3)] == [kept.bodies[n] for n in range(3)]


def test_fields_of_every_body(tmp_path: Path) -> None:
    """A line's own come first."""
    file = tmp_path / "chats.jsonl"
    file.write_text("\n".join(map(json.dumps, [HELLO, HELLO | {"model": "own"}])))
    fields = chat_fields.decode(b'{"model": "m", "stream": false}')
    found = load_chats(str(file), framing=Framing(), fields=fields).bodies
    assert [json.loads(one.tail) for one in found] == [
        HELLO | {"model": "m", "stream": False},
        HELLO | {"model": "own", "stream": False},
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
        ('{"turns": []}', "length"),
        ('{"turns": "Hello"}', "turns"),
        ('{"turns": [5]}', "turns"),
        ('{"turns": [{"text": "Hello"}]}', "turns"),
        ('{"turns": [{"content": "Hello", "max_token": 5}]}', "max_token"),
        ('{"turns": [{"content": "Hello", "max_tokens": 0}]}', "max_tokens"),
        ('{"turns": [{"content": "Hello", "think_s": -1}]}', "think_s"),
        ('{"turns": [{"content": "Hello", "think_s": 1e9}]}', "think_s"),
        ('{"turns": ["Hello"], "prompt": "Once"}', "turns and a prompt"),
        ('{"turns": ["Hello"], "stream": false}', "streamed answer"),
        (json.dumps({"turns": ["Hello"] * 101}), "length"),
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
