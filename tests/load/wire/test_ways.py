"""What the kernel tells of a way: nothing where it cannot, and never the server's time where it can."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.load.wire import ways as module
from bench.load.wire.ways import MOST_ASKED, Ways, kernel_tells
from tests.load.engine.wiring import Wiring
from tests.load.wire import slow_way
from tests.load.wire.scripted import OK, Peer, answering, scripted

_REPOSITORY = Path(__file__).parents[3]


def info(*, round_trip_us: int, sent_again: int = 0, size: int = 232) -> bytes:
    tcp_info = bytearray(max(size, 152))
    struct.pack_into("I", tcp_info, 68, 99_000_000)  # tcpi_rtt: whoever reads it is seen
    struct.pack_into("I", tcp_info, 100, sent_again)
    struct.pack_into("I", tcp_info, 148, round_trip_us)
    return bytes(tcp_info[:size])


class Sock:
    """A socket whose kernel says what the test wants."""

    def __init__(self, tcp_info: bytes | OSError, peer: Any = ("10.0.0.1", 443)) -> None:
        self.tcp_info = tcp_info
        self.peer = peer
        self.asked = 0

    def getpeername(self) -> Any:
        if isinstance(self.peer, OSError):
            raise self.peer
        return self.peer

    def getsockopt(self, _level: int, _name: int, size: int) -> bytes:
        self.asked += 1
        if isinstance(self.tcp_info, OSError):
            raise self.tcp_info
        return self.tcp_info[:size]


@pytest.mark.parametrize(
    "tcp_info",
    [OSError("not supported"), b"", info(round_trip_us=5, size=104), info(round_trip_us=0xFFFFFFFF)],
    ids=["no such option", "nothing", "an old kernel's, without min_rtt", "no round trip measured yet"],
)
def test_what_the_kernel_does_not_report_is_not_guessed(tcp_info: bytes | OSError) -> None:
    """The connection is counted, its round trip is null, and nothing is raised where that would end the hub."""
    ways = Ways()
    ways.opened("a", Sock(tcp_info))
    assert ways.read() == [
        {"to": "10.0.0.1:443", "open": 1, "opened": 1, "round_trip_ms": None, "sent_again": 0},
    ]


def test_another_system_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The option's number means something else there, or its struct another thing."""
    monkeypatch.setattr(module.sys, "platform", "darwin")
    sock = Sock(info(round_trip_us=10_000))
    assert kernel_tells(sock) is None
    assert sock.asked == 0


def test_a_connection_that_is_gone_already() -> None:
    """Reset between its handshake and the question whose it is: it is left out, and may be closed all the same."""
    ways = Ways()
    ways.opened("a", Sock(b"", peer=OSError("not connected")))
    ways.closed("a")
    ways.closed("never opened")
    assert ways.read() == []


def test_each_connection_keeps_its_shortest() -> None:
    """The kernel forgets its own minimum after five minutes; delayed acknowledgements would then pass for the way."""
    ways, sock = Ways(), Sock(info(round_trip_us=10_000))
    ways.opened("a", sock)
    ways.read()
    sock.tcp_info = info(round_trip_us=40_000)
    assert ways.read()[0]["round_trip_ms"] == 10.0


def test_what_is_sent_again_is_counted_once() -> None:
    """The kernel's number is a total of the connection; a new one on the same user begins anew."""
    ways, sock = Ways(), Sock(info(round_trip_us=1, sent_again=2))
    ways.opened("a", sock)
    assert ways.read()[0]["sent_again"] == 2
    sock.tcp_info = info(round_trip_us=1, sent_again=5)
    assert [ways.read()[0]["sent_again"] for _ in range(2)] == [3, 0]
    ways.closed("a")
    ways.opened("a", Sock(info(round_trip_us=1, sent_again=1)))
    assert ways.read()[0]["sent_again"] == 1


def test_thousands_of_connections_are_asked_in_turns() -> None:
    """A question costs about a microsecond, in the hub: never thousands at once, and nobody is left out."""
    ways = Ways()
    socks = [Sock(info(round_trip_us=1)) for _ in range(3 * MOST_ASKED)]
    for owner, sock in enumerate(socks):
        ways.opened(owner, sock)
    asked = sum(sock.asked for sock in socks)
    for turn in range(1, 4):
        ways.read()
        assert sum(sock.asked for sock in socks) - asked == turn * MOST_ASKED
    assert {sock.asked for sock in socks} == {2}


def test_each_address_has_figures_of_its_own() -> None:
    """IPv6 in brackets; an address without connections and without new ones is no longer listed."""
    ways = Ways()
    ways.opened("a", Sock(info(round_trip_us=2_000)))
    ways.opened("b", Sock(info(round_trip_us=4_000)))
    ways.opened("c", Sock(info(round_trip_us=9_000), peer=("2001:db8::1", 443, 0, 0)))
    ways.closed("c")
    figures = {way["to"]: (way["open"], way["opened"], way["round_trip_ms"]) for way in ways.read()}
    assert figures == {"10.0.0.1:443": (2, 2, 3.0), "[2001:db8::1]:443": (0, 1, 9.0)}
    assert [way["to"] for way in ways.read()] == ["10.0.0.1:443"]


@pytest.mark.skipif(sys.platform != "linux", reason="TCP_INFO is Linux's")
def test_a_real_connection_is_counted_and_forgotten(wiring: Wiring) -> None:
    """Kept, closed by the server, closed by us: never more open ones than there are."""

    def closing(peer: Peer) -> None:
        peer.request()
        peer.send(OK)

    with scripted(closing, answering(OK)) as server:
        connection = wiring.connection(server.uri)
        wiring.ask(connection)
        wiring.await_close(connection)
        wiring.ask(connection)
        (way,) = connection._ways.read()
        assert (way["open"], way["opened"]) == (1, 2)
        assert 0 < way["round_trip_ms"] < 1_000
        connection.close()
        connection.close()
        assert connection._ways.read() == []


def _networks() -> bool:
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        return False
    trial = "ip tuntap add dev trial0 mode tun"
    done = subprocess.run(["unshare", "-Urn", "sh", "-c", trial], capture_output=True, check=False, timeout=30)
    return done.returncode == 0


def test_the_round_trip_is_the_ways_and_not_the_servers() -> None:
    """20 ms of way, 35 ms of a server that acknowledges with its answer: the kernel's smoothed value holds both."""
    if not _networks():
        pytest.skip("no network namespace with a TUN device can be made here")
    done = subprocess.run(
        ["unshare", "-Urn", sys.executable, "-m", "tests.load.wire.slow_way"],
        capture_output=True,
        text=True,
        cwd=_REPOSITORY,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    way_ms, server_ms = 2e3 * slow_way.ONE_WAY_S, 1e3 * slow_way.SERVER_S
    (kept,) = seen["kept"]
    assert way_ms <= kept["round_trip_ms"] < way_ms + server_ms / 2
    assert seen["smoothed_ms"] > kept["round_trip_ms"] + server_ms / 4
    assert seen["lost"][0]["sent_again"] >= 1
