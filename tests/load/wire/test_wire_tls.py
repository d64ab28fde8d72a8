"""TLS is verified, always; what can go wrong with it is a `tls` failure that says why."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.errors import UsageError
from bench.load.wire.address import parse_address, tls_context
from tests.load.engine.wiring import Wiring, request_of
from tests.load.wire.authority import Authority
from tests.load.wire.scripted import OK, Peer, answering, scripted


def test_own_authority(wiring: Wiring, authority: Authority) -> None:
    """With its CA file the server is believed, and the connection is kept."""
    with scripted(answering(OK), tls=authority.certificate("127.0.0.1").server_context()) as server:
        connection = wiring.connection(server.uri, ca_file=authority.ca_file)
        for turn in range(3):
            seen = wiring.ask(connection)
            assert (seen.failure, seen.status, seen.connected, seen.kept) == ("", 200, turn == 0, True)
        connection.close()
    assert server.accepted == 1


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_big_bodies_both_ways(version: ssl.TLSVersion, wiring: Wiring, authority: Authority) -> None:
    """10 MB up and 10 MB down, over both versions that are in use."""
    context = authority.certificate("127.0.0.1").server_context()
    context.maximum_version = version
    body = bytes(range(250)) * 40_000
    got: list[bytes] = []

    def script(peer: Peer) -> None:
        got.append(peer.request())
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n" + body)
        got.append(peer.request())
        peer.send(OK)

    with scripted(script, tls=context) as server:
        connection = wiring.connection(server.uri, ca_file=authority.ca_file)
        seen = wiring.ask(connection, request_of(body))
        assert (seen.failure, seen.status, seen.response_bytes, seen.kept) == ("", 200, 10_000_000, True)
        assert wiring.ask(connection).status == 200
    assert got == [request_of(body), request_of()]
    assert server.errors == []


@pytest.mark.parametrize(
    ("names", "expired", "word"),
    [
        (("127.0.0.1",), True, "expired"),
        (("localhost",), False, "IP address mismatch"),
        (("127.0.0.2", "example.org"), False, "IP address mismatch"),
    ],
)
def test_a_certificate_that_is_not_good(
    names: tuple[str, ...], expired: bool, word: str, wiring: Wiring, authority: Authority
) -> None:
    """Expired, or for somebody else: no request is sent."""
    context = authority.certificate(*names, expired=expired).server_context()
    with scripted(answering(OK), tls=context) as server:
        seen = wiring.ask(wiring.connection(server.uri, ca_file=authority.ca_file))
    assert (seen.failure, seen.status, seen.kept) == ("tls", 0, False)
    assert word in seen.detail


def test_an_authority_nobody_knows(wiring: Wiring, authority: Authority) -> None:
    """Without the CA file, the system's authorities decide; there is no switch to skip that."""
    with scripted(answering(OK), tls=authority.certificate("127.0.0.1").server_context()) as server:
        seen = wiring.ask(wiring.connection(server.uri))
    assert (seen.failure, seen.status) == ("tls", 0)
    assert "unable to get local issuer certificate" in seen.detail
    assert tls_context("").verify_mode is ssl.CERT_REQUIRED
    assert tls_context("").check_hostname


def test_a_host_name_is_verified_as_a_name(wiring: Wiring, authority: Authority) -> None:
    """`localhost` in the URI is what the certificate must be for."""
    with scripted(answering(OK), tls=authority.certificate("localhost").server_context()) as server:
        uri = server.uri.replace("127.0.0.1", "localhost")
        assert wiring.ask(wiring.connection(uri, ca_file=authority.ca_file)).failure == ""


def test_a_server_that_does_not_speak_tls(wiring: Wiring) -> None:
    """Plain HTTP on an https URI."""

    def script(peer: Peer) -> None:
        peer.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        peer.wait_until_closed()

    with scripted(script, raw=True) as server:
        seen = wiring.ask(wiring.connection(server.uri))
    assert (seen.failure, seen.status) == ("tls", 0)


@pytest.mark.parametrize("rude", [False, True])
def test_a_server_that_leaves_during_the_handshake(rude: bool, wiring: Wiring) -> None:
    """A failure, at once."""

    def script(peer: Peer) -> None:
        peer.some()
        if rude:
            peer.reset()

    with scripted(script, raw=True) as server:
        seen = wiring.ask(wiring.connection(server.uri))
    assert seen.failure == ("reset" if rude else "tls")


def test_too_old_a_protocol_is_refused(wiring: Wiring, authority: Authority) -> None:
    """A server that offers no cipher this client takes ends the handshake with an alert."""
    context = authority.certificate("127.0.0.1").server_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AES128-SHA")
    with scripted(answering(OK), tls=context) as server:
        seen = wiring.ask(wiring.connection(server.uri, ca_file=authority.ca_file))
    assert seen.failure == "tls"


@pytest.mark.parametrize("notify", [False, True])
def test_closed_while_idle_is_no_failure(notify: bool, wiring: Wiring, authority: Authority) -> None:
    """With a close_notify and without."""

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(OK)
        if notify:
            peer._sock.unwrap()  # type: ignore[attr-defined] # an SSLSocket here

    with scripted(script, tls=authority.certificate("127.0.0.1").server_context()) as server:
        connection = wiring.connection(server.uri, ca_file=authority.ca_file)
        wiring.ask(connection)
        wiring.await_close(connection)
        assert wiring.ask(connection).failure == ""
    assert server.accepted == 2


@pytest.mark.parametrize("notify", [False, True])
def test_a_body_that_ends_with_the_stream(notify: bool, wiring: Wiring, authority: Authority) -> None:
    """With a close_notify it is whole. Without one somebody may have cut it off, and nobody can know how much of it."""

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.0 200 OK\r\n\r\nhello")
        if notify:
            peer._sock.unwrap()  # type: ignore[attr-defined] # an SSLSocket here

    with scripted(script, tls=authority.certificate("127.0.0.1").server_context()) as server:
        seen = wiring.ask(wiring.connection(server.uri, ca_file=authority.ca_file))
    assert (seen.failure, seen.response_bytes, seen.kept) == ("" if notify else "cut", 5, False)


def test_an_answer_and_the_end_in_one_segment(wiring: Wiring, authority: Authority) -> None:
    """After a close_notify the connection is not used again, even if TCP stays open."""
    context = authority.certificate("127.0.0.1").server_context()

    def script(peer: Peer) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_side=True)

        def pump(step: Callable[[], object]) -> None:
            while True:
                try:
                    step()
                except ssl.SSLWantReadError:
                    peer.send(outgoing.read())
                    incoming.write(peer._sock.recv(65_536))
                else:
                    return

        pump(tls.do_handshake)
        pump(lambda: tls.read(65_536))
        tls.write(OK)
        with contextlib.suppress(ssl.SSLWantReadError):
            tls.unwrap()
        peer.send(outgoing.read())
        peer.wait_until_closed()

    with scripted(script, raw=True) as server:
        connection = wiring.connection(server.uri, ca_file=authority.ca_file)
        for _ in range(2):
            seen = wiring.ask(connection)
            assert (seen.failure, seen.status, seen.connected, seen.kept) == ("", 200, True, False)


def test_garbage_inside_tls_records(wiring: Wiring, authority: Authority) -> None:
    """A record that does not decrypt is a failure of TLS, at once."""

    def script(peer: Peer) -> None:
        peer.request()
        with socket.socket(fileno=peer._sock.detach()) as below:
            below.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
            below.settimeout(10)
            while below.recv(65_536):
                pass

    with scripted(script, tls=authority.certificate("127.0.0.1").server_context()) as server:
        seen = wiring.ask(wiring.connection(server.uri, ca_file=authority.ca_file))
    assert (seen.failure, seen.kept) == ("tls", False)


def test_a_ca_file_that_is_none(tmp_path: Path) -> None:
    """It is a wrong option, found before anything is sent."""
    (tmp_path / "not.pem").write_text("hello")
    for path in (tmp_path / "not.pem", tmp_path / "missing.pem", tmp_path, "a\0b"):
        with pytest.raises(UsageError, match="--ca-file"):
            parse_address("https://127.0.0.1/", ca_file=str(path))
