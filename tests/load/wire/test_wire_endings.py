"""Connections that end when they should not, and when they may: which of it is the endpoint's failure."""

from __future__ import annotations

import errno
import os
import resource
import select
import socket
import threading

import gevent
import pytest

from bench.clock import monotonic_ns
from bench.load.wire.connection import Connection
from tests.load.engine.wiring import Wiring, in_greenlet, is_open, request_of
from tests.load.wire.scripted import OK, Peer, Script, answering, full_listener, scripted


def answer_once_and_leave(peer: Peer) -> None:
    peer.request()
    peer.send(OK)


def answering_and_leaving(peer: Peer) -> None:
    peer.request()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")


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


@pytest.mark.parametrize(("leave", "word"), [(read_and_leave, "closed"), (read_and_reset, "reset")])
def test_a_request_that_the_server_may_have_begun_is_not_sent_again(leave: Script, word: str, wiring: Wiring) -> None:
    """It was read on a kept connection and never answered: the POST may have been scored, so this is a failure."""

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(OK)
        leave(peer)

    with scripted(script, answering(OK)) as server:
        connection = wiring.connection(server.uri)
        wiring.ask(connection)
        seen = wiring.ask(connection)
        assert (seen.failure, seen.status, seen.connected, connection.replays) == (word, 0, False, 0)
        assert server.accepted == 1
        assert wiring.ask(connection).status == 200


def close_behind_its_back(connection: Connection, left: threading.Event) -> None:
    """The server goes away between the last look at the kernel and the next request."""
    left.set()
    while not select.select([connection._socket], [], [], 0.01)[0]:  # the plain one: the hub gets no turn
        pass


@pytest.mark.parametrize("rude", [False, True])
def test_a_request_that_never_reached_the_server_is_sent_again_and_counted(rude: bool, wiring: Wiring) -> None:
    """The connection was closed when it was sent, which nobody had noticed: by FIN, by RST. The count is on record."""
    left = threading.Event()

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(OK)
        left.wait(15)
        if rude:
            peer.reset()

    with scripted(script, answering(OK)) as server:
        connection = wiring.connection(server.uri)
        wiring.ask(connection)

        def job() -> None:
            close_behind_its_back(connection, left)
            connection.exchange(request_of(), deadline_ns=monotonic_ns() + 10**10)

        in_greenlet(job)
        assert (connection.failure, connection.answer.status, connection.replays) == ("", 200, 1)
        assert connection.connect_ns > 0
        assert server.accepted == 2
        connection.close()


def test_it_is_sent_again_only_once(wiring: Wiring) -> None:
    """A server that ends every connection without an answer fails the request."""
    left = threading.Event()

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(OK)
        left.wait(15)

    with scripted(script, read_and_leave) as server:
        connection = wiring.connection(server.uri)
        wiring.ask(connection)

        def job() -> None:
            close_behind_its_back(connection, left)
            connection.exchange(request_of(), deadline_ns=monotonic_ns() + 10**10)

        in_greenlet(job)
    assert (connection.failure, connection.replays, server.accepted) == ("closed", 1, 2)


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
            assert seen.failure == ("reset" if rude else "cut"), start
            assert (seen.first_byte, seen.kept) == (True, False)
            assert server.accepted == 1


def test_a_failed_connect_leaves_nothing_of_the_last_answer(wiring: Wiring) -> None:
    """The deployment, time and size of an earlier answer are not recorded for a request that got none."""
    answer_of_blue = (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nazureml-model-deployment: blue\r\nx-ms-run-fn-exec-ms: 5\r\n\r\nok"
    )

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(answer_of_blue)

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


def test_an_address_that_does_not_answer_is_passed_over(wiring: Wiring, monkeypatch: pytest.MonkeyPatch) -> None:
    """After 250 ms the next one is tried too (RFC 8305). What worked is tried first from then on, without the name."""
    asked: list[str] = []
    with full_listener() as silent, scripted(answering_and_leaving) as server:

        def resolve(host: str, *_: object, **__: object) -> list[object]:
            asked.append(host)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)) for port in (silent, server.port)]

        monkeypatch.setattr("gevent.socket.getaddrinfo", resolve)
        connection = wiring.connection("http://two.test/")
        assert [wiring.ask(connection).failure for _ in range(2)] == ["", ""]
    assert asked == ["two.test"]
    assert server.accepted == 2


def test_an_address_that_refuses_is_passed_over_at_once(wiring: Wiring, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with `localhost` that is IPv6 first. When all refuse, that is the word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        nobody = listener.getsockname()[1]
    with scripted(answering(OK)) as server:
        ports = [nobody, server.port]
        monkeypatch.setattr(
            "gevent.socket.getaddrinfo",
            lambda *_, **__: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)) for port in ports],
        )
        assert wiring.ask(wiring.connection("http://two.test/")).failure == ""
        ports[:] = [nobody, nobody]
        assert wiring.ask(wiring.connection("http://two.test/")).failure == "refused"


@pytest.mark.parametrize(
    ("code", "word"),
    [(errno.EMFILE, "no_descriptors"), (errno.ENFILE, "no_descriptors"), (errno.EADDRNOTAVAIL, "no_ports")],
)
def test_this_host_s_own_limits_have_their_own_words(
    code: int, word: str, wiring: Wiring, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are nothing that the target did."""

    def begin(_: object) -> None:
        raise OSError(code, "as the system would say")

    monkeypatch.setattr("bench.load.wire.dial._begin", begin)
    assert wiring.ask(wiring.connection("http://127.0.0.1:9/")).failure == word


def test_more_connections_than_select_takes(wiring: Wiring) -> None:
    """A descriptor above 1,023 connects like any other: runs have thousands of users."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 1400:
        pytest.skip("this host allows no more")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1400), hard))
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        with scripted(answering(OK)) as server:
            connection = wiring.connection(server.uri)
            seen = wiring.ask(connection)
            assert connection._socket.fileno() > 1023
    finally:
        for number in held:
            os.close(number)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert (seen.failure, seen.status) == ("", 200)
