"""Conversations of several turns: what each turn says, when it counts from, and everything that ends one early."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from typing import Any

import gevent
import pytest

from bench.clock import monotonic_ns
from bench.load.engine import conversing
from bench.load.engine.answer_reader import AnswerReader
from bench.load.engine.conversation import FirstTurn, Turn, fields_of, message
from bench.load.engine.conversing import Conversing
from bench.load.engine.feeder import Feeder
from bench.load.engine.payload import JSON, Payload
from tests.load.engine.test_request import EVENT_STREAM, NO, MakeRig, Rig, chunk, rig
from tests.load.engine.wiring import in_greenlet
from tests.load.wire.scripted import OK, Peer, scripted

__all__ = ["rig"]

DONE = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
CUT = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n5\r\ndata:"
FAILED = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 7\r\n\r\ntoo far"


def said(*pieces: object, role: str = "content", index: int = 0) -> bytes:
    """A streamed answer, an event a piece."""
    events = [{"choices": [{"index": index, "delta": {role: piece}}]} for piece in pieces]
    texts = b"".join(b"data: %b\n\n" % json.dumps(event).encode() for event in events)
    return EVENT_STREAM + chunk(texts + DONE) + b"0\r\n\r\n"


def conversation(*asked: str, think_ms: int = 0) -> FirstTurn:
    turns = [Turn(message("user", words), fields_of({"max_tokens": 9}), think_ms * 1_000_000) for words in asked]
    return FirstTurn.begin(turns, content_type=JSON)


def hold(made: Rig, *conversations: Payload, goes_on: Callable[[int], bool] = lambda _: True) -> tuple[list[bool], Rig]:
    """One user holds them one after the other."""
    made.bench.feeder = Feeder(conversations, order=range(len(conversations)))
    user = Conversing(made.bench, goes_on=goes_on, content_type=JSON)

    def job() -> list[bool]:
        lag_ns = 50_000_000
        return [
            user.score(0, intended_ns=monotonic_ns() - lag_ns, number=number) for number in range(len(conversations))
        ]

    try:
        return in_greenlet(job), made
    finally:
        user.close()
        assert (made.bench.tally.in_flight, made.bench.tally.between_turns) == (0, 0)


def answers(seen: list[Any], script: Sequence[bytes]) -> Callable[[Peer], None]:
    """Gives these answers in turn, on however many connections; what it was asked is in `seen`."""
    left = list(script)

    def serve(peer: Peer) -> None:
        while request := peer.request():
            seen.append(json.loads(request.partition(b"\r\n\r\n")[2]))
            peer.send(answer := left.pop(0))
            if answer is CUT:
                peer.close()
                return

    return serve


def test_each_turn_carries_the_answers(rig: MakeRig) -> None:
    """To the letter; the first counts from when it was due, the others from when they could begin."""
    seen: list[Any] = []
    odd = ('Say "ä\\', "\n\u2028\U0001f600", "")
    with scripted(answers(seen, [said(*odd), said("two"), said("three")])) as server:
        made = rig(server)

        def think(pause_ns: int) -> bool:
            gevent.sleep(pause_ns / 1e9)
            return True

        assert hold(made, conversation("a", "b", "c", think_ms=30), goes_on=think)[0] == [True]
    spoken = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "".join(odd)},
        {"role": "user", "content": "b"},
        {"role": "assistant", "content": "two"},
        {"role": "user", "content": "c"},
    ]
    assert seen == [{"messages": spoken[:length], "max_tokens": 9} for length in (1, 3, 5)]
    rows = made.samples()
    assert [row["request_class"] for row in rows] == ["turn 1", "turn 2", "turn 3"]
    assert [event["name"] for event in made.fired] == [f"/score turn {n} [key]" for n in (1, 2, 3)]
    assert rows[0]["began_ns"] - rows[0]["intended_ns"] >= 50_000_000
    for before, row in itertools.pairwise(rows):
        assert row["intended_ns"] >= before["done_ns"] + 30_000_000
    assert [row["content_events"] for row in rows] == [2, 1, 1]
    assert made.bench.tally.conversations == {"key": {"whole": 1}}


@pytest.mark.parametrize(
    ("script", "well", "ended", "sent"),
    [
        ([FAILED], False, "turn_failed", 1),
        ([said("one"), FAILED], False, "turn_failed", 2),
        ([said("one"), CUT], False, "turn_failed", 2),
        ([said()], True, "no_text", 1),
        ([said("hm", role="reasoning_content")], True, "no_text", 1),
        ([said("other choice", index=1)], True, "no_text", 1),
        ([OK], True, "no_text", 1),
        ([said("x" * 2000)], True, "too_long", 1),
        ([said("one"), said("x" * 700), said("x" * 700)], True, "too_long", 3),
    ],
    ids=["first", "second", "cut", "empty", "reasoning", "choice", "plain", "long answer", "long conversation"],
)
def test_what_ends_a_conversation(
    rig: MakeRig, monkeypatch: pytest.MonkeyPatch, script: list[bytes], well: bool, ended: str, sent: int
) -> None:
    """A turn that failed or was cut, an answer without text, one too long to keep: counted by name, nothing hangs."""
    monkeypatch.setattr(conversing, "MOST_SPOKEN_BYTES", 1_000)
    monkeypatch.setattr(AnswerReader.__init__, "__defaults__", (1_500,))
    seen: list[Any] = []
    with scripted(answers(seen, script)) as server:
        result, made = hold(rig(server), conversation("a", "b", "c", "d"))
    assert (result, len(seen)) == ([well], sent)
    assert made.bench.tally.conversations == {"key": {ended: 1}}
    assert len(made.samples()) == sent


def test_the_run_ends_between_two_turns(rig: MakeRig) -> None:
    """The conversation ends there, which is nobody's failure."""
    seen: list[Any] = []
    with scripted(answers(seen, [said("one")])) as server:
        result, made = hold(rig(server), conversation("a", "b"), goes_on=lambda _: False)
    assert (result, len(seen)) == ([True], 1)
    assert made.bench.tally.conversations == {"key": {"run_ended": 1}}


def test_a_user_that_is_killed_while_it_thinks(rig: MakeRig) -> None:
    """Its conversation is counted, and nobody waits for it."""
    with scripted(answers([], [said("one")])) as server:
        made = rig(server)
        made.bench.feeder = Feeder([conversation("a", "b")], order=[0])
        thinks = gevent.event.Event()

        def think(_: int) -> bool:
            thinks.set()
            gevent.sleep(60)
            return True

        user = Conversing(made.bench, goes_on=think, content_type=JSON)
        greenlet = gevent.spawn(user.score, 0, intended_ns=monotonic_ns(), number=0)
        assert thinks.wait(20)
        assert made.bench.tally.between_turns == 1
        greenlet.kill()
        user.close()
    assert made.bench.tally.conversations == {"key": {"run_ended": 1}}
    assert made.bench.tally.between_turns == 0


def test_an_answer_is_never_taken_for_another_ones(rig: MakeRig) -> None:
    """After the last turn of one conversation the next one's first answer comes whole: it has no text."""
    seen: list[Any] = []
    with scripted(answers(seen, [said("one"), said("stale"), OK])) as server:
        result, made = hold(rig(server), conversation("a", "b"), conversation("c", "d"))
    assert (result, len(seen)) == ([True, True], 3)
    assert made.bench.tally.conversations == {"key": {"whole": 1, "no_text": 1}}


def test_a_replay_after_a_401(rig: MakeRig) -> None:
    """The turn is sent once more with the newer lease, and the conversation goes on."""
    seen: list[Any] = []
    with scripted(answers(seen, [said("one"), NO, said("two")])) as server:
        made = rig(server)
        made.holder.renewals = 1
        assert hold(made, conversation("a", "b"))[0] == [True]
    assert seen[1] == seen[2]
    assert made.bench.tally.conversations == {"key": {"whole": 1}}


def test_requests_that_are_no_conversation(rig: MakeRig) -> None:
    """Are sent as they are, and a conversation of one turn ends with it."""
    seen: list[Any] = []
    with scripted(answers(seen, [said("one"), said("two")])) as server:
        result, made = hold(rig(server), Payload.of(b'{"prompt": "x"}'), conversation("a"))
    assert (result, len(seen)) == ([True, True], 2)
    assert made.bench.tally.conversations == {"key": {"whole": 1}}


def test_events_that_are_no_json() -> None:
    """Bring no text to carry on with, and break nothing."""
    reader = AnswerReader()
    assert reader.text() == ""
    reader.begin()
    for data in (b"nonsense", b"[" * 100_000, b"[]", b'{"choices": 5}', b"\xff", b'{"choices":[{"delta":null}]}', b""):
        reader.event(data, b"", 1)
    reader.event(b'{"choices":[{"delta":{"content":"kept"}}]}', b"", 1)
    assert reader.text() == "kept"
