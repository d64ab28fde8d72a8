"""Scoring through a proxy: refusals by scripted ones first, then a real tinyproxy."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import RunInvalid
from bench.load.wire.reach import reachable_line
from tests import tinyproxy
from tests.load.engine.wiring import Wiring
from tests.load.wire.authority import Authority
from tests.load.wire.scripted import OK, Peer, answering, scripted

DENIED = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture(autouse=True)
def proxied(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Nobody is an exception, loopback neither."""
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "example.org")
    return monkeypatch


def _head_then(answer: bytes):
    def script(peer: Peer) -> None:
        while b"\r\n\r\n" not in peer._unread and peer.some():
            continue
        peer.send(answer)

    return script


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (DENIED, "407 Proxy Authentication Required"),
        (b"HTTP/1.1 403 Filtered\r\n\r\n", "403 Filtered"),
        (b"hello\r\n\r\n", "closed the connection"),
        (b"", "closed the connection"),
        (b"x" * 20_000, "closed the connection"),
    ],
)
def test_a_proxy_that_makes_no_tunnel(
    answer: bytes, says: str, wiring: Wiring, authority: Authority, proxied: pytest.MonkeyPatch
) -> None:
    """What it said is in the failure; the secret was not sent to it."""
    with scripted(_head_then(answer)) as proxy:
        proxied.setenv("HTTPS_PROXY", proxy.uri.rpartition("/")[0])
        seen = wiring.ask(wiring.connection("https://127.0.0.1:9/score", ca_file=authority.ca_file))
        assert (seen.failure, seen.kept) == ("unreachable", False)
        assert says in seen.detail
        with pytest.raises(RunInvalid, match=says):
            reachable_line("https://127.0.0.1:9/score", ca_file=authority.ca_file)


def test_a_proxy_that_is_not_there(wiring: Wiring, authority: Authority, proxied: pytest.MonkeyPatch) -> None:
    """It is named, for nobody looks for a refusal there."""
    proxied.setenv("HTTPS_PROXY", "http://user:hunter2@127.0.0.1:1")
    seen = wiring.ask(wiring.connection("https://127.0.0.1:9/score", ca_file=authority.ca_file))
    assert seen.failure == "refused"
    assert "through the proxy 127.0.0.1:1" in seen.detail
    assert "hunter2" not in seen.detail


@pytest.mark.skipif(tinyproxy.BINARY is None, reason=tinyproxy.MISSING)
class TestTinyproxy:
    @pytest.mark.parametrize("user", ["", "somebody hunter2"])
    def test_through(
        self, user: str, wiring: Wiring, authority: Authority, tmp_path: Path, proxied: pytest.MonkeyPatch
    ) -> None:
        """One tunnel for a kept connection, TLS verified end to end; the doctor goes the same way (D14)."""
        with (
            tinyproxy.tinyproxy(tmp_path, user=user) as proxy,
            scripted(answering(OK), tls=authority.certificate("127.0.0.1").server_context()) as server,
        ):
            login = user.replace(" ", ":") + "@" if user else ""
            proxied.setenv("HTTPS_PROXY", f"http://{login}127.0.0.1:{proxy.port}")
            connection = wiring.connection(server.uri, ca_file=authority.ca_file)
            for turn in range(3):
                seen = wiring.ask(connection)
                assert (seen.failure, seen.status, seen.connected) == ("", 200, turn == 0)
            connection.close()
            port = int(server.uri.rpartition(":")[2].partition("/")[0])
            assert proxy.tunnels_to(port) == 1
            untrusting = wiring.ask(wiring.connection(server.uri))
            assert untrusting.failure == "tls"

    def test_the_doctor(self, authority: Authority, tmp_path: Path, proxied: pytest.MonkeyPatch) -> None:
        """It says that a proxy is on the way."""
        with (
            tinyproxy.tinyproxy(tmp_path) as proxy,
            scripted(_head_then(OK), tls=authority.certificate("127.0.0.1").server_context()) as server,
        ):
            proxied.setenv("HTTPS_PROXY", proxy.uri)
            said = reachable_line(server.uri, ca_file=authority.ca_file)
            assert f"through the proxy 127.0.0.1:{proxy.port}" in said
