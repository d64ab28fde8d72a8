"""Memory of the harness at full speed: a longer run needs a bigger disk, not a bigger machine.

With SOAK_TABLE=FOLDER the streams' memory minute by minute is written there as a table.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from bench import schemas
from bench.calibration import table
from bench.calibration.plain_server import plain_server
from tests.e2e.command import clean_environment

_SOAK_SECONDS = int(os.environ.get("SOAK_SECONDS", "600"))
_SETTLING_S = 3.0
_STREAMS_SETTLE_S = 15
"""Each of 1,400 users has had a stream by then, of 5 s each."""
_ALLOCATOR_SETTLES = 0.2
"""Of a long run: for some two minutes the allocator meets new sizes of what a thousand streams have in flight."""
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
        words = [f"--scoring-uri={uri}", "--users=50", f"--duration={seconds}s", "--warm-up=1s"]
        memory, ticks = _soaked(words, tmp_path, seconds=seconds, BENCH_KEY="x" * 64)
    assert ticks[-1]["written"] == ticks[-1]["recorded"] > 500 * seconds, ticks[-1]
    _stays(memory, after_s=_SETTLING_S, seconds=seconds)


@pytest.mark.soak
@pytest.mark.timeout(_SOAK_SECONDS + 300)
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_does_not_follow_the_number_of_tokens(tmp_path: Path) -> None:
    """A thousand streams at once, 10,000 tokens a second: no gap is lost, and memory stays once all have begun."""
    seconds = _SOAK_SECONDS
    (tmp_path / "chat.jsonl").write_text('{"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 50}\n')
    words = ["--emulator", "--emulator-options=--token-gap-base 100ms", "--chat=chat.jsonl", "--arrival-rate=200"]
    words += ["--users=1400", "--timeout=60s", f"--warm-up={_STREAMS_SETTLE_S}s", f"--duration={seconds}s"]
    memory, ticks = _soaked(words, tmp_path, seconds=seconds)
    assert max(tick.get("in_flight", 0) for tick in ticks) >= 900
    end = ticks[-1]
    assert (end["written"], end["gaps_unwritten"]) == (end["recorded"], 0), end
    assert end["gaps_written"] > end["recorded"], end  # a gap longer than 1.68 s has several rows
    if folder := os.environ.get("SOAK_TABLE"):
        _write_table(Path(folder), memory, ticks)
    _stays(memory, after_s=max(_STREAMS_SETTLE_S, _ALLOCATOR_SETTLES * seconds), seconds=seconds)


def _write_table(folder: Path, memory: list[tuple[float, int]], ticks: list[dict[str, Any]]) -> None:
    """The greatest resident memory and number of streams of each minute."""
    *each, end = ticks
    rows = [
        {
            "minute": minute + 1,
            "resident MB, at most": max(sizes) / 1e6,
            "streams at once, at most": max(tick["in_flight"] for tick in each[minute * 60 : (minute + 1) * 60]),
            "CPU of Locust": sum(tick["cpu"] for tick in each[minute * 60 : (minute + 1) * 60]) / 60,
        }
        for minute in range(len(each) // 60)
        if (sizes := [size for at_s, size in memory if minute * 60 <= at_s < (minute + 1) * 60])
    ]
    totals = f"{end['recorded']:,} streams, {end['gaps_written']:,} gaps written, {end['gaps_unwritten']} lost."
    page = f"# A thousand streams at once\n\n`make soak` with SOAK_TABLE: {totals}\n\n{table.markdown(rows)}\n"
    (folder / "streaming_soak.md").write_text(page, encoding="utf-8")


def _soaked(
    words: list[str], cwd: Path, *, seconds: int, **environment: str
) -> tuple[list[tuple[float, int]], list[dict[str, Any]]]:
    """The memory of a run's Locust, and the run's health records."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench", "run", "--out=results", *words],
        cwd=cwd,
        env=clean_environment(**environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        memory = _memory_of_locust(process, cwd)
    finally:
        out, _ = process.communicate(timeout=seconds + 240)
    assert process.returncode in {0, 4}, out  # a busy machine makes a run INVALID, but no memory
    run = next(cwd.glob("results/*/manifest.json")).parent
    return memory, schemas.load_lines(run / "health" / "w0.jsonl", schemas.HealthTick, cut=False)[0]


def _stays(memory: list[tuple[float, int]], *, after_s: float, seconds: int) -> None:
    settled = [size for at_s, size in memory if at_s > after_s]
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
