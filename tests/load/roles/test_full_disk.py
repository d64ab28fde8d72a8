"""A file system that really fills up under a run of real processes."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.samples import chunks
from tests.e2e.command import bench


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=480k", "tmpfs", str(folder)]
    made = subprocess.run(mount, capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"no file system can be mounted here: {made.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.processes
@pytest.mark.slow
def test_a_disk_that_fills_up_ends_the_run(small_disk: Path, tmp_path: Path) -> None:
    """Long before its time, with what was measured and an end in the manifest: exit 4, and no traceback."""
    load = ("--arrival-rate", "1500", "--users", "50", "--warm-up", "0s", "--duration", "10m")
    done = bench("run", "--emulator", *load, "--out", str(small_disk), cwd=tmp_path)
    assert done.code == 4, done
    assert "Traceback" not in done.out + done.err
    assert "disk full: samples from second" in done.err
    (manifest,) = small_disk.glob("*/manifest.json")
    values = json.loads(manifest.read_text())
    assert values["ended"]["reason"] == "lost"
    assert values["disk"]["unwritten_samples"] > 0
    assert (manifest.parent / "samples" / "w0.arrows").stat().st_size > 100_000


@pytest.mark.processes
@pytest.mark.slow
def test_a_disk_that_fills_up_with_gaps(small_disk: Path, tmp_path: Path) -> None:
    """A streaming target fills it with gaps between tokens: the same end, and every gap that is there can be read."""
    (tmp_path / "chats.jsonl").write_text('{"messages": [{"role": "user", "content": "x"}], "max_tokens": 500}\n')
    load = ("--chat", "chats.jsonl", "--arrival-rate", "50", "--users", "200", "--warm-up", "0s", "--duration", "10m")
    model = "--emulator-options=--first-token-base 1ms --token-gap-base 0 --token-gap-exponential 300us"
    done = bench("run", "--emulator", model, *load, "--out", str(small_disk), cwd=tmp_path, timeout_s=300)
    assert done.code == 4, done
    assert "Traceback" not in done.out + done.err
    assert "gaps between tokens are lost" in done.err
    (manifest,) = small_disk.glob("*/manifest.json")
    values = json.loads(manifest.read_text())
    assert values["ended"]["reason"] == "lost"
    assert values["disk"]["lost_gaps"] > 0
    found = chunks.inspect(manifest.parent / "chunks" / "w0.arrows")
    assert found.rows > 10_000
    assert len(chunks.read(found)[0]) == found.rows
