"""Connections that end when they should not, and when they may: which of it is the endpoint's failure."""

from __future__ import annotations

import socket
import threading

import gevent
import pytest

from bench.clock import monotonic_ns
from tests.load.engine.wiring import Wiring, in_greenlet, is_open, request_of
from tests.load.wire.scripted import OK, Peer, Script, answering, scripted


def answer_once_and_leave(peer: Peer) -> None:
    peer.request()
    peer.send(OK)


def read_and_leave(peer: Peer) -> None:
    peer.request()


def read_and_reset(peer: Peer) -> None:
    peer.request()
    peer.reset()


def test_closed_while_idle_is_no_failure(wiring: Wiring) -> None:
    """The server may close a kept connection; the next request makes a new one, and its connect is on record."""
    with scripted(answer_once_and_leave) as server:
        connection = wiring.connection(server.uri)
        wiring.ask(connection)
        wiring.await_close(connection)
        seen = wiring.ask(connection)
    assert (seen.failure, seen.status, seen.connected) == ("", 200, True)
    assert server.accepted == 2


def test_reset_while_idle_is_no_failure(wiring: Wiring) -> None:
    """Nor when it is done rudely."""

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(OK)
        peer.reset()

    with scripted(script, answering(OK)) as server:
        connection = wiring.connection(server.uri)
        wiring.ask(connection)
        wiring.await_close(connection)
        assert wiring.ask(connection).failure == ""


@pytest.mark.parametrize("leave", [read_and_leave, read_and_reset])
def test_a_kept_connection_that_ends_without_an_answer_is_replaced_once(leave: Script, wiring: Wiring) -> None:
    """The server closed it while the request was under way: one silent reconnect, counted in the service time."""

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(OK)
        leave(peer)

    with scripted(script, answering(OK)) as server:
        connection = wiring.connection(server.uri)
        wiring.ask(connection)
        seen = wiring.ask(connection)
        connection.close()
    assert (seen.failure, seen.status, seen.connected) == ("", 200, True)
    assert server.accepted == 2


def test_it_is_replaced_only_once(wiring: Wiring) -> None:
    """A server that ends every connection without an answer fails the request."""

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(OK)
        peer.request()

    with scripted(script, read_and_leave) as server:
        connection = wiring.connection(server.uri)
        wiring.ask(connection)
        seen = wiring.ask(connection)
    assert (seen.failure, seen.status, seen.kept) == ("closed", 0, False)
    assert server.accepted == 2


def test_a_new_connection_that_ends_without_an_answer_is_a_failure(wiring: Wiring) -> None:
    """`closed` by FIN, `reset` by RST; it is not tried again."""
    for leave, word in ((read_and_leave, "closed"), (read_and_reset, "reset")):
        with scripted(leave) as server:
            seen = wiring.ask(wiring.connection(server.uri))
        assert (seen.failure, seen.status, seen.first_byte) == (word, 0, False)
        assert server.accepted == 1


def test_cut_off_in_the_middle_of_an_answer_is_a_failure(wiring: Wiring) -> None:
    """Even on a kept connection: the answer had begun. By FIN, by RST, with a length or in chunks."""
    starts = (
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"H",
    )
    for start in starts:
        for rude in (False, True):

            def script(peer: Peer, start: bytes = start, rude: bool = rude) -> None:
                peer.request()
                peer.send(OK)
                peer.request()
                peer.send(start)
                if rude:
                    peer.wait_until_received()  # a reset would throw away what is still on its way
                    peer.reset()

            with scripted(script) as server:
                connection = wiring.connection(server.uri)
                wiring.ask(connection)
                seen = wiring.ask(connection)
            assert seen.failure == ("reset" if rude else "closed"), start
            assert (seen.first_byte, seen.kept) == (True, False)
            assert server.accepted == 1


def test_a_failed_connect_leaves_nothing_of_the_last_answer(wiring: Wiring) -> None:
    """What an earlier answer said of its deployment, time and size is not told of a request that got none."""
    told = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nazureml-model-deployment: blue\r\nx-ms-run-fn-exec-ms: 5\r\n\r\nok"

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(told)

    with scripted(script) as server:
        connection = wiring.connection(server.uri)
        wiring.ask(connection)
        wiring.await_close(connection)
    seen = wiring.ask(connection)
    assert (seen.failure, seen.status, seen.response_bytes, seen.connected) == ("refused", 0, 0, False)
    assert (connection.answer.deployment, connection.answer.server_time_ms) == (b"", b"")


def test_an_early_answer_stops_the_upload_and_ends_the_connection(wiring: Wiring) -> None:
    """A 413 counts at once; as the rest of the body was never sent, the next request must not follow it there."""

    def script(peer: Peer) -> None:
        peer.some()
        peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
        peer.wait_until_closed()

    with scripted(script, answering(OK)) as server:
        connection = wiring.connection(server.uri)
        seen = wiring.ask(connection, request_of(b"x" * 30_000_000))
        assert (seen.failure, seen.status, seen.response_bytes, seen.kept) == ("", 413, 3, False)
        assert wiring.ask(connection).status == 200
    assert server.accepted == 2


def test_an_early_answer_from_a_server_that_stops_reading(wiring: Wiring) -> None:
    """The user waits for room in the socket when the answer comes; it wakes up."""

    seen_by_client = threading.Event()

    def script(peer: Peer) -> None:
        peer.some()
        peer.send(b"HTTP/1.1 429 Too Many\r\nContent-Length: 0\r\n\r\n")
        seen_by_client.wait(10)

    with scripted(script) as server:
        seen = wiring.ask(wiring.connection(server.uri), request_of(b"x" * 30_000_000))
        seen_by_client.set()
    assert (seen.failure, seen.status, seen.kept) == ("", 429, False)


def test_a_body_without_length_may_end_with_half_a_close(wiring: Wiring) -> None:
    """FIN ends the answer even when the server goes on reading."""

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.0 200 OK\r\n\r\nhello")
        peer.finish_sending()
        peer.wait_until_closed()

    with scripted(script) as server:
        seen = wiring.ask(wiring.connection(server.uri))
    assert (seen.failure, seen.response_bytes) == ("", 5)


def test_nobody_listens(wiring: Wiring) -> None:
    """`refused`, and the next request tries again."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        uri = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    connection = wiring.connection(uri)
    for _ in range(2):
        seen = wiring.ask(connection)
        assert (seen.failure, seen.status, seen.kept) == ("refused", 0, False)
        assert "refused" in seen.detail


def test_no_such_host(wiring: Wiring) -> None:
    """`dns`; the name is one that RFC 6761 promises never to exist."""
    seen = wiring.ask(wiring.connection("http://nowhere.invalid/"))
    assert (seen.failure, seen.status) == ("dns", 0)


def test_a_user_killed_while_it_waits_leaves_no_answer_for_the_next(wiring: Wiring) -> None:
    """The connection is closed: the answer that still comes must not meet the next request."""
    killed = threading.Event()

    def script(peer: Peer) -> None:
        peer.request()
        killed.wait(10)
        peer.send(b"HTTP/1.1 500 Late\r\nContent-Length: 0\r\n\r\n")

    with scripted(script, answering(OK)) as server:
        connection = wiring.connection(server.uri)

        def wait() -> None:
            connection.exchange(request_of(), deadline_ns=monotonic_ns() + 10**10)

        def kill_it() -> None:
            user = gevent.spawn(wait)
            while not is_open(connection):
                gevent.sleep(0.001)
            gevent.sleep(0)
            user.kill()

        in_greenlet(kill_it)
        assert not is_open(connection)
        killed.set()
        assert wiring.ask(connection).status == 200
    assert server.accepted == 2
