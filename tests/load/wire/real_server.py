"""Servers nobody here wrote, as processes: the environment each is in, and its address, which it says itself."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

_SERVERS = Path(__file__).parents[3] / ".venv-servers"


def environment(module: str) -> Path:
    """The environment that has `module`, or the test is skipped with the reason."""
    if not list(_SERVERS.glob(f"lib/python*/site-packages/{module}")):
        pytest.skip(f"{module} is not installed: `make servers` does that")
    return _SERVERS


@contextlib.contextmanager
def running(
    command: list[str], *, listening: str, folder: Path, variables: dict[str, str] | None = None
) -> Iterator[str]:
    """Run `command` in `folder`; its base URL, which follows `listening` in its log. It takes a free port itself."""
    log = folder / "server.log"
    address = re.compile(listening + r" (http://127\.0\.0\.1:\d+)\s")
    with log.open("w") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=os.environ | (variables or {}), stdout=output, stderr=subprocess.STDOUT
        )
    try:
        while not (found := address.search(log.read_text())):
            if process.poll() is not None:
                raise AssertionError(f"{command} ended with {process.returncode}: {log.read_text()}")
            time.sleep(0.05)
        yield found[1]
    finally:
        process.terminate()
        process.wait(timeout=300)
