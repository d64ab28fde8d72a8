"""A real tinyproxy on a free port of loopback, for whoever is to be reached through a proxy."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

BINARY = shutil.which("tinyproxy", path="/usr/bin:/usr/local/bin:/usr/sbin")
MISSING = "tinyproxy is not installed (apt-get install tinyproxy)"


@dataclass(frozen=True)
class Tinyproxy:
    """Where it listens, and its log."""

    port: int
    log: Path

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def tunnels_to(self, port: int) -> int:
        """How many tunnels to that port it has made."""
        return self.log.read_text().count(f"CONNECT 127.0.0.1:{port} ") if self.log.exists() else 0


@contextlib.contextmanager
def tinyproxy(folder: Path, *, user: str = "") -> Iterator[Tinyproxy]:
    """Run it. `user` is `name password`, which it then asks for."""
    assert BINARY is not None
    for _ in range(5):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        log = folder / "tinyproxy.log"
        lines = [f"Port {port}", "Listen 127.0.0.1", f'LogFile "{log}"', "LogLevel Connect", "Allow 127.0.0.1"]
        lines += [f"BasicAuth {user}"] if user else []
        (folder / "tinyproxy.conf").write_text("\n".join(lines) + "\n")
        process = subprocess.Popen([BINARY, "-d", "-c", str(folder / "tinyproxy.conf")], stdout=subprocess.DEVNULL)
        try:
            if _listens(process, port):
                yield Tinyproxy(port, log)
                return
        finally:
            process.terminate()
            process.wait(timeout=300)
    raise AssertionError("tinyproxy does not start")


def _listens(process: subprocess.Popen[bytes], port: int) -> bool:
    give_up = time.monotonic() + 30
    while time.monotonic() < give_up and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
        time.sleep(0.02)
    return False
