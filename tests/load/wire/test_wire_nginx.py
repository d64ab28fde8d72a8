"""The wire against nginx."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.load.engine.wiring import Wiring, request_of
from tests.load.wire.authority import Authority
from tests.load.wire.nginx import BINARY, Nginx, nginx

pytestmark = pytest.mark.skipif(BINARY is None, reason="nginx is not installed (apt-get install nginx-light)")

BIG = 10_000_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, authority: Authority, big_file: Path) -> Iterator[Nginx]:
    with nginx(tmp_path_factory.mktemp("nginx"), authority, big_file) as running:
        yield running


@pytest.mark.parametrize(
    ("path", "status", "size"),
    [("/score", 200, 8), ("/read", 200, 8), ("/chunked", 200, 100_003), ("/empty", 204, 0), ("/zero", 200, 0)],
)
def test_every_framing(path: str, status: int, size: int, server: Nginx, wiring: Wiring) -> None:
    """With a length, in chunks, empty: all on one kept connection."""
    connection = wiring.connection(server.uri(path))
    for turn in range(3):
        seen = wiring.ask(connection, request_of(path=path))
        assert (seen.failure, seen.status, seen.response_bytes) == ("", status, size)
        assert (seen.connected, seen.kept) == (turn == 0, True)


def test_what_is_called_chunked_is(server: Nginx) -> None:
    """The test above would prove nothing of chunks otherwise."""
    with urllib.request.urlopen(server.uri("/chunked"), timeout=10) as answer:
        assert answer.headers["Transfer-Encoding"] == "chunked"
        assert len(answer.read()) == 100_003


@pytest.mark.parametrize(("path", "status"), [("/missing", 404), ("/redirect", 307)])
def test_what_is_no_success_is_an_answer_too(path: str, status: int, server: Nginx, wiring: Wiring) -> None:
    """A redirect is not followed, and the connection stays."""
    connection = wiring.connection(server.uri(path))
    seen = [wiring.ask(connection, request_of(path=path)) for _ in range(2)]
    assert [(one.failure, one.status, one.kept) for one in seen] == [("", status, True)] * 2
    assert b"nginx" in connection.answer.body_start


def test_a_limit_of_requests_a_connection(server: Nginx, wiring: Wiring) -> None:
    """After its fifth request nginx closes: no failure, and every sixth request makes a connection."""
    connection = wiring.connection(server.uri("/", port="five"))
    seen = [wiring.ask(connection) for _ in range(12)]
    assert {one.failure for one in seen} == {""}
    assert {one.status for one in seen} == {200}
    assert [turn for turn, one in enumerate(seen) if one.connected] == [0, 5, 10]


def test_closed_while_idle(server: Nginx, wiring: Wiring) -> None:
    """keepalive_timeout: no failure, one new connection."""
    connection = wiring.connection(server.uri("/", port="hasty"))
    assert wiring.ask(connection).kept
    wiring.await_close(connection)
    seen = wiring.ask(connection)
    assert (seen.failure, seen.status, seen.connected) == ("", 200, True)


@pytest.mark.parametrize("port", ["plain", "tls"])
def test_big_bodies_both_ways(port: str, server: Nginx, wiring: Wiring, authority: Authority) -> None:
    """10 MB up, 10 MB down, in the clear and over TLS, all on one connection."""
    uri = server.uri("/", port=port, scheme="https" if port == "tls" else "http")
    connection = wiring.connection(uri, ca_file=authority.ca_file)
    up = wiring.ask(connection, request_of(b"x" * BIG, path="/read"))
    assert (up.failure, up.status, up.response_bytes, up.kept) == ("", 200, 8, True)
    down = wiring.ask(connection, request_of(path="/big.bin"))
    assert (down.failure, down.status, down.response_bytes, down.kept) == ("", 200, BIG, True)


def test_too_large_a_body(server: Nginx, wiring: Wiring) -> None:
    """nginx answers 413 while the body is still on its way; that is the answer, and the next request is fine."""
    connection = wiring.connection(server.uri("/refuses"))
    for _ in range(3):
        seen = wiring.ask(connection, request_of(b"x" * BIG, path="/refuses"))
        assert (seen.failure, seen.status, seen.kept) == ("", 413, False)
        assert connection.answer.body_start
    assert wiring.ask(connection).status == 200


def test_an_answer_before_the_body_was_read(server: Nginx, wiring: Wiring) -> None:
    """nginx's `return` does not wait for the body: whatever of it was not sent never meets the next request."""
    connection = wiring.connection(server.uri("/score"))
    for _ in range(5):
        assert wiring.ask(connection, request_of(b"x" * BIG)).status == 200
        assert wiring.ask(connection, request_of()).status == 200


def test_closed_without_an_answer(server: Nginx, wiring: Wiring) -> None:
    """nginx's 444."""
    seen = wiring.ask(wiring.connection(server.uri("/gone")), request_of(path="/gone"))
    assert (seen.failure, seen.status) == ("closed", 0)


def test_tls_with_own_authority(server: Nginx, wiring: Wiring, authority: Authority) -> None:
    """By address and by name."""
    for host in ("127.0.0.1", "localhost"):
        uri = server.uri("/", port="tls", scheme="https", host=host)
        connection = wiring.connection(uri, ca_file=authority.ca_file)
        seen = [wiring.ask(connection) for _ in range(3)]
        assert [(one.failure, one.status, one.connected) for one in seen] == [("", 200, turn == 0) for turn in range(3)]


@pytest.mark.parametrize(
    ("port", "word"), [("expired", "certificate has expired"), ("other", "IP address mismatch"), ("plain", "SSL")]
)
def test_tls_that_is_not_good(port: str, word: str, server: Nginx, wiring: Wiring, authority: Authority) -> None:
    """Expired, for another host, or not TLS at all."""
    seen = wiring.ask(wiring.connection(server.uri("/", port=port, scheme="https"), ca_file=authority.ca_file))
    assert (seen.failure, seen.status, seen.kept) == ("tls", 0, False)
    assert word in seen.detail


def test_http_on_the_tls_port(server: Nginx, wiring: Wiring) -> None:
    """nginx says 400 in the clear, and that is what is recorded."""
    seen = wiring.ask(wiring.connection(server.uri("/", port="tls")))
    assert (seen.failure, seen.status) == ("", 400)


def test_ipv6(server: Nginx, wiring: Wiring) -> None:
    """A scoring URI with an IPv6 address."""
    if not server.has_v6:
        pytest.skip("this machine has no [::1]")
    connection = wiring.connection(server.uri("/score", host="[::1]"))
    assert connection._address.authority == f"[::1]:{server.ports['plain']}"
    assert [wiring.ask(connection).status for _ in range(2)] == [200, 200]
