"""A Locust with a web UI as a process, and whatever may be sent to it."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.command import LOCUSTFILES, UNDRAWN, clean_environment
from tests.emulator.process import until

FORM = "application/x-www-form-urlencoded"
LOAD = {"user_count": "2", "spawn_rate": "5", "arrival_rate": "5", "duration": "5s"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: str

    @property
    def said(self) -> dict[str, Any]:
        """The body of /swarm."""
        said: dict[str, Any] = json.loads(self.body)
        return said

    @property
    def is_refused(self) -> bool:
        return self.status in {403, 404, 405, 415} or (self.status == 200 and self.said["success"] is False)


@dataclass(frozen=True, slots=True)
class WebUi:
    """Where it listens."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path

    def send(
        self, method: str, path: str, *, body: bytes | str | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """One request with just these headers, and a Host of our own unless they have one."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        try:
            connection.request(method, path, body=body, headers={"Host": f"localhost:{self.port}", **(headers or {})})
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
            return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, text)
        finally:
            connection.close()

    def swarm(self, headers: dict[str, str] | None = None, *, base: str = "", **fields: str) -> Answer:
        """As a form sends it."""
        return self.send(
            "POST",
            f"{base}/swarm",
            body=urllib.parse.urlencode(fields),
            headers={"Content-Type": FORM, **(headers or {})},
        )

    def state(self, base: str = "") -> str:
        state: str = json.loads(self.send("GET", f"{base}/stats/requests").body)["state"]
        return state


@contextmanager
def web_ui(cwd: Path, *words: str, locustfile: Path = LOCUSTFILES / "key.py", **environment: str) -> Iterator[WebUi]:
    """`locust -f locustfile *words` until its web UI answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    log = cwd / "locust.log"
    command = [sys.executable, "-m", "locust", "-f", str(locustfile), "--web-port", str(port), *words]
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=cwd, env=clean_environment(**UNDRAWN, **environment), stdout=out, stderr=subprocess.STDOUT
        )
    ui = WebUi(port, process, log)
    try:
        until(lambda: _listens(ui), within_s=300)
        yield ui
    finally:
        process.terminate()
        process.wait(timeout=300)


def _listens(ui: WebUi) -> bool:
    assert ui.process.poll() is None, ui.log.read_text()
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", ui.port)) == 0


@contextmanager
def listener() -> Iterator[socket.socket]:
    """Somebody who waits for a secret, and gets whatever connects."""
    with socket.socket() as waiting:
        waiting.bind(("127.0.0.1", 0))
        waiting.listen()
        waiting.setblocking(False)
        yield waiting


def is_left_alone(waiting: socket.socket) -> bool:
    """Whether nobody has connected."""
    try:
        waiting.accept()[0].close()
    except BlockingIOError:
        return True
    return False
