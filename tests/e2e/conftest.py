"""One emulator for all tests here, and folders to run in."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.e2e.command import clean_environment


@contextmanager
def emulating(*options: str) -> Iterator[dict[str, Any]]:
    """An emulator of 1 ms, with more options; what it says of itself."""
    fast = ("--service-base", "1ms", "--service-exponential", "0ms")
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.emulator", "--json", "--die-with-parent", *fast, *options],
        stdout=subprocess.PIPE,
        text=True,
        env=clean_environment(),
    )
    assert process.stdout is not None
    yield json.loads(process.stdout.readline())
    process.terminate()
    process.wait(timeout=300)


@pytest.fixture(scope="session")
def emulator() -> Iterator[dict[str, Any]]:
    """What a running emulator said of itself."""
    with emulating() as said:
        yield said


@pytest.fixture(scope="session")
def workspace(emulator: dict[str, Any]) -> list[str]:
    """The options that name its workspace."""
    place = emulator["workspace"]
    return [
        f"--subscription-id={place['subscription_id']}",
        f"--resource-group={place['resource_group']}",
        f"--workspace={place['workspace_name']}",
    ]
