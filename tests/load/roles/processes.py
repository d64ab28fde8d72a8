"""Locust masters and workers as processes, and the wire between them."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.e2e.command import LOCUSTFILES, UNDRAWN, clean_environment

KEY = "a-relay-key-of-thirty-two-characters-or-more"
LOOPBACK = "127.0.0.1"


def free_port(host: str = LOOPBACK) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


class Wire:
    """A TCP proxy that keeps every byte workers and master exchange."""

    def __init__(self, target: int, *, host: str = LOOPBACK, port: int = 0) -> None:
        self.seen = bytearray()
        self._target = target
        self._listener = socket.create_server((host, port))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
                far = socket.create_connection((LOOPBACK, self._target))
            except ConnectionRefusedError:
                near.close()  # the master does not listen yet: the worker tries again
                continue
            except OSError:
                return
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
def locust(
    words: list[str], cwd: Path, *, locustfile: str = "aml_token", prefix: tuple[str, ...] = (), **environment: str
) -> Iterator[subprocess.Popen[str]]:
    """A Locust that is gone at the end; what it says is to be read with `communicate`."""
    process = subprocess.Popen(
        [*prefix, sys.executable, "-m", "locust", "-f", str(LOCUSTFILES / f"{locustfile}.py"), *words],
        cwd=cwd,
        env=clean_environment(**UNDRAWN, **environment),
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


def await_that(happens: Callable[[], Any], *, within_s: float = 40) -> Any:
    """Whatever true thing `happens` returns, once it does."""
    deadline = time.monotonic() + within_s
    while not (result := happens()):
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.05)  # between two looks
    return result


def run_folder(cwd: Path) -> Path:
    """The folder of the one run below `cwd`."""
    (manifest,) = cwd.glob("results/*/manifest.json")
    return manifest.parent


def has_begun(cwd: Path) -> bool:
    """The clock of the one run below `cwd` has started: its manifest names its workers."""
    return any(json.loads(path.read_text())["workers"] for path in cwd.glob("results/*/manifest.json"))


def token_calls(log: str) -> int:
    """How many aml_tokens the emulator with that log was asked for."""
    return Path(log).read_text().count('"operation":"token"')
