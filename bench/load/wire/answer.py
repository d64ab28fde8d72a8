"""One HTTP/1.1 answer as it is parsed.

The parser is llhttp (httptools). Only headers the harness needs are kept; of a body that is not a success, the first
bytes, because Azure says there why it refused. With `keep_body` the whole of every body is kept (`pieces`). Of an
answer that is a stream of server-sent events a `sink`, where there is one, receives each event as it comes.
"""

from __future__ import annotations

import httptools

from bench.load.wire.events import EventParser, EventSink

_KEEP_BODY_BYTES = 512
_MOST_HEAD_BYTES = 65_536
"""An answer whose head is not over after this much is given up, or a server could fill the memory with it."""

_HELD_BACK = b"ms-azureml-bandwidth-"
"""How long the endpoint held request or answer back for their bandwidth: trailers, as Azure documents them."""

_LENIENCIES = {
    "lenient_headers": True,  # folded, with control characters, with a space before the colon
    "lenient_chunked_length": True,  # a length beside chunks: the chunks count (RFC 9112, 6.3)
    "lenient_optional_cr_before_lf": True,  # lines that end with LF alone
    "lenient_spaces_after_chunk_size": True,
}
"""What curl and browsers take, this takes, or a run would call a server broken that every other client is content with.
The danger is in a proxy that reads a message otherwise than the server behind it; here there is nobody behind."""


class Answer:
    """Filled by `feed`; `complete` once the message has ended. Use `reset` before each request."""

    __slots__ = (
        "at_ns",
        "body_start",
        "complete",
        "deployment",
        "events",
        "head",
        "headers_done",
        "keep_alive",
        "keep_body",
        "length_known",
        "parser",
        "pieces",
        "reason",
        "request_held_ms",
        "response_bytes",
        "response_held_ms",
        "run_failed",
        "server_time_ms",
        "sink",
        "status",
    )

    def __init__(self) -> None:
        self.keep_body = False
        self.sink: EventSink | None = None
        self.at_ns = 0  # when the bytes that are fed came
        self.renew()

    def renew(self) -> None:
        """A new connection, so a new parser."""
        self.parser = httptools.HttpResponseParser(self)
        self.parser.set_dangerous_leniencies(**_LENIENCIES)
        self.reset()

    def reset(self) -> None:
        """A new request on the same connection."""
        self.complete = False
        self.headers_done = False
        self.length_known = False
        self.keep_alive = False
        self.status = 0
        self.head = b""
        self.response_bytes = 0
        self.server_time_ms = b""
        self.request_held_ms = self.response_held_ms = b""
        self.deployment = b""
        self.reason = b""
        self.run_failed = False
        self.events: EventParser | None = None
        self.body_start = b""
        self.pieces: list[bytes] = []

    def feed(self, data: bytes) -> None:
        """Parse more bytes. What is no answer raises httptools.HttpParserError, or HttpParserUpgrade (a 101)."""
        if self.headers_done:
            self.parser.feed_data(data)
            return
        self.head += data  # nearly always the whole answer, which is kept as it is: b"" + data copies nothing
        self.parser.feed_data(data)
        if not self.headers_done and len(self.head) > _MOST_HEAD_BYTES:
            raise httptools.HttpParserError("the headers are too long")

    def end_of_stream(self) -> bool:
        """The server closed: whether that ends the answer (RFC 9112, 6.3: a body without a length) or cuts it."""
        if self.headers_done and not self.length_known and not self.complete:
            self.complete = True
        return self.complete

    def parsed_head(self) -> tuple[str, dict[str, str]]:
        """Phrase of the status line and headers of the answer so far."""
        return parse_head(self.head)

    # -- what llhttp calls, once for every header: the hot part ------------------------------------

    def on_message_begin(self) -> None:
        if self.complete:
            self.keep_alive = False  # a second answer that nobody asked for: whose is the next one?

    def on_header(self, name: bytes, value: bytes) -> None:
        key = name.lower()
        if self.headers_done:  # a trailer
            if key.startswith(_HELD_BACK) and not self.complete:
                self._held_back(key, value)
            return
        if key == b"x-ms-run-fn-exec-ms":
            self.server_time_ms = value
        elif key == b"ms-azureml-model-time":
            self.server_time_ms = self.server_time_ms or value
        elif key == b"azureml-model-deployment":
            self.deployment = value
        elif key == b"content-length":
            self.length_known = True
        elif key == b"transfer-encoding":
            self.length_known = value.lower().endswith(b"chunked")  # RFC 9112, 6.3: any other ends with the connection
        elif key == b"ms-azureml-model-error-reason":
            self.reason = value
        elif key == b"x-ms-run-function-failed":
            self.run_failed = value.lower() == b"true"
        elif key == b"content-type" and self.sink is not None and value[:17].lower() == b"text/event-stream":
            self.events = EventParser(self.sink)
        elif key.startswith(_HELD_BACK):
            self._held_back(key, value)

    def on_headers_complete(self) -> None:
        if self.headers_done:
            return  # a second answer's
        status: int = self.parser.get_status_code()
        self.status = status
        if status < 200:  # informational: nothing it says is about the answer that follows
            self.length_known = self.run_failed = False
            self.server_time_ms = self.deployment = self.reason = b""
            self.events = None
            self.request_held_ms = self.response_held_ms = b""
            return
        self.headers_done = True
        self.keep_alive = self.parser.should_keep_alive()
        if self.events is not None:
            self._begin_events()

    def on_body(self, body: bytes) -> None:
        if self.complete:
            return  # a second answer's
        self.response_bytes += len(body)
        if self.events is not None:
            self.events.feed(body, self.at_ns)
            if not self.keep_body:
                return
        if self.keep_body:
            self.pieces.append(body)
        elif self.status < 300:
            return
        if len(self.body_start) < _KEEP_BODY_BYTES:
            self.body_start += body[:_KEEP_BODY_BYTES]

    def _begin_events(self) -> None:
        """What is no success is no stream, whatever it calls itself."""
        if self.status >= 300 or self.sink is None:
            self.events = None
        else:
            self.sink.begin()

    def _held_back(self, key: bytes, value: bytes) -> None:
        if key == b"ms-azureml-bandwidth-request-delay-ms":
            self.request_held_ms = value
        elif key == b"ms-azureml-bandwidth-response-delay-ms":
            self.response_held_ms = value

    def on_message_complete(self) -> None:
        if self.headers_done:
            self.complete = True


def parse_head(head: bytes) -> tuple[str, dict[str, str]]:
    """Phrase of the status line and headers (names in lower case, the first of each) of what an answer began with.

    For the few answers that are looked at closely; those that go well never pay for it.
    """
    rest = head
    while True:
        block, _, rest = rest.partition(b"\r\n\r\n")
        status_line, *lines = block.decode("latin-1").split("\r\n")
        if not rest or status_line[9:10] != "1":  # an informational answer comes before the one that counts
            break
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers.setdefault(name.strip().lower(), value.strip())
    return (status_line[13:].strip() if status_line.startswith("HTTP/") else "", headers)
