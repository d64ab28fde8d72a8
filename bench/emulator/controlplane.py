"""One client's connection to the control plane, identity or admin: HTTP/1.1 around a pure handler. Edge.

The handler is `Request -> Response`; delays, silence and dropped connections that it asks for are made here.
Header and body leave in one write: two would cost a client 40 ms of Nagle and delayed ACK.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from email.utils import formatdate
from http import HTTPStatus
from typing import cast
from urllib.parse import parse_qsl, unquote, urlsplit

import httptools

from bench.emulator.messages import Ending, Request, Response

_BODY_LIMIT = 1 << 20
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

Handler = Callable[[Request], Response]


class ControlConnection(asyncio.Protocol):
    """Serves one connection. `said_now_s` is the service's own clock, which the Date header tells."""

    def __init__(
        self,
        handler: Handler,
        said_now_s: Callable[[], float],
        register: Callable[[ControlConnection, bool], None],
    ) -> None:
        self._handler = handler
        self._said_now_s = said_now_s
        self._register = register
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpRequestParser | None = None
        self._waiting: list[tuple[Request, bool]] = []
        self._busy = False
        self.hanging = False
        self._secure = False
        self._forget()

    def _forget(self) -> None:
        self._url = b""
        self._headers: dict[str, str] = {}
        self._body = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._secure = transport.get_extra_info("sslcontext") is not None
        self._parser = httptools.HttpRequestParser(self)
        self._register(self, True)

    def connection_lost(self, _exc: Exception | None) -> None:
        self._transport = None
        self._parser = None
        self._waiting.clear()
        self._register(self, False)

    def data_received(self, data: bytes) -> None:
        if self._parser is None:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._parser = None
            self._write(Response(status=400), keep_alive=False)

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        if self._headers.get("expect", "").lower() == "100-continue" and self._transport is not None:
            self._transport.write(_CONTINUE)

    def on_body(self, body: bytes) -> None:
        if len(self._body) < _BODY_LIMIT:
            self._body += body

    def on_message_complete(self) -> None:
        parser = self._parser
        if parser is None:
            return
        parts = urlsplit(self._url.decode("latin-1"))
        request = Request(
            method=parser.get_method().decode("latin-1"),
            path=unquote(parts.path),
            query=dict(parse_qsl(parts.query, keep_blank_values=True)),
            headers=self._headers,
            body=bytes(self._body),
            secure=self._secure,
        )
        self._forget()
        self._waiting.append((request, parser.should_keep_alive()))
        self._take_up()

    def _take_up(self) -> None:
        while self._waiting and not self._busy:
            request, keep_alive = self._waiting.pop(0)
            response = self._handler(request)
            if response.delay_s > 0:
                self._busy = True
                asyncio.get_running_loop().call_later(response.delay_s, self._later, response, keep_alive)
            else:
                self._end(response, keep_alive=keep_alive)

    def _later(self, response: Response, keep_alive: bool) -> None:
        self._busy = False
        self._end(response, keep_alive=keep_alive)
        self._take_up()

    def _end(self, response: Response, *, keep_alive: bool) -> None:
        if response.ending is Ending.HANG:
            self._busy = self.hanging = True
        elif response.ending is Ending.DROP:
            self.abort()
        else:
            self._write(response, keep_alive=keep_alive)

    def _write(self, response: Response, *, keep_alive: bool) -> None:
        if self._transport is None:
            return
        lines = [
            f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}",
            f"date: {formatdate(self._said_now_s(), usegmt=True)}",
            f"content-length: {len(response.body)}",
            *(f"{name}: {value}" for name, value in response.headers),
            *(() if keep_alive else ("connection: close",)),
        ]
        self._transport.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + response.body)
        if not keep_alive:
            self._transport.close()

    def abort(self) -> None:
        """Close without an answer, as a dying server does."""
        if self._transport is not None:
            self._transport.abort()
