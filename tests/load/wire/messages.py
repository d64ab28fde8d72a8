"""HTTP answers made by hypothesis, in labelled pieces, with what a client must make of them."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

FRAMING, HEADER, BODY = "framing", "header", "body"

_names = st.sampled_from((b"x-request-id", b"server", b"date", b"x-ms-request-id", b"vary", b"x-y"))
_values = st.binary(max_size=20).map(lambda raw: bytes(32 + byte % 95 for byte in raw).strip())
_bodies = st.binary(max_size=300)
_statuses = st.sampled_from((200, 201, 206, 301, 400, 401, 403, 404, 408, 413, 424, 429, 500, 502, 503, 504, 599))


@dataclass(frozen=True)
class Made:
    """`pieces` are (bytes, label); one byte changed in a `HEADER` or `BODY` must not change status or size."""

    pieces: tuple[tuple[bytes, str], ...]
    status: int
    size: int
    until_close: bool

    @property
    def raw(self) -> bytes:
        return b"".join(piece for piece, _ in self.pieces)

    def harmless_places(self) -> list[int]:
        """Offsets into `raw` of bytes that neither frame the message nor tell its status."""
        labels = [label for piece, label in self.pieces for _ in piece]
        return [place for place, label in enumerate(labels) if label != FRAMING]


@st.composite
def answers(draw: st.DrawFn, *, until_close: bool | None = None) -> Made:
    """Length, chunks (with extensions and trailers) or the connection's end; informational answers before it."""
    pieces: list[tuple[bytes, str]] = []
    for status in draw(st.lists(st.sampled_from((100, 102, 103)), max_size=2)):
        pieces += [(b"HTTP/1.1 %d Wait\r\n" % status, FRAMING), *_headers(draw), (b"\r\n", FRAMING)]
    status = draw(_statuses)
    pieces += [(b"HTTP/1.1 %d Word\r\n" % status, FRAMING), *_headers(draw)]
    framings = (
        ("length", "chunks", "close") if until_close is None else ("close",) if until_close else ("length", "chunks")
    )
    framing = draw(st.sampled_from(framings))
    if framing == "chunks":
        chunks = draw(st.lists(_bodies.filter(bool), max_size=5))
        pieces.append((b"Transfer-Encoding: chunked\r\n\r\n", FRAMING))
        for chunk in chunks:
            extension = draw(st.sampled_from((b"", b";a", b";a=b")))
            pieces += [(b"%x%b\r\n" % (len(chunk), extension), FRAMING), (chunk, BODY), (b"\r\n", FRAMING)]
        pieces += [(b"0\r\n", FRAMING), *_headers(draw), (b"\r\n", FRAMING)]
        size = sum(map(len, chunks))
    else:
        body = draw(_bodies)
        size = len(body)
        head = b"\r\n" if framing == "close" else b"Content-Length: %d\r\n\r\n" % size
        pieces += [(head, FRAMING), (body, BODY)]
    return Made(tuple(pieces), status, size, framing == "close")


def _headers(draw: st.DrawFn) -> list[tuple[bytes, str]]:
    pieces = []
    for name, value in draw(st.lists(st.tuples(_names, _values), max_size=3)):
        pieces += [(b"%b: %b" % (name, value), HEADER), (b"\r\n", FRAMING)]
    return pieces


def cut(raw: bytes, places: list[int]) -> list[bytes]:
    """`raw` in pieces that end at these places (of any range)."""
    ends = sorted({place % (len(raw) + 1) for place in places} | {len(raw)})
    return [raw[start:end] for start, end in zip([0, *ends], ends, strict=False) if end > start]


cuts = st.lists(st.integers(min_value=0, max_value=2000), max_size=6)
