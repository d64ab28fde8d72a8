"""The first requests of a run that has no warm-up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.runreader import load_run
from tests.e2e.command import bench


@pytest.mark.quiet
def test_the_first_requests_are_sent_like_the_rest(tmp_path: Path) -> None:
    """What is done to start a run is done before its zero: there is no burst at the start."""
    load = ("--arrival-rate=1000", "--users=200", "--duration=4s", "--warm-up=0s")
    done = bench("run", "--emulator", *load, cwd=tmp_path)
    samples = load_run(tmp_path / done.run).samples
    late = (samples.began_ns - samples.intended_ns)[np.argsort(samples.intended_ns)]
    assert np.median(late[:20]) < 10 * np.median(late[20:])
