"""A load that comes and goes leaves nothing behind, however whoever started it ends."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time

import pytest

from bench.calibration import coming_load
from bench.calibration.coming_load import load_that_comes_and_goes

_STARTER = """
import os, signal
from bench.calibration import coming_load
start = coming_load.subprocess.Popen
def start_and_print(*words, **options):
    made = start(*words, **options)
    print(made.pid, flush=True)
    return made
coming_load.subprocess.Popen = start_and_print
with coming_load.load_that_comes_and_goes():
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_it_ends_with_the_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a mistake inside it too."""
    made: list[subprocess.Popen[bytes]] = []
    start = subprocess.Popen
    monkeypatch.setattr(coming_load.subprocess, "Popen", lambda *a, **k: made.append(start(*a, **k)) or made[-1])
    with contextlib.suppress(ZeroDivisionError), load_that_comes_and_goes():
        assert made[0].poll() is None
        raise ZeroDivisionError
    assert made[0].poll() == 0


def test_it_ends_with_a_killed_process() -> None:
    done = subprocess.run([sys.executable, "-c", _STARTER], capture_output=True, text=True, timeout=60, check=False)
    pid = done.stdout.strip()
    assert pid.isdigit(), done
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123
                if stat.read().rpartition(")")[2].split()[0] == "Z":
                    return
        except FileNotFoundError:
            return
        time.sleep(0.05)
    pytest.fail(f"process {pid} is still there")
