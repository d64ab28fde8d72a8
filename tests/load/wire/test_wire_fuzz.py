"""Whatever a server sends: never a hang, never an exception, always an outcome, never a wrong one."""

from __future__ import annotations

import http.client
import io
import socket
from typing import Any
from unittest import mock

import gevent
import gevent.socket
import httptools
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bench.load.wire import connection as wire
from bench.load.wire.answer import Answer
from tests.load.engine.wiring import Wiring, is_open
from tests.load.wire.messages import Made, answers, cut, cuts
from tests.load.wire.scripted import OK

WORDS = {"", "closed", "cut", "reset", "protocol", "timeout"}

TOKENS = [
    *(
        b"HTTP/1.1 |HTTP/1.0 |200 OK|204 None|100 Continue|101 Switching|\r\n|\r\n\r\n|\n|\r|: |;|5|0|-1|hello".split(
            b"|"
        )
    ),
    *(
        b"Content-Length: |Transfer-Encoding: chunked|Connection: close|Connection: upgrade|Upgrade: x|\x00|\xff".split(
            b"|"
        )
    ),
    OK,
]


@st.composite
def nearly_answers(draw: st.DrawFn) -> bytes:
    """An answer with some bytes in the middle replaced by others, fewer or more."""
    raw = draw(answers()).raw
    place = draw(st.integers(0, len(raw)))
    return raw[:place] + draw(st.binary(max_size=4)) + raw[place + draw(st.integers(0, 4)) :]


fuzzed = st.binary(max_size=400) | st.lists(st.sampled_from(TOKENS), max_size=30).map(b"".join) | nearly_answers()


@given(raw=fuzzed, places=cuts)
@settings(max_examples=400)
@example(raw=b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", places=[])
@example(raw=OK + OK + OK, places=[50])
def test_the_parser_takes_anything(raw: bytes, places: list[int]) -> None:
    """Only the two errors that `wire` knows come out; an answer is complete with a final status, and then it stands."""
    answer = Answer()
    complete: tuple[int, int] | None = None
    try:
        for piece in cut(raw, places):
            answer.feed(piece)
            if complete is None and answer.complete:
                complete = (answer.status, answer.response_bytes)
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        pass
    if answer.complete:
        assert answer.status >= 200
        assert 0 <= answer.response_bytes <= len(raw)
        assert complete is None or complete == (answer.status, answer.response_bytes)
    answer.renew()
    answer.feed(OK)
    assert (answer.complete, answer.status, answer.response_bytes, answer.keep_alive) == (True, 200, 2, True)


@given(made=answers(), places=cuts)
@settings(max_examples=200)
def test_three_opinions_of_a_good_answer(made: Made, places: list[int]) -> None:
    """This parser, http.client and the generator agree on status and size, however it is cut into pieces."""
    answer = Answer()
    for piece in cut(made.raw, places):
        answer.feed(piece)
    assert answer.complete is not made.until_close
    assert answer.end_of_stream()
    assert (answer.status, answer.response_bytes) == (made.status, made.size) == other_opinion(made.raw)


@given(made=answers(), place=st.integers(min_value=0), byte=st.integers(0, 255), places=cuts)
@settings(max_examples=300)
def test_a_changed_byte_is_no_other_answer(made: Made, place: int, byte: int, places: list[int]) -> None:
    """A byte changed in a header or the body gives the same status and size, or no answer at all."""
    harmless = made.harmless_places()
    if not harmless:
        return
    place = harmless[place % len(harmless)]
    raw = made.raw[:place] + bytes([byte]) + made.raw[place + 1 :]
    answer = Answer()
    try:
        for piece in cut(raw, places):
            answer.feed(piece)
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        if not answer.complete:
            return
    if answer.end_of_stream():
        assert (answer.status, answer.response_bytes) == (made.status, made.size)


@given(made=answers(until_close=False), place=st.integers(min_value=0), places=cuts)
@settings(max_examples=200)
def test_a_cut_off_answer_is_none(made: Made, place: int, places: list[int]) -> None:
    """An answer with a length or in chunks that lacks its last byte, or more, is not complete."""
    answer = Answer()
    for piece in cut(made.raw[: place % len(made.raw)], places):
        answer.feed(piece)
    assert not answer.end_of_stream()


class Pairs:
    """Stands in for the network: each connection is one end of a socketpair whose other end says what was prepared."""

    def __init__(self) -> None:
        self._script: list[bytes] = []
        self._ending = ""
        self._far: list[socket.socket] = []
        self._speakers: list[gevent.Greenlet] = []

    def prepare(self, script: list[bytes], *, ending: str) -> None:
        self._script, self._ending = script, ending

    def dial(self, *_: Any, **__: Any) -> tuple[Any, None]:
        near, far = socket.socketpair()
        self._far.append(far)
        self._speakers.append(gevent.spawn(self._speak, far))
        return gevent.socket.socket(fileno=near.detach(), family=socket.AF_UNIX), None

    def _speak(self, far: socket.socket) -> None:
        for piece in self._script:
            try:
                far.sendall(piece)
            except OSError:
                return
            gevent.sleep(0)
        if self._ending == "fin":
            far.shutdown(socket.SHUT_WR)

    def settle(self) -> None:
        """Until everything prepared has been said, and heard."""
        gevent.joinall(self._speakers)
        gevent.idle()

    def say_when_asked(self, connection: wire.Connection, data: bytes) -> None:
        """Answer the next request on the connection that is open."""

        def speak() -> None:
            while not connection._pending:
                gevent.sleep(0)
            self._far[-1].sendall(data)

        self._speakers.append(gevent.spawn(speak))

    def close(self) -> None:
        gevent.killall(self._speakers)
        for far in self._far:
            far.close()


@given(raw=fuzzed, places=cuts, ending=st.sampled_from(("fin", "silence")))
@settings(max_examples=150)
@example(raw=OK, places=[], ending="silence")
@example(raw=OK, places=[], ending="fin")
@example(raw=OK + b"HTTP/1.1", places=[len(OK)], ending="silence")
def test_a_connection_takes_anything(raw: bytes, places: list[int], ending: str) -> None:
    """Over a real socket and the real hub: one of the known words, and the next request is answered rightly."""
    wiring, pairs = Wiring(), Pairs()
    wiring.watch.start()
    connection = wiring.connection("http://127.0.0.1:1/")
    try:
        with mock.patch.object(wire, "dial", pairs.dial):
            pairs.prepare(cut(raw, places), ending=ending)
            seen = wiring.ask(connection, timeout_s=0.01)
            assert seen.failure in WORDS
            assert seen.failure or seen.status >= 200
            assert not (seen.failure and seen.kept)
            pairs.settle()
            pairs.prepare([OK], ending="silence")
            if is_open(connection):
                pairs.say_when_asked(connection, OK)
            again = wiring.ask(connection)
        assert (again.failure, again.status, again.response_bytes) == ("", 200, 2)
    finally:
        pairs.close()
        wiring.close()


class Tape(io.BytesIO):
    """A socket as far as http.client looks at it, and a file that stays open."""

    def makefile(self, _mode: str) -> Tape:
        return self

    def close(self) -> None:
        """Another answer may follow an informational one."""


def other_opinion(raw: bytes) -> tuple[int, int]:
    """Status and size as http.client sees them."""
    tape = Tape(raw)
    while True:
        response = http.client.HTTPResponse(tape, method="POST")  # type: ignore[arg-type]
        response.begin()
        if response.status >= 200:
            return response.status, len(response.read())
