"""What the kernel knows of the way to a server: round trip, and what had to be sent again. Edge: asks sockets.

It is the way to the first TCP end only, a proxy or Azure's front door: nobody here sees what lies behind.

A round trip is `tcpi_min_rtt`, whose first value is the handshake's; never `tcpi_rtt`, for a server that acknowledges
a request along with its answer makes that one as long as the answer took. `struct tcp_info` is Linux's
(include/uapi/linux/tcp.h) and only ever grows at its end; a system that does not have it reports nothing.

DANGER: `opened` and `closed` are called while requests are under way: the first asks one socket (about 1 us, beside a
connect), the other asks nothing. The rest is asked once a second, of `MOST_ASKED` connections at most, in turns.
"""

from __future__ import annotations

import socket
import statistics
import struct
import sys
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

MOST_ASKED = 50
MOST_NEW = 500
"""New connections a second that are asked when they are opened: of more the others show enough."""
_TOTAL_RETRANS_AT, _MIN_RTT_AT = 100, 148
_TCP_INFO_BYTES = 152
_UNKNOWN_US = 0xFFFFFFFF


def kernel_tells(sock: Any) -> tuple[int, int] | None:
    """(smallest round trip in us, segments sent again) of a connected socket; None where the system reports neither."""
    if sys.platform != "linux":
        return None
    try:
        tcp_info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
    except OSError:
        return None
    if len(tcp_info) < _TCP_INFO_BYTES:
        return None
    (round_trip_us,) = struct.unpack_from("I", tcp_info, _MIN_RTT_AT)
    (sent_again,) = struct.unpack_from("I", tcp_info, _TOTAL_RETRANS_AT)
    return None if round_trip_us == _UNKNOWN_US else (round_trip_us, sent_again)


@dataclass(slots=True)
class _Open:
    """One connection: the smallest round trip it ever had, and how many segments it is known to have sent again."""

    sock: Any
    to: str
    round_trip_us: int | None = None
    sent_again: int = 0


@dataclass(slots=True)
class _Place:
    """One address: connections it has now, and what there was since the last `read`."""

    now: int = 0
    opened: int = 0
    sent_again: int = 0
    round_trips_us: list[int] = field(default_factory=list)


class Ways:
    """The open connections to one target, by the address that they lead to."""

    def __init__(self) -> None:
        self._open: dict[Any, _Open] = {}  # who was asked longest ago comes first
        self._places: dict[str, _Place] = {}

    def opened(self, owner: Any, sock: Any) -> None:
        """`owner` has a new connection."""
        try:
            to = _shown(sock.getpeername())
        except (OSError, ValueError):  # it is gone already, or has no address
            return
        one = self._open[owner] = _Open(sock, to)
        place = self._places.setdefault(to, _Place())
        place.now += 1
        place.opened += 1
        if place.opened <= MOST_NEW:
            self._ask(one, place)

    def closed(self, owner: Any) -> None:
        """Safe for an owner that has none. What it sent again since it was asked last, nobody knows."""
        one = self._open.pop(owner, None)
        if one is not None:
            self._places[one.to].now -= 1

    def read(self) -> list[dict[str, Any]]:
        """Of each address that has connections, or had new ones since the last call: see `bench.schemas.Way`."""
        for owner in list(islice(self._open, MOST_ASKED)):
            one = self._open[owner] = self._open.pop(owner)
            self._ask(one, self._places[one.to])
        places = self._places
        self._places = {to: _Place(now=place.now) for to, place in places.items()}
        return [
            {
                "to": to,
                "open": place.now,
                "opened": place.opened,
                "round_trip_ms": statistics.median(place.round_trips_us) / 1e3 if place.round_trips_us else None,
                "sent_again": place.sent_again,
            }
            for to, place in places.items()
            if place.now or place.opened
        ]

    @staticmethod
    def _ask(one: _Open, place: _Place) -> None:
        figures = kernel_tells(one.sock)
        if figures is None:
            return
        round_trip_us, sent_again = figures
        if one.round_trip_us is None or round_trip_us < one.round_trip_us:
            one.round_trip_us = round_trip_us
        place.round_trips_us.append(one.round_trip_us)
        place.sent_again += max(sent_again - one.sent_again, 0)
        one.sent_again = sent_again


def _shown(peer: Any) -> str:
    host, port = peer[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
