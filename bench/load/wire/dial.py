"""Making a connection: name, TCP and TLS before one deadline. Edge.

Knows too what word the data has for an error of the network: `failure_of`.
"""

from __future__ import annotations

import socket
import ssl
from typing import Any

import gevent
import gevent.socket

from bench.clock import monotonic_ns
from bench.load.wire.address import Address
from bench.load.wire.tls import TlsStream
from bench.proxy import HEAD_LIMIT, Proxy, refusal


class DialFailed(Exception):
    """No connection could be made. `word` is the failure's word in the data, `detail` says more."""

    def __init__(self, word: str, detail: str) -> None:
        super().__init__(f"{word}: {detail}")
        self.word = word
        self.detail = detail


def dial(address: Address, *, deadline_ns: int) -> tuple[Any, TlsStream | None]:
    """A connected gevent socket, and the TLS over it if the address wants it. Raises DialFailed.

    A name's addresses are tried one after the other, and the deadline is for all of them together: it must not be
    an OSError, which would only end the attempt at the current one.
    """
    timeout = gevent.Timeout(max((deadline_ns - monotonic_ns()) / 1e9, 0.001))
    gsocket = None
    tls = None
    try:
        with timeout:
            first = address if address.proxy is None else address.proxy
            gsocket = gevent.socket.create_connection((first.host, first.port))
            gsocket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if address.proxy is not None:
                _tunnel(gsocket, address.proxy, address)
            if address.tls is not None:
                tls = TlsStream(address.tls, address.host)
                tls.handshake(gsocket)
    except BaseException as exc:
        if gsocket is not None:
            gsocket.close()
        if exc is timeout:
            raise DialFailed("timeout", "connecting took too long") from exc
        if isinstance(exc, OSError):
            word, detail = failure_of(exc)
            way = f" (through the proxy {address.proxy.shown})" if address.proxy else ""
            raise DialFailed(word, detail + way) from exc
        raise  # killed while connecting
    return gsocket, tls


def _tunnel(gsocket: Any, proxy: Proxy, address: Address) -> None:
    """Have the proxy connect on to the server, which speaks only after TLS's first word: nothing is read over."""
    host = f"[{address.host}]" if ":" in address.host else address.host
    gsocket.sendall(proxy.connect_to(f"{host}:{address.port}"))
    head = b""
    while b"\r\n\r\n" not in head and len(head) < HEAD_LIMIT:
        data = gsocket.recv(4096)
        if not data:
            break
        head += data
    if said := refusal(head):
        raise DialFailed("unreachable", f"{said} ({proxy.shown})")


def failure_of(exc: OSError) -> tuple[str, str]:
    """The failure's word in the data, and what the system or OpenSSL says of it."""
    return _word(exc), str(exc.verify_message if isinstance(exc, ssl.SSLCertVerificationError) else exc.strerror or exc)


def _word(exc: OSError) -> str:
    if isinstance(exc, TimeoutError):
        return "timeout"
    if isinstance(exc, ssl.SSLError):
        return "tls"
    if isinstance(exc, socket.gaierror):
        return "dns"
    if isinstance(exc, ConnectionRefusedError):
        return "refused"
    return "reset" if isinstance(exc, ConnectionError) else "unreachable"
