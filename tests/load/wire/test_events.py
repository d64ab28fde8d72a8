"""Server-sent events out of bytes, however the bytes are cut, and the answers that they come in."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.load.wire import events
from bench.load.wire.answer import Answer
from bench.load.wire.events import EventParser, EventTooLong

pytestmark = pytest.mark.hypothesis

ENDS = (b"\n", b"\r\n", b"\r")
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"


class Heard:
    """What a sink received."""

    def __init__(self) -> None:
        self.events: list[tuple[bytes, bytes, int]] = []
        self.begun = 0

    def begin(self) -> None:
        self.begun += 1

    def event(self, data: bytes, name: bytes, at_ns: int) -> None:
        self.events.append((data, name, at_ns))

    @property
    def data(self) -> list[bytes]:
        return [data for data, _, _ in self.events]


def heard(*pieces: bytes) -> Heard:
    """Each piece came a nanosecond after the one before, the first at 1."""
    sink = Heard()
    parser = EventParser(sink)
    for number, piece in enumerate(pieces, start=1):
        parser.feed(piece, number)
    assert parser.events == len(sink.events)
    return sink


@pytest.mark.parametrize(
    ("raw", "events"),
    [
        (b"data: one\n\n", [b"one"]),
        (b"data:one\n\ndata:  two\n\n", [b"one", b" two"]),
        (b"data: a\ndata: b\n\n", [b"a\nb"]),
        (b": keep-alive\n\n", []),
        (b": keep-alive\n\ndata: x\n: inside\ndata: y\n\n", [b"x\ny"]),
        (b"event: error\ndata: x\nid: 7\nretry: 10\n\n", [b"x"]),
        (b"event: ping\n\n", []),
        (b"data\n\n", [b""]),
        (b"data:\n\n", [b""]),
        (b"\n\n\n", []),
        (b"\xef\xbb\xbfdata: x\n\n", [b"x"]),
        (b"data: x\r\n\r\ndata: y\r\rdata: z\n\n", [b"x", b"y", b"z"]),
        (b"data: x\n", []),
        (b"data: x", []),
        (b"database: x\n\n", []),
        (b"data: \xff\xfe\0\n\n", [b"\xff\xfe\0"]),
    ],
)
def test_what_is_an_event(raw: bytes, events: list[bytes]) -> None:
    """As the standard has it, also when every byte comes by itself."""
    assert heard(raw).data == events
    assert heard(*(raw[place : place + 1] for place in range(len(raw)))).data == events


def test_the_name_is_that_of_one_event() -> None:
    """`event:` holds until the blank line."""
    sink = heard(b"event: error\ndata: x\n\ndata: y\n\n", b"event: ping\n\n", b"data: z\n\n")
    assert [(data, name) for data, name, _ in sink.events] == [(b"x", b"error"), (b"y", b""), (b"z", b"")]
    sink = heard(b"event: error\n", b"data: x\n\n", b"data: y\n\n")
    assert [(data, name) for data, name, _ in sink.events] == [(b"x", b"error"), (b"y", b"")]


def test_an_event_has_the_time_of_its_last_byte() -> None:
    """Several in one read have one time; one over several reads has that of the last."""
    sink = heard(b"data: a\n\ndata: b\n\nda", b"ta: c", b"\n\n")
    assert [at_ns for _, _, at_ns in sink.events] == [1, 1, 3]


def test_an_event_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it is one line, many lines, or a comment: the memory is not the server's to fill."""
    monkeypatch.setattr(events, "MOST_BYTES", 1000)
    for piece in (b"data: " + b"x" * 90, b"data: " + b"x" * 90 + b"\n", b"data:\n" * 20, b":" + b"x" * 90):
        parser = EventParser(Heard())
        with pytest.raises(EventTooLong):
            _feed_for_long(parser, piece)


def _feed_for_long(parser: EventParser, piece: bytes) -> None:
    for _ in range(100):
        parser.feed(piece, 1)


lines = st.binary(max_size=12).map(lambda raw: raw.replace(b"\n", b"").replace(b"\r", b""))


@st.composite
def streams(draw: st.DrawFn) -> tuple[bytes, list[bytes], list[int]]:
    """A stream, its events, and how many bytes there are up to the end of each."""
    raw, events, ends = b"", [], []
    for _ in range(draw(st.integers(0, 6))):
        end = draw(st.sampled_from(ENDS))
        for _ in range(draw(st.integers(0, 2))):
            raw += b":" + draw(lines) + end + (end if draw(st.booleans()) else b"")
        data = draw(st.lists(lines, min_size=1, max_size=3))
        raw += b"".join(b"data: " + line + end for line in data)
        events.append(b"\n".join(data))
        ends.append(len(raw) + 1)  # the first byte of the blank line's end
        raw += end
    return raw, events, ends


@given(streams(), st.data())
def test_cuts_change_nothing(stream: tuple[bytes, list[bytes], list[int]], data: st.DataObject) -> None:
    """However the bytes are split, the events are the same; one that is not over is none."""
    raw, events, ends = stream
    places = sorted(data.draw(st.sets(st.integers(0, len(raw)), max_size=8)))
    pieces = [raw[a:b] for a, b in itertools.pairwise((0, *places, len(raw)))]
    assert heard(*pieces).data == events
    for stop in range(len(raw) + 1):
        assert len(heard(raw[:stop]).data) == sum(end <= stop for end in ends)


BODY = b": hello\n\n" + b"".join(b'data: {"n": %d}\r\n\r\n' % number for number in range(4)) + b"data: [DONE]\n\n"
FRAMED = {
    "chunks": HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY),
    "small chunks": HEAD
    + b"Transfer-Encoding: chunked\r\n\r\n"
    + b"".join(b"7\r\n%b\r\n" % BODY[at : at + 7] for at in range(0, len(BODY) // 7 * 7, 7))
    + b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY) % 7, BODY[len(BODY) // 7 * 7 :]),
    "length": HEAD + b"Content-Length: %d\r\n\r\n%b" % (len(BODY), BODY),
    "until close": HEAD + b"Connection: close\r\n\r\n" + BODY,
}


@pytest.mark.parametrize("raw", FRAMED.values(), ids=FRAMED)
def test_a_stream_cut_at_every_byte(raw: bytes) -> None:
    """Of every framing: the events before the cut, each once, and the answer whole only when it is."""
    for stop in range(len(raw) + 1):
        sink = Heard()
        answer = Answer()
        answer.sink = sink
        answer.at_ns = 5
        answer.feed(raw[:stop])
        counted = answer.events.events if answer.events is not None else 0
        assert counted == len(sink.events)
        assert answer.complete == (stop == len(raw) and b"Connection: close" not in raw)
        ended = answer.end_of_stream()
        assert ended == (answer.headers_done if b"Connection: close" in raw else stop == len(raw))
        rest = Heard()
        other = Answer()
        other.sink = rest
        for piece in (raw[:stop], raw[stop:]):
            other.feed(piece)
        assert len(rest.data) == 5
        assert rest.data[: len(sink.data)] == sink.data


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 429 Too Many\r\nContent-Type: text/event-stream\r\n",
    ],
)
def test_what_is_no_stream(head: bytes) -> None:
    """Another type, none, and an error that calls itself a stream: the sink hears nothing."""
    sink = Heard()
    answer = Answer()
    answer.sink = sink
    answer.feed(head + b"Content-Length: 11\r\n\r\ndata: one\n\n")
    assert answer.complete
    assert (sink.begun, sink.events, answer.events) == (0, [], None)


def test_a_stream_after_another() -> None:
    """On one connection each begins anew."""
    sink = Heard()
    answer = Answer()
    answer.sink = sink
    for _ in range(2):
        answer.reset()
        answer.feed(HEAD + b"Content-Length: 11\r\n\r\ndata: one\n\n")
        assert answer.complete
    assert (sink.begun, sink.data) == (2, [b"one", b"one"])
