"""A server that misbehaves on purpose, one way a port, for the truth table: plain sockets and threads, on loopback."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

Behaviour = Callable[[socket.socket, int], None]
"""Answers one request on a connection, the how-manyeth it is; raises OSError or returns."""

_LONGEST_S = 20.0


def answer(status: int, body: bytes = b"{}", *headers: str) -> Behaviour:
    """A whole answer."""
    lines = [f"HTTP/1.1 {status} x", f"content-length: {len(body)}", "server: misbehaving", *headers, "", ""]

    def behave(peer: socket.socket, _: int) -> None:
        peer.sendall("\r\n".join(lines).encode() + body)

    return behave


def raw(data: bytes, *, then: str = "close") -> Behaviour:
    """Some bytes, and then: `close`, `reset`, or `silence` until the peer leaves."""

    def behave(peer: socket.socket, _: int) -> None:
        peer.sendall(data)
        if then == "silence":
            peer.settimeout(_LONGEST_S)
            peer.recv(1)
        elif then == "reset":
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise ConnectionAbortedError

    return behave


def late(seconds: float) -> Behaviour:
    """A good answer that takes its time."""
    good = answer(200)

    def behave(peer: socket.socket, number: int) -> None:
        time.sleep(seconds)
        good(peer, number)

    return behave


def sometimes(bad: Behaviour, *, every: int) -> Behaviour:
    """One request of so many goes badly."""
    good = answer(200)

    def behave(peer: socket.socket, number: int) -> None:
        (bad if number % every == 0 else good)(peer, number)

    return behave


@dataclass(slots=True)
class _Counter:
    number: int = 0


@contextlib.contextmanager
def serve(behave: Behaviour, *, certificate: tuple[Path, Path] | None = None) -> Iterator[int]:
    """The port of a server that behaves so; with a certificate and key it speaks TLS."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    counter, lock = _Counter(), threading.Lock()
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)

    def connection(peer: socket.socket) -> None:
        with contextlib.suppress(OSError), peer:
            peer.settimeout(_LONGEST_S)
            wrapped = context.wrap_socket(peer, server_side=True) if context else peer
            while _read_request(wrapped):
                with lock:
                    counter.number += 1
                    number = counter.number
                behave(wrapped, number)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = listener.accept()
                threading.Thread(target=connection, args=(peer,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def _read_request(peer: socket.socket) -> bool:
    """Take one whole request off the connection; False once the peer has gone."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = peer.recv(65536)
        if not part:
            return False
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
    )
    while len(body) < length:
        part = peer.recv(65536)
        if not part:
            return False
        body += part
    return True
