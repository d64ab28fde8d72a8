"""Who inherits the children of a child: this process while it waits for them, and no longer."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from bench.process.orphans import Orphans, _inherits, children_of, state_of

GRANDCHILD = (
    "import subprocess, sys; sleep = 'import time; time.sleep({})'; "
    "child = subprocess.Popen([sys.executable, '-c', sleep], stdout=subprocess.DEVNULL); print(child.pid, flush=True)"
)
"""A child that leaves one behind at once; it prints who."""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux hands orphans to a chosen ancestor")


def left_behind(seconds: float) -> int:
    """A process whose parent has ended."""
    command = [sys.executable, "-c", GRANDCHILD.format(seconds)]
    pid = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return int(pid)


def test_those_left_behind_are_waited_for_and_are_no_zombies() -> None:
    orphans = Orphans()
    pid = left_behind(0.3)
    assert pid in children_of(os.getpid())
    orphans.see_off()
    assert state_of(pid) == ""


def test_one_that_does_not_end_is_killed() -> None:
    orphans = Orphans()
    pid = left_behind(600)
    orphans.see_off()
    assert state_of(pid) == ""


def test_afterwards_nobody_is_inherited() -> None:
    """A process that goes on for other things would collect zombies that it never asks for."""
    before = _inherits()
    Orphans().see_off()
    assert _inherits() == before
