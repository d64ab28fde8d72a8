"""How fast the emulator is, measured with wrk; run by `make soak`.

By the CPU time it spends, so that a machine with other work on it gives the same answer as a free one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.emulator.process import BODY, emulator


def cpu_s(pid: int) -> float:
    """CPU seconds that the process has used, of user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.soak
@pytest.mark.skipif(not (shutil.which("wrk") and shutil.which("taskset")), reason="needs wrk and taskset")
def test_one_core_scores_15000_requests_a_second(tmp_path: Path):
    """Key auth, no service time, 50 connections, each process on a core of its own: at most 67 us of CPU a request."""
    script = tmp_path / "score.lua"
    with emulator("--service-zero") as running:
        script.write_text(
            f"wrk.method = 'POST'\nwrk.body = '{BODY.decode()}'\n"
            "wrk.headers['Content-Type'] = 'application/json'\n"
            "wrk.headers['Authorization'] = 'Bearer ' .. os.getenv('SECRET')\n"
        )
        os.sched_setaffinity(running.said["pid"], {0})
        secret = running.secret("key")
        before_s = cpu_s(running.said["pid"])
        subprocess.run(
            ["taskset", "-c", "1", "wrk", "-t1", "-c50", "-d5s", "-s", str(script), running.said["scoring_uri"]["key"]],
            env={**os.environ, "SECRET": secret},
            capture_output=True,
            check=True,
        )
        spent_s = cpu_s(running.said["pid"]) - before_s
        answers = running.admin("GET", "stats")["endpoints"]["ep-key"]["answers"]
    assert set(answers) == {"200"}
    assert answers["200"] / spent_s >= 15_000
