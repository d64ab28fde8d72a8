"""TLS as bytes in, bytes out, because the hub reads the socket and a user writes it.

DANGER: `decrypt` runs in the hub, possibly while a user is in the middle of sending a record. It therefore
never sends: what OpenSSL wants to say (a key update) stays in the buffer and goes out with the next `encrypt`.
"""

from __future__ import annotations

import ssl
from typing import Any

_CHUNK_BYTES = 65_536


class TlsStream:
    """One connection's TLS. `host` is the name, or the IP address, that the certificate must be for."""

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.truncated = False
        """The stream ended without a close_notify: who cut it, nobody can say (RFC 8446, 6.1)."""
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)

    @property
    def version(self) -> str:
        return self._tls.version() or ""

    def handshake(self, gsocket: Any) -> None:
        """Shake hands over a gevent socket, in a user's greenlet. Raises ssl.SSLError and OSError."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                gsocket.sendall(self._outgoing.read())
                self._receive(gsocket.recv(_CHUNK_BYTES))
            else:
                gsocket.sendall(self._outgoing.read())
                return

    def encrypt(self, data: bytes | memoryview) -> bytes:
        """What to send for `data`. Raises ssl.SSLError."""
        self._tls.write(data)
        return self._outgoing.read()

    def decrypt(self, data: bytes) -> tuple[bytes, bool]:
        """The plain bytes that `data` completes, and whether the stream has ended. Raises ssl.SSLError."""
        self._receive(data)
        pieces = []
        ended = not data
        try:
            while piece := self._tls.read(_CHUNK_BYTES):
                pieces.append(piece)
            ended = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLEOFError:
            ended = self.truncated = True
        return b"".join(pieces), ended

    def _receive(self, data: bytes) -> None:
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()
