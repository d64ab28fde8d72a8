"""Master and workers started separately: one flight for all, sealed leases, and what the death of one costs."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.command import LOCUSTFILES, clean_environment
from tests.e2e.conftest import emulator as emulator
from tests.e2e.conftest import workspace as workspace

KEY = "a-relay-key-of-thirty-two-characters-or-more"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Wire:
    """A TCP proxy that keeps every byte workers and master exchange."""

    def __init__(self, target: int) -> None:
        self.seen = bytearray()
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self._target))
            except OSError:  # the master is not there yet; the worker will try again
                near.close()
                continue
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._copy, args=(source, sink), daemon=True).start()

    def _copy(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                self.seen += data
                sink.sendall(data)
        except OSError:
            return
        finally:
            sink.close()


@contextmanager
def _locust(words: list[str], cwd: Path, **environment: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "locust", "-f", str(LOCUSTFILES / "aml_token.py"), *words],
        cwd=cwd,
        env=clean_environment(**environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def _run(
    emulator: dict[str, Any],
    workspace: list[str],
    cwd: Path,
    *,
    worker_keys: tuple[str, ...],
    kill_one_after_s: float = 0.0,
) -> tuple[Path, list[str], bytes]:
    """A master and three workers behind a wire; the run's folder, the workers' output, and what went over the wire."""
    port = _free_port()
    wire = Wire(port)
    master = ["--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", str(port), "--headless"]
    target = ["--endpoint", emulator["endpoints"]["aml_token"], *workspace]
    load = ["--expect-workers", "3", "--users", "9", "--arrival-rate", "150", "--duration", "5s", "--warm-up", "0s"]
    worker = ["--worker", "--master-host", "127.0.0.1", "--master-port", str(wire.port)]
    with ExitStack() as stack:
        leader = stack.enter_context(_locust([*master, *target, *load], cwd, BENCH_RELAY_KEY=KEY, **emulator["env"]))
        workers = [
            stack.enter_context(_locust(worker, cwd, **({"BENCH_RELAY_KEY": key} if key else {}), **emulator["env"]))
            for key in worker_keys
        ]
        if kill_one_after_s:
            deadline = time.monotonic() + 40
            while not list(cwd.glob("results/*/health/w2.jsonl")):
                assert time.monotonic() < deadline
                time.sleep(0.1)
            os.kill(workers[0].pid, signal.SIGKILL)
        out = leader.communicate(timeout=90)[0]
        said = [process.communicate(timeout=30)[0] for process in workers]
    wire.close()
    assert "Traceback" not in out, out
    return next(cwd.glob("results/*/manifest.json")).parent, said, bytes(wire.seen)


def _token_calls(emulator: dict[str, Any]) -> int:
    return Path(emulator["log"]).read_text().count('"operation":"token"')


def test_one_flight_for_all_and_no_secret_on_the_wire(
    emulator: dict[str, Any], workspace: list[str], tmp_path: Path
) -> None:
    """Three workers with the master's key cause one fetch between them; their leases are sealed."""
    before = _token_calls(emulator)
    run, said, seen = _run(emulator, workspace, tmp_path, worker_keys=(KEY, KEY, KEY))
    assert _token_calls(emulator) - before == 1
    summary = json.loads((run / "summary.json").read_text())
    assert summary["variants"]["aml_token"]["outcomes"] == {"ok": 750}
    assert len(list((run / "samples").glob("*.arrows"))) == 3
    assert b"bench_relay" in seen
    assert b"eyJ" not in seen  # how every JWT begins
    assert not [text for text in said if "fetches its own" in text]


@pytest.mark.parametrize(
    "key", ["", pytest.param("another-relay-key-of-thirty-two-characters", marks=pytest.mark.soak)]
)
def test_without_the_key_a_worker_fetches_for_itself_and_says_so(
    key: str, emulator: dict[str, Any], workspace: list[str], tmp_path: Path
) -> None:
    """A worker that lacks the master's key, or has another, costs one fetch of its own and no request."""
    before = _token_calls(emulator)
    run, said, seen = _run(emulator, workspace, tmp_path, worker_keys=(KEY, KEY, key))
    assert _token_calls(emulator) - before == 2
    assert json.loads((run / "summary.json").read_text())["variants"]["aml_token"]["outcomes"] == {"ok": 750}
    assert ["fetches its own" in text for text in said] == [False, False, True]
    assert b"eyJ" not in seen


@pytest.mark.soak
def test_a_worker_that_dies_costs_its_share(emulator: dict[str, Any], workspace: list[str], tmp_path: Path) -> None:
    """The others go on, the run ends, and the report says what is missing."""
    run, _, _ = _run(emulator, workspace, tmp_path, worker_keys=(KEY, KEY, KEY), kill_one_after_s=1)
    summary = json.loads((run / "summary.json").read_text())
    assert 500 <= summary["variants"]["aml_token"]["requests"] < 750
    assert summary["trust"]["verdict"] != "TRUSTED"
