"""A planted secret is looked for in everything a run writes, prints and shows."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.command import LOCUSTFILES, Done, bench, clean_environment, start_and_wait
from tests.e2e.conftest import emulator as emulator
from tests.e2e.conftest import workspace as workspace

CANARY = "canary-3f9c1e77a5d24b0e"


def _search(folder: Path, *secrets: str) -> list[str]:
    """Files below `folder` that hold a secret."""
    wanted = [secret.encode() for secret in secrets]
    return [
        str(path)
        for path in folder.rglob("*")
        if path.is_file() and any(secret in path.read_bytes() for secret in wanted)
    ]


def _is_clean(done: Done, folder: Path, *secrets: str) -> None:
    assert not _search(folder, *secrets)
    assert not [secret for secret in secrets if secret in done.out + done.err]


@pytest.mark.parametrize(("uri", "code"), [("scoring_uri", 4), ("nobody", 4)])
def test_static_secret(uri: str, code: int, emulator: dict[str, Any], tmp_path: Path) -> None:
    """A secret from the environment is in no file and no line, also when the endpoint refuses it or is not there."""
    target = emulator[uri]["key"] if uri == "scoring_uri" else "http://127.0.0.1:1/score"
    words = ("--scoring-uri", target, "--arrival-rate", "50", "--duration", "1s", "--warm-up", "0s")
    done = bench("run", *words, "--", "--loglevel", "DEBUG", cwd=tmp_path, BENCH_KEY=CANARY)
    assert done.code == code, done
    _is_clean(done, tmp_path, CANARY)


@pytest.fixture(scope="module")
def secrets(emulator: dict[str, Any], workspace: list[str], tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The emulator's key, and what proves the principal."""
    cwd = tmp_path_factory.mktemp("aside")
    target = ["--endpoint", emulator["endpoints"]["key"], *workspace]
    key = bench("credentials", *target, "--show-secret", cwd=cwd, **emulator["env"]).out.strip()
    assert len(key) > 20
    return [key, emulator["env"]["IDENTITY_HEADER"], emulator["entra"]["client_secret"]]


def test_fetched_secret_and_argv(
    emulator: dict[str, Any], workspace: list[str], secrets: list[str], tmp_path: Path
) -> None:
    """A fetched key is in no file of a run, and on no command line while it goes on; the agent has no static secret."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "bench",
            "run",
            "--endpoint",
            emulator["endpoints"]["key"],
            *workspace,
            "--arrival-rate",
            "50",
            "--duration",
            "4s",
            "--warm-up",
            "0s",
        ],
        cwd=tmp_path,
        env=clean_environment(BENCH_KEY=CANARY, **emulator["env"]),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    seen: dict[str, str] = {}
    while process.poll() is None:
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if "bench" in line:
                    seen[line] = (path.parent / "environ").read_bytes().decode(errors="replace")
            except OSError:
                continue
        time.sleep(0.2)  # a look at the process list now and then
    done = Done(process.returncode, process.stdout.read(), process.stderr.read())  # type: ignore[union-attr]
    assert done.code in {0, 4}, done
    _is_clean(done, tmp_path, *secrets, CANARY)
    assert any("credentials.agent" in line for line in seen)
    assert not [line for line in seen if any(secret in line for secret in (*secrets, CANARY))]
    assert not [line for line, environ in seen.items() if "credentials.agent" in line and CANARY in environ]


def test_the_web_ui_shows_none(
    emulator: dict[str, Any], workspace: list[str], secrets: list[str], tmp_path: Path
) -> None:
    """Nothing the web UI answers holds the lease that its users send."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "locust",
            "-f",
            str(LOCUSTFILES / "key.py"),
            "--web-host",
            "127.0.0.1",
            "--web-port",
            "0",
            "--autostart",
            "--autoquit",
            "0",
            "--endpoint",
            emulator["endpoints"]["key"],
            *workspace,
            "--arrival-rate",
            "50",
            "--duration",
            "60s",
            "--warm-up",
            "0s",
        ],
        cwd=tmp_path,
        env=clean_environment(**emulator["env"]),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        address = _address_of(process)
        pages = ("/", "/stats/requests", "/exceptions", "/logs", "/tasks", "/stats/report", "/stats/requests/csv")
        deadline = time.monotonic() + 40
        while json.loads(_get(address + "/stats/requests"))["total_rps"] == 0:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        shown = "".join(_get(address + page) for page in pages)
    finally:
        process.send_signal(signal.SIGTERM)
        out = process.communicate(timeout=300)[0]
    assert "extended_stats" in shown
    assert not [secret for secret in secrets if secret in shown + out]
    assert not _search(tmp_path, *secrets)


def _address_of(process: subprocess.Popen[str]) -> str:
    """Where a Locust with `--web-port 0` listens: the system's choice."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        done = start_and_wait(["ss", "-Hltnp"], cwd=Path("/"))
        for line in done.out.splitlines():
            if f"pid={process.pid}," in line:
                return f"http://{line.split()[3]}"
        time.sleep(0.2)
    raise AssertionError("no web UI came up")


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=120) as answer:
        return answer.read().decode(errors="replace")
