"""Whose CPU time it was, while something was measured."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from bench.calibration.other_load import COLUMN, OtherLoad, others_s, quietest

_SPIN = "import time\nwhile time.process_time() < 0.6: pass"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def test_time_of_this_process_and_its_ended_children_is_not_others() -> None:
    """Of 20 s of user, nice, system and steal time 7 are ours; idle, waiting and interrupts are nobody's."""
    stat = "cpu  1000 200 700 99999 88888 7777 6666 100 0 0\ncpu0 1 1 1 1"
    assert others_s(stat, (1.0, 2.0, 3.0, 1.0, 12345.0), ticks_per_s=100) == pytest.approx(13.0)


def test_a_stranger_is_seen() -> None:
    """Work of a process that has ended, but not as our child yet, is somebody else's."""
    stranger = subprocess.Popen([sys.executable, "-c", _SPIN])
    with OtherLoad() as others:
        os.waitid(os.P_PID, stranger.pid, os.WEXITED | os.WNOWAIT)
    stranger.wait()
    assert others.cores is not None
    assert others.cores > 0.2


def test_the_quietest_run_is_kept_whatever_it_says() -> None:
    """The choice is made by other load alone."""
    rows: Iterator[dict[str, Any]] = iter([{"error": 1.0}, {"error": 9.0}])
    found = quietest(lambda: next(rows), repeat=2)
    assert found is not None
    assert found[COLUMN] >= 0
    assert found["error"] in {1.0, 9.0}


def test_what_is_not_there_is_not_tried_again() -> None:
    """A tool that is not installed says so once."""
    calls: list[int] = []
    assert quietest(lambda: calls.append(1), repeat=3) is None
    assert len(calls) == 1
