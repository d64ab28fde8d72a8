"""What a connection needs around it, on the real hub of the thread that pytest runs in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import gevent

from bench.clock import monotonic_ns
from bench.load.wire.address import parse_address
from bench.load.wire.connection import Connection
from bench.load.wire.deadlines import Deadlines
from bench.load.wire.hub_watch import HubWatch
from bench.sample import NO_TIME
from bench.target.client_certificate import NO_CERTIFICATE, ClientCertificate

T = TypeVar("T")

PATIENCE_S = 20.0
"""Far beyond every deadline in these tests: whatever takes longer hangs."""


def in_greenlet(job: Callable[[], T], *, within_s: float = PATIENCE_S) -> T:
    """The result of `job` in a greenlet of its own, as a Locust user would run it."""
    greenlet = gevent.spawn(job)
    greenlet.join(within_s)
    if not greenlet.dead:
        greenlet.kill(block=False)
        raise AssertionError("it hangs")
    return greenlet.get()  # type: ignore[no-any-return] # gevent has no types


def request_of(body: bytes = b"{}", *, path: str = "/score", headers: str = "") -> bytes:
    """One POST as `exchange` builds it."""
    head = f"POST {path} HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n{headers}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


@dataclass(frozen=True)
class Seen:
    """What one exchange left behind."""

    failure: str
    detail: str
    status: int
    response_bytes: int
    first_byte: bool
    connected: bool
    kept: bool


@dataclass
class Wiring:
    """Hub watch, deadlines and the connections made with them."""

    watch: HubWatch = field(default_factory=HubWatch)
    deadlines: Deadlines = field(default_factory=Deadlines)
    connections: list[Connection] = field(default_factory=list)

    def connection(self, uri: str, *, ca_file: str = "", client: ClientCertificate = NO_CERTIFICATE) -> Connection:
        address = parse_address(uri, ca_file=ca_file, client=client)
        connection = Connection(address, watch=self.watch, deadlines=self.deadlines)
        self.connections.append(connection)
        return connection

    def ask(self, connection: Connection, request: bytes = request_of(), *, timeout_s: float = 10.0) -> Seen:
        """One exchange in a greenlet, whose times must be in order whatever happened."""
        began_ns = monotonic_ns()
        in_greenlet(lambda: connection.exchange(request, deadline_ns=began_ns + round(timeout_s * 1e9)))
        assert began_ns <= connection.sent_ns <= connection.done_ns <= monotonic_ns()
        if connection.first_byte_ns != NO_TIME:
            assert connection.sent_ns <= connection.first_byte_ns <= connection.done_ns
        assert 0 <= connection.connect_ns <= connection.done_ns - connection.sent_ns
        return Seen(
            failure=connection.failure,
            detail=connection.detail,
            status=connection.answer.status,
            response_bytes=connection.answer.response_bytes,
            first_byte=connection.first_byte_ns != NO_TIME,
            connected=connection.connect_ns > 0,
            kept=is_open(connection),
        )

    def await_close(self, connection: Connection) -> None:
        """Wait until the idle `connection` has noticed that its server went away."""

        def watch_it() -> None:
            while is_open(connection):
                gevent.sleep(0.005)

        in_greenlet(watch_it)

    def close(self) -> None:
        for connection in self.connections:
            connection.close()
        self.deadlines.close()
        self.watch.stop()


def is_open(connection: Connection) -> bool:
    return connection._socket is not None
