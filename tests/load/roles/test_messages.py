"""What strangers, old versions and broken networks send is dropped, and said once."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import msgpack
import msgspec
import pytest

from bench.live.view import NOTHING
from bench.load.roles import messages
from bench.load.roles.commands import CommandMessage, Cut, Go, Share, TakeOver


class FakeRunner:
    """Keeps the listeners, and what is sent."""

    def __init__(self) -> None:
        self.listeners: dict[str, Any] = {}
        self.sent: list[tuple[str, Any, str | None]] = []

    def register_message(self, kind: str, listener: Any) -> None:
        self.listeners[kind] = listener

    def send_message(self, kind: str, data: Any, client_id: str | None = None) -> None:
        self.sent.append((kind, msgpack.loads(msgpack.dumps(data)), client_id))

    def receive(self, kind: str, data: Any, node: Any) -> None:
        self.listeners[kind](environment=None, msg=SimpleNamespace(type=kind, data=data, node_id=node))


WHOLE: list[messages.Message] = [
    messages.Here(pid=7, host="h"),
    messages.Ready(request_bytes={"key": 300}, pacer="timerfd"),
    CommandMessage(sealed={"from": "master", "sequence": 1}, open=Go(monotonic_ns=1, wall_ns=2, host="h")),
    CommandMessage(sealed={}, open=TakeOver(number=1, shares=(Share(worker=1, from_ns=5, splits=((0, 2), (1, 3))),))),
    CommandMessage(sealed={}, open=Cut()),
    CommandMessage(sealed={"from": "master", "sequence": 2}),
    messages.Progress(at_ns=1, begun=2, kept=1, lost_from_ns=None),
    messages.Woke(number=2, progress=messages.Progress(at_ns=1, begun=2)),
    messages.Look(view=NOTHING),
    messages.Idle(taken=2),
    messages.Drained(progress=messages.Progress(at_ns=1)),
    messages.Flight(record={"started_ns": 1, "error": "", "longest_wait_ns": 0}),
    messages.Failed(where="a", error="b", traceback="c"),
    messages.Failed(where="a", error="b", traceback="c", exit_code=4),
    messages.Piece(file="samples", data=b"\x00\xff"),
    messages.Relay(envelope={"from": "a", "sequence": 1, "other_key": True}),
]


@pytest.mark.parametrize("message", WHOLE, ids=lambda message: message.kind)
def test_a_message_arrives_as_it_was_sent(message: messages.Message) -> None:
    """Over Locust's own encoding, and to nobody but its handler."""
    runner, got = FakeRunner(), []
    channel = messages.Channel(runner)
    channel.on(type(message), lambda node, arrived: got.append((node, arrived)))
    channel.send(message, to="w")
    ((kind, data, to),) = runner.sent
    runner.receive(kind, data, "n")
    assert got == [("n", message)]
    assert to == "w"


WRONG = [None, [], 7, "x", b"x", {"at_ns": "soon"}, {"at_ns": None}, {"at_ns": 1.5}, {1: 2}, {}, {"at_ns": {"a": []}}]


@pytest.mark.parametrize("data", WRONG, ids=repr)
def test_what_does_not_fit_is_dropped(data: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever it is, and however often: one line."""
    runner, got = FakeRunner(), []
    channel = messages.Channel(runner)
    channel.on(messages.Progress, lambda _, arrived: got.append(arrived))
    for _ in range(3):
        runner.receive("bench_progress", data, "n")
    assert got == []
    assert channel.refused == {"bench_progress": 3}
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("node", ["stranger", "", None, 7, ["n"]])
def test_a_stranger_is_not_listened_to(node: Any) -> None:
    """Who was given no order has nothing to say, whatever it calls itself."""
    runner, got = FakeRunner(), []
    channel = messages.Channel(runner)
    channel.on(messages.Idle, lambda _, arrived: got.append(arrived), expected={"n"}.__contains__)
    runner.receive("bench_idle", {}, node)
    assert got == []
    runner.receive("bench_idle", {}, "n")
    assert got == [messages.Idle()]


def test_newer_fields_are_no_reason_to_drop() -> None:
    """A worker of the next version may say more."""
    assert msgspec.convert({"taken": 1, "mood": "good"}, messages.Idle) == messages.Idle(taken=1)


BROKEN = [b"", b"\xc1", b"\x93", msgpack.dumps("x"), msgpack.dumps([1, 2]), msgpack.dumps([1, 2, 3, 4])]
BROKEN += [msgpack.dumps([{"a": 1}, None, "n"]), msgpack.dumps(["x", None, {"n": 1}]), b"\xff" * 100]
BROKEN += [
    msgpack.dumps(["x", {"__datetime__": True, "as_str": "never"}, "n"]),
    msgpack.dumps(["stats", None, "n"])[:-1],
]


PROGRAM = """
import sys
from ast import literal_eval
from locust.rpc.protocol import Message
from bench.load.roles import locust_messages
for data in literal_eval(sys.argv[1]):
    read = locust_messages._read_anything(Message, data)
    print(read.type, read.data, read.node_id)
"""


def test_bytes_that_are_no_message_are_one() -> None:
    """Locust's listener gets something that it can hand on, instead of its end; what is a message it reads as before.

    In a process of its own, which importing Locust patches.
    """
    whole = msgpack.dumps(["stats", {"a": b"b"}, "n"])
    command = [sys.executable, "-c", PROGRAM, repr([*BROKEN, whole])]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["bench_unreadable None "] * len(BROKEN) + ["stats {'a': b'b'} n"]
