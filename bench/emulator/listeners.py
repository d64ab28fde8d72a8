"""A port that is served, and can be made to refuse connections for a while. Edge: sockets."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable

from bench.emulator.settings import HOST

_BACKLOG = 4096
_RETRY_S = 0.05


class PortTakenError(Exception):
    """Somebody else listens on that port."""

    def __init__(self, port: int) -> None:
        super().__init__(f"port {port} on {HOST} is taken; choose another with --port, or --port 0 for any free one")


class Listener:
    """One port of the emulator. `set_refusing` closes it for a while, or for good."""

    def __init__(
        self, port: int, factory: Callable[[], asyncio.Protocol], *, tls: ssl.SSLContext | None = None
    ) -> None:
        self.port = port
        self._factory = factory
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._refusing = False
        self._reopening: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{HOST}:{self.port}"

    async def open(self) -> None:
        """Bind and serve. PortTakenError when somebody else has the port."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((HOST, self.port))
            sock.listen(_BACKLOG)
        except OSError as exc:
            sock.close()
            if exc.errno == errno.EADDRINUSE and self.port:
                raise PortTakenError(self.port) from exc
            if exc.errno == errno.EADDRINUSE:  # the system says the same where all of its own choice are taken
                raise OSError(errno.EADDRNOTAVAIL, "no local port is free") from exc
            raise
        self.port = sock.getsockname()[1]
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._factory, sock=sock, ssl=self._tls, backlog=_BACKLOG)

    def set_refusing(self, refusing: bool) -> None:
        """Refuse new connections, or serve again on the same port."""
        if refusing is self._refusing:
            return
        self._refusing = refusing
        if refusing:
            if self._server is not None:
                self._server.close()
                self._server = None
        elif self._reopening is None or self._reopening.done():
            self._reopening = asyncio.get_running_loop().create_task(self._reopen())

    async def _reopen(self) -> None:
        while not self._refusing and self._server is None:
            try:
                await self.open()
            except (PortTakenError, OSError):  # or no descriptor is left for now
                await asyncio.sleep(_RETRY_S)
