"""Making a connection: name, TCP and TLS before one deadline. Edge.

A name with several addresses is connected to as RFC 8305 says: families take turns, the next address is tried after
250 ms or when one has failed, whichever comes first, and the first that answers is kept for the connects to come.

Knows too what word the data has for an error of the network: `failure_of`.
"""

from __future__ import annotations

import errno
import itertools
import os
import select
import socket
import ssl
from collections.abc import Iterable, Sequence
from typing import Any

import gevent
import gevent.select
import gevent.socket

from bench.clock import monotonic_ns
from bench.load.wire.address import Address
from bench.load.wire.tls import TlsStream
from bench.target.proxy import HEAD_LIMIT, Proxy, refusal

_NEXT_ADDRESS_S = 0.25
_NOT_FROM_HERE = {errno.EAFNOSUPPORT, errno.ENETUNREACH, errno.EADDRNOTAVAIL}
_OWN_LIMITS = {errno.EMFILE: "no_descriptors", errno.ENFILE: "no_descriptors", errno.EADDRNOTAVAIL: "no_ports"}


class DialFailed(Exception):
    """No connection could be made. `word` is the failure's word in the data, `detail` says more."""

    def __init__(self, word: str, detail: str) -> None:
        super().__init__(f"{word}: {detail}")
        self.word = word
        self.detail = detail


def dial(address: Address, *, deadline_ns: int) -> tuple[Any, TlsStream | None]:
    """A connected gevent socket, and the TLS over it if the address wants it. Raises DialFailed.

    The deadline is for all of a name's addresses together.
    """
    timeout = gevent.Timeout(max((deadline_ns - monotonic_ns()) / 1e9, 0.001))
    gsocket = None
    tls = None
    late = "connecting took too long"
    try:
        with timeout:
            gsocket = _connect(address)
            gsocket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if address.proxy is not None:
                late = f"the proxy {address.proxy.shown} took too long to connect on"
                _tunnel(gsocket, address.proxy, address)
            if address.tls is not None:
                late = "connected, but there was no TLS handshake in time: does it speak TLS?"
                tls = TlsStream(address.tls, address.host)
                tls.handshake(gsocket)
    except BaseException as exc:
        if gsocket is not None:
            gsocket.close()
        if exc is timeout:
            raise DialFailed("timeout", late) from exc
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


def _connect(address: Address) -> Any:
    """A socket that is connected to the server, or to the proxy before it.

    A name is asked for again only when none of the addresses it had last time works.
    """
    if address.worked:
        try:
            return _first_of(address.worked)
        except OSError as exc:
            if exc.errno in _OWN_LIMITS:
                raise
            address.worked.clear()
    first = address if address.proxy is None else address.proxy
    places = _families_in_turn(gevent.socket.getaddrinfo(first.host, first.port, type=socket.SOCK_STREAM))
    gsocket = _first_of(places)
    if len(places) > 1:
        address.worked[:] = places
    return gsocket


def _families_in_turn(places: Sequence[Any]) -> list[Any]:
    """RFC 8305, 4: the resolver's order, but families alternate."""
    families = list(dict.fromkeys(place[0] for place in places))
    lists = [[place for place in places if place[0] == family] for family in families]
    return [place for row in itertools.zip_longest(*lists) for place in row if place is not None]


def _first_of(places: list[Any]) -> Any:
    """The socket that is connected first; its place moves to the front of `places`. Raises OSError when none is."""
    waiting: dict[Any, Any] = {}
    errors: list[OSError] = []
    to_try = list(places)
    try:
        while to_try or waiting:
            if to_try:
                place = to_try.pop(0)
                try:
                    waiting[_begin(place)] = place
                except OSError as exc:
                    errors.append(exc)
                    continue
            for gsocket in _ready(waiting, _NEXT_ADDRESS_S * 1000 if to_try else None):
                place = waiting.pop(gsocket)
                code = gsocket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if code == 0:
                    gsocket.settimeout(None)
                    places.remove(place)
                    places.insert(0, place)
                    return gsocket
                gsocket.close()
                errors.append(OSError(code, os.strerror(code)))
    finally:
        for gsocket in waiting:
            gsocket.close()
    raise next((exc for exc in errors if exc.errno not in _NOT_FROM_HERE), errors[-1])


def _ready(waiting: Iterable[Any], timeout_ms: float | None) -> list[Any]:
    """Those that can be written to; none when the time is over. By poll, for select takes no descriptor above 1,023."""
    by_number = {gsocket.fileno(): gsocket for gsocket in waiting}
    poller = gevent.select.poll()
    for number in by_number:
        poller.register(number, select.POLLOUT)
    return [by_number[number] for number, _ in poller.poll(timeout_ms)]


def _begin(place: Any) -> Any:
    """A socket that is connecting. Raises OSError."""
    gsocket = gevent.socket.socket(place[0], socket.SOCK_STREAM, place[2])
    gsocket.settimeout(0.0)
    code = gsocket.connect_ex(place[4])
    if code in {0, errno.EINPROGRESS, errno.EWOULDBLOCK}:
        return gsocket
    gsocket.close()
    raise OSError(code, os.strerror(code))


def failure_of(exc: OSError) -> tuple[str, str]:
    """The failure's word in the data, and what the system or OpenSSL says of it."""
    return _word(exc), str(exc.verify_message if isinstance(exc, ssl.SSLCertVerificationError) else exc.strerror or exc)


def _word(exc: OSError) -> str:
    if exc.errno in _OWN_LIMITS:
        return _OWN_LIMITS[exc.errno]
    if isinstance(exc, TimeoutError):
        return "timeout"
    if isinstance(exc, ssl.SSLError):
        return "tls"
    if isinstance(exc, socket.gaierror):
        return "dns"
    if isinstance(exc, ConnectionRefusedError):
        return "refused"
    return "reset" if isinstance(exc, ConnectionError) else "unreachable"
