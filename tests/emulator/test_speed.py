"""How fast the emulator is, measured with wrk. Needs wrk, taskset and two free cores; run by `make soak`."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.emulator.process import BODY, emulator


@pytest.mark.soak
@pytest.mark.skipif(not (shutil.which("wrk") and shutil.which("taskset")), reason="needs wrk and taskset")
def test_one_core_scores_15000_requests_a_second(tmp_path: Path):
    """Key auth, no service time, 50 connections, each process on a core of its own."""
    script = tmp_path / "score.lua"
    with emulator("--service-zero") as running:
        script.write_text(
            f"wrk.method = 'POST'\nwrk.body = '{BODY.decode()}'\n"
            "wrk.headers['Content-Type'] = 'application/json'\n"
            "wrk.headers['Authorization'] = 'Bearer ' .. os.getenv('SECRET')\n"
        )
        os.sched_setaffinity(running.said["pid"], {0})
        done = subprocess.run(
            ["taskset", "-c", "1", "wrk", "-t1", "-c50", "-d5s", "-s", str(script), running.said["scoring_uri"]["key"]],
            env={**os.environ, "SECRET": running.secret("key")},
            capture_output=True,
            text=True,
            check=True,
        )
        answers = running.admin("GET", "stats")["endpoints"]["ep-key"]["answers"]
    assert set(answers) == {"200"}
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    assert rate is not None
    assert float(rate[1]) >= 15_000
