"""A Locust with a web UI outlives its runs; their secrets must not."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.command import bench, clean_environment
from tests.e2e.conftest import emulator as emulator
from tests.e2e.conftest import workspace as workspace
from tests.security.searching import found_below, found_in

LOCUSTFILE = r'''
import gc, hashlib, os, re
import gevent
from locust import events
from bench.load.user import ScoringUser

WANTED = os.environ["CANARY_SHA256"]


class KeyUser(ScoringUser):
    auth_modes = ("key",)


def held():
    """How many objects hold the secret, known here by its hash alone."""
    gc.unfreeze()
    gc.collect()
    words = set()
    for holder in gc.get_objects():
        for thing in gc.get_referents(holder):
            if isinstance(thing, bytes) and b"Bearer " in thing:
                words.update(re.findall(rb"Bearer (\w+)", thing))
            elif isinstance(thing, str) and len(thing) == 32:
                words.add(thing.encode(errors="replace"))
    return sum(hashlib.sha256(word).hexdigest() == WANTED for word in words)


@events.init.add_listener
def tell(environment, web_ui=None, **_):
    web_ui.app.route("/held", endpoint="held")(lambda: {"held": held()})
    gevent.spawn(tell_where, web_ui)


def tell_where(web_ui):
    while web_ui.server is None or not web_ui.server.started:
        gevent.sleep(0.02)
    print(web_ui.server.server_port, flush=True)
'''


class WebUi:
    """A Locust with a web UI, as a browser would speak with it. Everything it answers is kept in `shown`."""

    def __init__(self, address: str) -> None:
        self.shown = b""
        self._address = address

    def get(self, path: str, data: bytes | None = None) -> bytes:
        with urllib.request.urlopen(self._address + path, data=data, timeout=120) as answer:
            body: bytes = answer.read()
        self.shown += body
        return body

    def post(self, path: str, **form: str) -> bytes:
        return self.get(path, urllib.parse.urlencode(form).encode())

    def until(self, state: str) -> dict[str, Any]:
        """Poll as the page does until the run is in that state, and has sent something."""
        deadline = time.monotonic() + 40
        while True:
            stats: dict[str, Any] = json.loads(self.get("/stats/requests"))
            if stats["state"] == state and stats["stats"][-1]["num_requests"] > 20:
                return stats
            assert time.monotonic() < deadline, stats
            time.sleep(0.2)  # a page's poll


@pytest.mark.slow
def test_a_run_s_secret_is_gone_when_it_has_stopped(
    emulator: dict[str, Any], workspace: list[str], tmp_path: Path
) -> None:
    """Started over /swarm and stopped: no object of the process holds the key any more, and no page ever showed it."""
    aside, cwd = tmp_path / "aside", tmp_path / "run"
    aside.mkdir()
    cwd.mkdir()
    target = ["--endpoint", emulator["endpoints"]["key"], *workspace]
    key = bench("credentials", *target, "--show-secret", cwd=aside, **emulator["env"]).out.strip()
    (aside / "locustfile.py").write_text(LOCUSTFILE)
    words = ["--arrival-rate", "100", "--duration", "60s", "--warm-up", "0s"]
    words += ["--web-host", "127.0.0.1", "--web-port", "0"]
    with subprocess.Popen(
        [sys.executable, "-m", "locust", "-f", str(aside / "locustfile.py"), *target, *words],
        cwd=cwd,
        env=clean_environment(CANARY_SHA256=hashlib.sha256(key.encode()).hexdigest(), **emulator["env"]),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            page = WebUi(f"http://127.0.0.1:{port}")
            assert json.loads(page.post("/swarm", user_count="5", spawn_rate="100"))["success"]
            page.until("running")
            assert json.loads(page.get("/held"))["held"] == 1, "the search finds nothing: it would prove nothing"
            page.post("/stop")
            page.until("stopped")
            for path in ("/", "/exceptions", "/logs", "/tasks", "/stats/report", "/stats/requests/csv"):
                page.get(path)
            assert json.loads(page.get("/held"))["held"] == 0
        finally:
            process.terminate()
            said = b"".join(process.communicate(timeout=300))
    assert b"extended_stats" in page.shown
    assert not found_in(page.shown + said, (key,))
    assert not found_below(cwd, (key,))
