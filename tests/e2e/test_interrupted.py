"""A run that does not get to its end leaves everything it measured, and is not green."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.command import Done, bench, clean_environment


def _start(cwd: Path, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "bench", "run", "--emulator", "--arrival-rate", "100", "--warm-up", "0s", *words]
    return subprocess.Popen(
        command,
        cwd=cwd,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _until(condition: Callable[[], bool], *, at_most_s: float = 40) -> None:
    """Wait for a condition, however slow the machine is."""
    deadline = time.monotonic() + at_most_s
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)


def _samples_of(cwd: Path) -> int:
    return sum(path.stat().st_size for path in cwd.glob("results/*/samples/*.arrows"))


def _nothing_dropped(run: Path) -> bool:
    """Every worker said of its end that all that was due by then had been sent and written."""
    ends = [json.loads(path.read_text().splitlines()[-1]) for path in (run / "health").iterdir()]
    return all(end["end"] and end["due"] == end["recorded"] == end["written"] > 0 for end in ends)


def _child(process: subprocess.Popen[str]) -> int:
    """The Locust process below `bench run`."""
    path = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return int(path.read_text().split()[0])


def _interrupt_group(process: subprocess.Popen[str]) -> None:
    os.killpg(process.pid, signal.SIGINT)


def _terminate(process: subprocess.Popen[str]) -> None:
    process.terminate()


def _kill_locust(process: subprocess.Popen[str]) -> None:
    os.kill(_child(process), signal.SIGKILL)


@pytest.mark.parametrize(
    ("strike", "verdict", "says"),
    [
        (_interrupt_group, "SUSPECT", "ended early"),
        pytest.param(_terminate, "SUSPECT", "ended early", marks=pytest.mark.slow),
        (_kill_locust, "INVALID", "killed before it ended"),
    ],
)
def test_what_was_measured_is_reported(
    strike: Callable[[subprocess.Popen[str]], None], verdict: str, says: str, tmp_path: Path
) -> None:
    """Ctrl-C, SIGTERM and even SIGKILL leave samples, summary, report and a verdict; the exit code is 4."""
    process = _start(tmp_path, "--duration", "10m", "--gate", "auth_failure_rate == 0")
    _until(lambda: _samples_of(tmp_path) > 15_000)
    strike(process)
    out, err = process.communicate(timeout=300)
    done = Done(process.returncode, out, err)
    assert done.code == 4, done
    assert "Traceback" not in out + err
    summary = done.summary_at(tmp_path)
    assert summary["variants"]["key"]["requests"] > 100
    assert summary["trust"]["verdict"] in {verdict, "INVALID"}
    assert says in " ".join(summary["trust"]["reasons"])
    assert (tmp_path / done.run / "report.html").stat().st_size > 10_000
    assert (tmp_path / done.run / "junit.xml").stat().st_size > 0
    assert strike is _kill_locust or _nothing_dropped(tmp_path / done.run)


@pytest.mark.parametrize("processes", ["1", "2"])
@pytest.mark.slow
def test_a_lost_run_is_ended_early(processes: str, tmp_path: Path) -> None:
    """`--abort-on-fail` ends a run whose gate cannot be met any more: the gate has failed, no arrival is dropped."""
    gate = ("--abort-on-fail", "--gate", "response_time.p50 < 1ms")
    process = _start(tmp_path, "--duration", "10m", "--processes", processes, *gate)
    out, err = process.communicate(timeout=300)
    done = Done(process.returncode, out, err)
    summary = done.summary_at(tmp_path)
    assert done.code == (4 if summary["trust"]["verdict"] == "INVALID" else 10), done
    manifest = json.loads((tmp_path / done.run / "manifest.json").read_text())
    assert manifest["ended"]["reason"] == "decided"
    assert _nothing_dropped(tmp_path / done.run)


@pytest.mark.slow
def test_an_undecided_run_goes_on(tmp_path: Path) -> None:
    """`--extend-up-to` ends an extended run as soon as its gates are decided, and they pass."""
    done = bench(
        *("run", "--emulator", "--arrival-rate", "200", "--warm-up", "0s", "--duration", "3s"),
        *("--extend-up-to", "10m", "--gate", "response_time.p99 < 2s"),
        cwd=tmp_path,
    )
    manifest = json.loads((tmp_path / done.run / "manifest.json").read_text())
    assert manifest["ended"]["reason"] == "decided"
    assert manifest["ended"]["at_ns"] > 3e9
    assert done.code in {0, 4}, done
