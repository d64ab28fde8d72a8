"""Memory of the harness at full speed: a longer run needs a bigger disk, not a bigger machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench import schemas
from bench.calibration.plain_server import plain_server
from tests.e2e.command import clean_environment

_SOAK_SECONDS = int(os.environ.get("SOAK_SECONDS", "600"))
_SETTLING_S = 3.0
_LOOK_EVERY_S = 0.5
_ALLOWED_GROWTH_BYTES = 6 << 20
"""Locust's statistics keep a number a second and a key a distinct time; both are bounded by far less."""
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@pytest.mark.soak
@pytest.mark.timeout(_SOAK_SECONDS + 300)
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_does_not_follow_the_number_of_samples(tmp_path: Path) -> None:
    """50 users back to back, recorder on: once it has settled, Locust's resident memory stays where it is."""
    seconds = _SOAK_SECONDS
    with plain_server(None, tmp_path) as (uri, _):
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "bench", "run", f"--scoring-uri={uri}", "--users=50"),
                *(f"--duration={seconds}s", "--warm-up=1s", "--out=results"),
            ],
            cwd=tmp_path,
            env=clean_environment(BENCH_KEY="x" * 64),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            memory = _memory_of_locust(process, tmp_path)
        finally:
            out, _ = process.communicate(timeout=seconds + 240)
    assert process.returncode in {0, 4}, out  # a busy machine makes a run INVALID, but no memory
    run = next(tmp_path.glob("results/*/manifest.json")).parent
    end = schemas.load_lines(run / "health" / "w0.jsonl", schemas.HealthTick, cut=False)[0][-1]
    assert end["written"] == end["recorded"] > 500 * seconds, end
    settled = [size for at_s, size in memory if at_s > _SETTLING_S]
    assert len(settled) > (seconds - _SETTLING_S) / _LOOK_EVERY_S / 4
    assert max(settled) - settled[0] < _ALLOWED_GROWTH_BYTES, json.dumps(memory[:: max(len(memory) // 50, 1)])


def _memory_of_locust(process: subprocess.Popen[str], cwd: Path) -> list[tuple[float, int]]:
    """Seconds since its first health record and resident bytes, until Locust's end."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while not list(cwd.glob("results/*/health/*.jsonl")):
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.05)
    locust = children.read_text().split()[0]
    began, found = time.monotonic(), []
    while process.poll() is None and locust in children.read_text().split():
        try:
            pages = int(Path(f"/proc/{locust}/statm").read_text().split()[1])
        except (OSError, IndexError):
            break
        if pages:
            found.append((round(time.monotonic() - began, 1), pages * _PAGE_BYTES))
        time.sleep(_LOOK_EVERY_S)
    return found
