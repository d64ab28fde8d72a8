"""The live page of a headless run: ports, strangers, secrets, Stop, and a browser that does not go away."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from bench.errors import UsageError
from bench.live import headless
from bench.live.board import Board
from bench.live.view import NOTHING, View
from tests.e2e.command import UNDRAWN, clean_environment

CANARY = "canary-live-31c5"
ROUTES = ("/", "/bench", "/bench/state", "/bench/page.js", "/bench/charts.js", "/bench/form", "/bench/runs/x/figures")
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Running:
    """A master with a run, as far as a page sees it."""

    def __init__(self, results: Path) -> None:
        self.board, self.error, self.last_run, self.results = Board(), None, None, results
        self.options = {"token": CANARY, "key": CANARY}
        self.emulator_admin = "http://127.0.0.1:9"
        self.stops = 0

    def view(self) -> View:
        return NOTHING

    def stop_for_person(self) -> None:
        self.stops += 1


@pytest.fixture
def client(tmp_path: Path) -> Any:
    return headless.application(Running(tmp_path)).test_client()


@pytest.mark.parametrize("text", ["x", "0", "65536", "-1", "1e3", "²"])
def test_what_is_no_port_is_said(text: str) -> None:
    with pytest.raises(UsageError, match="is no port"):
        headless.port_of(text)


def test_a_port_that_is_taken_is_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UsageError, match="cannot be had"):
            headless.serve(taken.getsockname()[1], Running(tmp_path))


@pytest.mark.parametrize("path", ROUTES)
def test_no_route_answers_a_stranger_or_tells_a_secret(client: Any, path: str) -> None:
    assert client.get(path, headers={"Host": "evil.example"}).status_code == 403
    assert client.get(path, headers={"Host": "localhost", "Sec-Fetch-Site": "cross-site"}).status_code == 403
    answer = client.get(path, headers={"Host": "127.0.0.1:1234"})
    assert CANARY not in answer.get_data(as_text=True)
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("path", ["/swarm", "/bench/fault", "/bench/form", "/user", "/bench/state"])
def test_nothing_else_can_be_done(client: Any, path: str) -> None:
    assert client.post(path, data={"name": "rotate the key"}).status_code in {404, 405}


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://evil.example"}, {"Host": "evil.example"}, {"Sec-Fetch-Site": "cross-site"}]
)
def test_a_stranger_stops_nothing(client: Any, headers: dict[str, str]) -> None:
    assert client.post("/stop", headers={"Host": "localhost", **headers}).status_code == 403
    assert client.get("/stop").status_code == 405


def test_stop_ends_the_run_while_a_browser_stays_connected(tmp_path: Path) -> None:
    """As `stopped`, with exit code 4."""
    words = ("run", "--emulator", "--arrival-rate", "5", "--duration", "300s", "--live")
    with subprocess.Popen(
        [sys.executable, "-m", "bench", *words], cwd=tmp_path, env=clean_environment(**UNDRAWN), text=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        try:
            assert process.stderr is not None
            port = next(
                int(found[1])
                for line in process.stderr
                if (found := re.search(r"http://127\.0\.0\.1:(\d+)/bench", line))
            )
            with socket.create_connection(("127.0.0.1", port)) as browser:
                browser.sendall(b"GET /bench/state HTTP/1.1\r\nHost: localhost\r\n")  # and no end
                while not _has_answers(port):
                    time.sleep(0.2)
                asked = urllib.request.Request(f"http://127.0.0.1:{port}/stop", method="POST")
                assert _OPENER.open(asked, timeout=120).status == 204
                process.communicate(timeout=300)
        finally:
            process.kill()
    assert process.returncode == 4
    [manifest] = tmp_path.glob("results/*/manifest.json")
    assert json.loads(manifest.read_text())["ended"]["reason"] == "stopped"


def _has_answers(port: int) -> bool:
    with _OPENER.open(f"http://127.0.0.1:{port}/bench/state", timeout=120) as answer:
        return bool(json.loads(answer.read())["points"])
