"""A network that takes its time: run as `unshare -Urn python -m tests.load.wire.slow_way`, prints what it saw as JSON.

In a network of its own, every packet to 10.99.0.2 leaves through a TUN device, waits, and comes back with its two
addresses exchanged: so the kernel's real TCP talks to itself over a way whose round trip is known, and that loses the
packets that the test wants lost. (`tc netem` would do, but many kernels lack it.)
"""

from __future__ import annotations

import fcntl
import json
import os
import queue
import socket
import struct
import subprocess
import sys
import threading
import time

from bench.clock import monotonic_ns
from bench.load.wire.address import parse_address
from bench.load.wire.connection import Connection
from bench.load.wire.deadlines import Deadlines
from bench.load.wire.hub_watch import HubWatch
from bench.load.wire.ways import Ways
from tests.load.engine.wiring import in_greenlet, request_of
from tests.load.wire.scripted import OK

ONE_WAY_S = 0.01
SERVER_S = 0.035
"""Below the 40 ms after which Linux acknowledges without waiting for an answer any longer."""
_SET_INTERFACE = 0x400454CA  # TUNSETIFF
_TUN_WITHOUT_HEADER = 0x1001
_LOST = threading.Event()


def lay() -> None:
    """The way, from now on."""
    device = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(device, _SET_INTERFACE, struct.pack("16sH22x", b"slow0", _TUN_WITHOUT_HEADER))
    for words in ("link set lo up", "addr add 10.99.0.1/24 dev slow0", "link set slow0 up"):
        subprocess.run(["ip", *words.split()], check=True)
    waiting: queue.Queue[tuple[float, bytes]] = queue.Queue()

    def take() -> None:
        while True:
            packet = os.read(device, 65536)
            if packet[0] >> 4 != 4:
                continue
            if _LOST.is_set() and len(packet) > 200:  # a request
                _LOST.clear()
                continue
            turned = packet[:12] + packet[16:20] + packet[12:16] + packet[20:]  # no checksum minds
            waiting.put((time.monotonic() + ONE_WAY_S, turned))

    def give() -> None:
        while True:
            at_s, packet = waiting.get()
            time.sleep(max(at_s - time.monotonic(), 0))
            os.write(device, packet)

    for job in (take, give):
        threading.Thread(target=job, daemon=True).start()


def serve() -> int:
    """A server that answers, and with the answer acknowledges, after `SERVER_S`; its port."""
    listener = socket.create_server(("10.99.0.1", 0))

    def connection(peer: socket.socket) -> None:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while peer.recv(65536):
            time.sleep(SERVER_S)
            peer.sendall(OK)

    def accept() -> None:
        while True:
            threading.Thread(target=connection, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return int(listener.getsockname()[1])


def main() -> None:
    lay()
    watch, deadlines, ways = HubWatch(), Deadlines(), Ways()
    watch.start()
    connection = Connection(
        parse_address(f"http://10.99.0.2:{serve()}/score"), watch=watch, deadlines=deadlines, ways=ways
    )

    def ask(times: int) -> None:
        for _ in range(times):
            connection.exchange(request_of(b"x" * 300), deadline_ns=monotonic_ns() + 15_000_000_000)
            assert connection.failure == "", connection.failure

    in_greenlet(lambda: ask(10), within_s=300)
    kept = ways.read()
    tcp_info = connection._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 152)
    _LOST.set()
    in_greenlet(lambda: ask(1), within_s=300)
    print(
        json.dumps({"kept": kept, "smoothed_ms": struct.unpack_from("I", tcp_info, 68)[0] / 1e3, "lost": ways.read()})
    )
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
