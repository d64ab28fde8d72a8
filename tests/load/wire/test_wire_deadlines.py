"""A request has one deadline, whatever phase it is in when the server falls silent."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import gevent
import pytest

from bench.clock import monotonic_ns
from tests.load.engine.wiring import Seen, Wiring, in_greenlet, request_of
from tests.load.wire.authority import Authority
from tests.load.wire.scripted import OK, Peer, Script, answering, full_listener, scripted

SHORT_S = 0.15


@pytest.fixture
def silence() -> Iterator[threading.Event]:
    """Set at the end of a test, so that no server thread outlives it."""
    over = threading.Event()
    yield over
    over.set()


def silent(over: threading.Event) -> Script:
    """Takes the connection, and that is all."""

    def script(_: Peer) -> None:
        over.wait(10)

    return script


def read_all(peer: Peer) -> None:
    peer.wait_until_closed()


def in_time(wiring: Wiring, seen: Seen) -> None:
    """It timed out, not before its time, and long before the test's patience."""
    connection = wiring.connections[-1]
    assert (seen.failure, seen.kept) == ("timeout", False)
    assert seen.detail
    assert SHORT_S * 1e9 * 0.9 <= connection.done_ns - connection.sent_ns < 5e9


def test_connecting(wiring: Wiring) -> None:
    """A listener whose backlog is full does not answer a SYN."""
    with full_listener() as port:
        in_time(wiring, wiring.ask(wiring.connection(f"http://127.0.0.1:{port}/"), timeout_s=SHORT_S))


def test_connecting_to_a_name_with_several_addresses(wiring: Wiring, monkeypatch: pytest.MonkeyPatch) -> None:
    """The deadline is for all of them together, not for the first."""
    with full_listener() as first, full_listener() as second:
        places = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)) for port in (first, second)]
        monkeypatch.setattr("gevent.socket.getaddrinfo", lambda *_, **__: places)
        in_time(wiring, wiring.ask(wiring.connection("http://127.0.0.1/"), timeout_s=SHORT_S))


def test_shaking_hands(wiring: Wiring, silence: threading.Event) -> None:
    """A server that takes the connection and says nothing of TLS: which of the two failed is said."""
    with scripted(silent(silence), raw=True) as server:
        seen = wiring.ask(wiring.connection(server.uri), timeout_s=SHORT_S)
        in_time(wiring, seen)
        assert "no TLS handshake in time" in seen.detail


def test_a_silent_proxy(wiring: Wiring, silence: threading.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named, for the server has not been reached at all."""
    with scripted(silent(silence)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.uri.rpartition("/")[0])
        monkeypatch.setenv("NO_PROXY", "example.org")
        seen = wiring.ask(wiring.connection("https://127.0.0.1:9/score"), timeout_s=SHORT_S)
        in_time(wiring, seen)
        assert seen.detail.startswith(f"the proxy 127.0.0.1:{proxy.port} took too long")


@pytest.mark.parametrize("tls", [False, True])
def test_sending(tls: bool, wiring: Wiring, authority: Authority, silence: threading.Event) -> None:
    """A server that does not read: the kernel takes no more of a large body."""
    context = authority.certificate("127.0.0.1").server_context() if tls else None
    with scripted(silent(silence), tls=context) as server:
        connection = wiring.connection(server.uri, ca_file=authority.ca_file if tls else "")
        seen = wiring.ask(connection, request_of(b"x" * 30_000_000), timeout_s=SHORT_S)
        in_time(wiring, seen)
        assert not seen.first_byte


@pytest.mark.parametrize(
    ("said", "status", "first_byte"),
    [
        (b"", 0, False),
        (b"HTTP/1.1 100 Continue\r\n\r\n", 100, True),
        (b"HTTP/1.1 200 OK\r\nContent-Le", 0, True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", 200, True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", 200, True),
        (b"HTTP/1.1 200 OK\r\n\r\nhello", 200, True),
    ],
    ids=["nothing", "only 100", "half the headers", "half the body", "no end of trailers", "no end of body"],
)
def test_answering(said: bytes, status: int, first_byte: bool, wiring: Wiring, silence: threading.Event) -> None:
    """A server that stops in the middle."""

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(said)
        silence.wait(10)

    with scripted(script) as server:
        seen = wiring.ask(wiring.connection(server.uri), timeout_s=SHORT_S)
        in_time(wiring, seen)
        assert (seen.status, seen.first_byte) == (status, first_byte)


def test_an_answer_that_trickles_does_not_move_the_deadline(wiring: Wiring, silence: threading.Event) -> None:
    """It is a total deadline: a byte now and then does not extend it."""

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        try:
            while not silence.wait(0.01):
                peer.send(b"x")
        except OSError:
            return

    with scripted(script) as server:
        in_time(wiring, wiring.ask(wiring.connection(server.uri), timeout_s=SHORT_S))


def test_a_deadline_in_the_past_is_over_at_once(wiring: Wiring) -> None:
    """A request that waited for its lease until its deadline is not sent for ever."""
    with scripted(read_all) as server:
        seen = wiring.ask(wiring.connection(server.uri), timeout_s=-1)
    assert seen.failure == "timeout"


def test_after_a_timeout_the_next_request_is_fine(wiring: Wiring, silence: threading.Event) -> None:
    """It makes a new connection; the late answer on the old one meets nobody."""

    def script(peer: Peer) -> None:
        peer.request()
        silence.wait(10)

    with scripted(script, answering(OK)) as server:
        connection = wiring.connection(server.uri)
        assert wiring.ask(connection, timeout_s=SHORT_S).failure == "timeout"
        seen = wiring.ask(connection)
    assert (seen.failure, seen.status, seen.connected) == ("", 200, True)


def test_each_connection_has_its_own_deadline(wiring: Wiring, silence: threading.Event) -> None:
    """Twenty users with deadlines in no order all time out, none before its time."""

    def script(peer: Peer) -> None:
        peer.request()
        silence.wait(10)

    with scripted(script, backlog=64) as server:
        connections = [wiring.connection(server.uri) for _ in range(20)]
        began_ns = monotonic_ns()
        deadlines = {
            connection: began_ns + 100_000_000 + (index * 7 % 20) * 10_000_000
            for index, connection in enumerate(connections)
        }

        def all_at_once() -> None:
            users = [
                gevent.spawn(connection.exchange, request_of(), deadline_ns=deadline_ns)
                for connection, deadline_ns in deadlines.items()
            ]
            gevent.joinall(users, raise_error=True)

        in_greenlet(all_at_once)
        for connection, deadline_ns in deadlines.items():
            assert connection.failure == "timeout"
            assert deadline_ns <= connection.done_ns
