"""One client's connection to a scoring URI: bytes in, `ScoreRequest` out, bytes back. Edge; the hottest path.

Answers bypass the transport's queue where they can: uvloop writes at the end of its turn, up to a millisecond
after `write` was called when many requests come at once, and the emulator's times are to be the truth.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable
from time import monotonic_ns
from typing import Protocol, cast

import httptools

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_MOST_BODY_BYTES = 1 << 20
_BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class ScoreRequest:
    """One whole request to the data plane; headers that were absent are empty. `received_ns`: its last bytes read.

    `body` is its start, as much as a chat's can be.
    """

    __slots__ = ("authorization", "body", "deployment", "keep_alive", "method", "path", "received_ns", "request_id")

    def __init__(
        self,
        method: bytes,
        path: bytes,
        authorization: bytes,
        deployment: bytes,
        request_id: bytes,
        received_ns: int,
        keep_alive: bool,
        body: bytes = b"",
    ) -> None:
        self.method = method
        self.path = path
        self.authorization = authorization
        self.deployment = deployment
        self.request_id = request_id
        self.received_ns = received_ns
        self.keep_alive = keep_alive
        self.body = body


class Scorer(Protocol):
    """Whoever answers: `accept` leads to exactly one `connection.answer`, now or later."""

    def accept(self, connection: ScoringConnection, request: ScoreRequest) -> None: ...


class ScoringConnection(asyncio.Protocol):
    """Serves one connection, one request at a time; pipelined ones wait their turn."""

    def __init__(self, scorer: Scorer, register: Callable[[ScoringConnection, bool], None]) -> None:
        self._scorer = scorer
        self._register = register
        self._transport: asyncio.Transport | None = None
        self._fd = -1
        self._parser: httptools.HttpRequestParser | None = None
        self._waiting: deque[ScoreRequest] = deque()
        self._busy = False
        self._draining = False
        self._half_closed = False
        self._keep_alive = True
        self._received_ns = 0
        self._forget()

    def _forget(self) -> None:
        self._path = b""
        self._authorization = b""
        self._deployment = b""
        self._request_id = b""
        self._body = b""
        self._expects_continue = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._parser = httptools.HttpRequestParser(self)
        if transport.get_extra_info("sslcontext") is None:
            self._fd = transport.get_extra_info("socket").fileno()
        self._register(self, True)

    def connection_lost(self, _exc: Exception | None) -> None:
        self._transport = None
        self._parser = None
        self._waiting.clear()
        self._register(self, False)

    def eof_received(self) -> bool:
        """A client that only stopped sending still gets its answer."""
        self._half_closed = True
        return self._busy and self._fd >= 0

    def data_received(self, data: bytes) -> None:
        self._received_ns = monotonic_ns()
        parser = self._parser
        if parser is None:
            return
        try:
            parser.feed_data(data)
        except httptools.HttpParserError:
            self._parser = None
            if self._transport is not None:
                self._transport.write(_BAD_REQUEST)
                self._transport.close()

    def on_url(self, url: bytes) -> None:
        self._path += url

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name == b"authorization":
            self._authorization = value
        elif name == b"x-ms-client-request-id":
            self._request_id = value[:40]
        elif name == b"azureml-model-deployment":
            self._deployment = value
        elif name == b"expect":
            self._expects_continue = value.lower() == b"100-continue"

    def on_headers_complete(self) -> None:
        if self._expects_continue and self._transport is not None:
            self._transport.write(_CONTINUE)

    def on_body(self, body: bytes) -> None:
        if len(self._body) < _MOST_BODY_BYTES:
            self._body += body

    def on_message_complete(self) -> None:
        parser = self._parser
        if parser is None:
            return
        request = ScoreRequest(
            parser.get_method(),
            self._path,
            self._authorization,
            self._deployment,
            self._request_id,
            self._received_ns,
            parser.should_keep_alive(),
            self._body,
        )
        self._forget()
        if self._busy:
            self._waiting.append(request)
        else:
            self._take_up(request)

    def _take_up(self, request: ScoreRequest) -> None:
        self._busy = True
        self._keep_alive = request.keep_alive
        self._scorer.accept(self, request)

    def answer(self, payload: bytes) -> None:
        """Send the answer to the request in hand, or what is left of it, and take up the next."""
        if not self.send(payload) or (transport := self._transport) is None:
            return
        self._busy = False
        if not self._keep_alive or (self._half_closed and not self._waiting):
            transport.close()
        elif self._waiting and not self._draining:
            # A loop, not a recursion: `accept` may answer at once, and a client may pipeline thousands.
            self._draining = True
            while self._waiting and not self._busy:
                self._take_up(self._waiting.popleft())
            self._draining = False

    def send(self, payload: bytes) -> bool:
        """Send a part of the answer. False when the client has gone."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return False
        if self._fd >= 0 and not transport.get_write_buffer_size():
            try:
                sent = os.write(self._fd, payload)
            except BlockingIOError:
                sent = 0
            except OSError:
                transport.abort()
                return False
            if sent < len(payload):
                transport.write(payload[sent:])
        else:
            transport.write(payload)
        return True

    def close(self) -> None:
        """End the connection, whatever of the answer is missing."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()
