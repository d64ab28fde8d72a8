"""Servers that do to a connection exactly what a test says, byte by byte: plain sockets in plain threads."""

from __future__ import annotations

import contextlib
import fcntl
import socket
import ssl
import struct
import termios
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

_PATIENCE_S = 15.0
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Peer:
    """One accepted connection, from the server's side."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._unread = b""

    def request(self) -> bytes:
        """Read one whole request: its head, and the body that `Content-Length` tells of. b"" when there is none."""
        while b"\r\n\r\n" not in self._unread:
            if not self.some():
                return b""
        head, _, _ = self._unread.partition(b"\r\n\r\n")
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        whole = len(head) + 4 + (int(lengths[0].split(b":")[1]) if lengths else 0)
        while len(self._unread) < whole:
            if not self.some():
                return b""
        request, self._unread = self._unread[:whole], self._unread[whole:]
        return request

    def send(self, data: bytes) -> None:
        self._sock.sendall(data)

    def finish_sending(self) -> None:
        """FIN, with the other direction left open."""
        self._sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """RST."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._sock.close()

    def wait_until_received(self) -> None:
        """Until the other side's kernel has acknowledged everything that was sent."""
        while any(fcntl.ioctl(self._sock, termios.TIOCOUTQ, bytes(4))):
            pass

    def wait_until_closed(self) -> bytes:
        """Everything else the client sends before it closes."""
        while self.some():
            pass
        return self._unread

    def close(self) -> None:
        self._sock.close()

    def some(self) -> bool:
        """Read what there is, or wait for it; False when the client has closed."""
        try:
            data = self._sock.recv(65_536)
        except (ConnectionError, ssl.SSLError):
            return False
        self._unread += data
        return bool(data)


Script = Callable[[Peer], None]


@dataclass
class ScriptedServer:
    """`uri` leads to it; `accepted` counts connections; `errors` are those of the scripts, not of the client."""

    uri: str
    port: int
    accepted: int = 0
    errors: list[BaseException] = field(default_factory=list)


@contextlib.contextmanager
def scripted(
    *scripts: Script, tls: ssl.SSLContext | None = None, backlog: int = 16, raw: bool = False
) -> Iterator[ScriptedServer]:
    """Serve the n-th connection with the n-th script, and all later ones with the last.

    The connection is closed when its script returns. With `raw`, a script gets a TLS connection before its handshake.
    """
    listener = socket.create_server(("127.0.0.1", 0), backlog=backlog)
    port = listener.getsockname()[1]
    server = ScriptedServer(f"{'https' if tls or raw else 'http'}://127.0.0.1:{port}/score", port)

    def serve(sock: socket.socket, script: Script) -> None:
        peer = Peer(sock)
        try:
            sock.settimeout(_PATIENCE_S)
            if tls is not None:
                sock = tls.wrap_socket(sock, server_side=True)
                peer = Peer(sock)
            script(peer)
        except (OSError, AssertionError) as exc:
            server.errors.append(exc)
        finally:
            peer.close()

    def accept() -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            script = scripts[min(server.accepted, len(scripts) - 1)]
            server.accepted += 1
            threading.Thread(target=serve, args=(sock, script), daemon=True).start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield server
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join(_PATIENCE_S)
    # what clients left open is theirs to close: a test's wiring does, after this


def answering(*answers: bytes) -> Script:
    """Answer one request after the other with these bytes (the last for all later ones), until the client leaves."""

    def script(peer: Peer) -> None:
        turn = 0
        while peer.request():
            peer.send(answers[min(turn, len(answers) - 1)])
            turn += 1

    return script


@contextlib.contextmanager
def full_listener() -> Iterator[int]:
    """The port of a listener that accepts nobody and whose queue is full."""
    with contextlib.ExitStack() as sockets:
        listener = sockets.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = int(listener.getsockname()[1])
        for _ in range(4):
            queued = sockets.enter_context(socket.socket())
            queued.setblocking(False)
            queued.connect_ex(("127.0.0.1", port))
        yield port
