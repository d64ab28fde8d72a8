"""Starting the emulator, as whoever measures against it sees it."""

from __future__ import annotations

import os
import time
import urllib.request
from pathlib import Path

import pytest

from bench.errors import BenchError, RunInvalid
from bench.target.local_emulator import LocalEmulator, _line_from


def test_one_that_hangs_is_given_up() -> None:
    """It says nothing and does not end: one line, after a time limit."""
    reads, writes = os.pipe()
    os.write(writes, b'{"half": ')
    with pytest.raises(BenchError, match=r"did not start within 0\.05 s"):
        _line_from(reads, within_s=0.05)
    os.close(writes)
    assert _line_from(reads, within_s=5) == b""
    os.close(reads)


def test_a_fault_script_that_is_a_pipe_does_not_hang(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """The emulator waits for somebody to write; its starter does not."""
    pipe = f"{tmp_path}/script.json"
    os.mkfifo(pipe)
    monkeypatch.setattr("bench.target.local_emulator._STARTS_WITHIN_S", 3.0)
    with pytest.raises(BenchError, match="did not start within 3 s"):
        LocalEmulator.start(f"--faults {pipe}")


def test_no_room_for_its_output(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line that says what to set."""
    monkeypatch.setattr("tempfile.tempdir", "/proc/nowhere")
    with pytest.raises(RunInvalid, match="no temporary file can be written"):
        LocalEmulator.start()


@pytest.mark.parametrize(
    ("program", "says"),
    [
        ("kill -9 $$", "was killed by signal 9 before it served"),
        ("echo 'bench emulator: out of file descriptors' >&2; exit 4", "did not start: out of file descriptors"),
        ("exit 1", "it said nothing"),
    ],
)
def test_one_that_ends_before_it_serves(
    program: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed, or without room: the run is invalid, and nobody blames the options. Anything else is a bug."""
    fake = tmp_path / "python"
    fake.write_text(f"#!/bin/sh\n{program}\n")
    fake.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(fake))
    with pytest.raises(BenchError, match=says) as raised:
        LocalEmulator.start()
    assert raised.value.exit_code == (1 if program == "exit 1" else 4)


def test_scripted_faults_count_from_the_zero_of_a_run(tmp_path: Path) -> None:
    """However long the run takes to begin, nothing happens before; then each is listed with its times."""
    script = tmp_path / "faults.yaml"
    script.write_text("faults:\n  - {at: 0, for: 1h, do: model, answer: 503}\n  - {at: 2h, do: rotate_key}\n")
    emulator = LocalEmulator.start(f"--faults {script}")
    try:
        with urllib.request.urlopen(f"{emulator.facts['admin']}/faults", timeout=20) as answer:
            assert answer.read().count(b'"waiting"') == 2
        scripted = emulator.begin_faults(time.monotonic_ns())
        assert [(one["do"], one["answer"], one["begins_s"], one["ends_s"], one["phase"]) for one in scripted] == [
            ("model", "503", 0, 3600, "on"),
            ("rotate_key", "", 7200, 7200, "waiting"),
        ]
        assert emulator.begin_faults(time.monotonic_ns() + 3_600 * 10**9)[0]["phase"] == "waiting"
    finally:
        emulator.stop()
    with pytest.raises(BenchError, match="the emulator does not take the run's zero"):
        emulator.begin_faults(1)
