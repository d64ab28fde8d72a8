"""Signals and lost parents: quiet, in order, with a documented code, and nobody goes on loading the endpoint."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.processes import MARK, of_run, wait_until_signals_are_handled
from tests.e2e.command import LOCUSTFILES, UNDRAWN, bench, clean_environment, start_and_wait

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds the processes in /proc")
TARGET = ("run", "--emulator", "--arrival-rate", "100", "--warm-up", "0s")


class Running:
    """A `bench run` of its own process group."""

    def __init__(self, cwd: Path, *words: str) -> None:
        self.mark = f"{os.getpid()}-{time.monotonic_ns()}"
        self._cwd = cwd
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bench", *TARGET, *words],
            cwd=cwd,
            env=clean_environment(**{MARK: self.mark}, **UNDRAWN),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def until(self, condition: Callable[[], bool]) -> None:
        deadline_s = time.monotonic() + 300
        while not condition():
            assert time.monotonic() < deadline_s, "it never came"
            time.sleep(0.05)

    def until_it_measures(self) -> None:
        self.until(lambda: sum(path.stat().st_size for path in self._cwd.glob("results/*/samples/*")) > 15_000)

    def until_there_is(self, role: str) -> None:
        self.until(lambda: any(each.role == role for each in of_run(self.mark)))

    def ended(self) -> tuple[int, str]:
        """Exit code and all it said; whoever it had started is gone, too."""
        out, err = self.process.communicate(timeout=300)
        self.until(lambda: not of_run(self.mark))
        assert "Traceback" not in out + err
        return self.process.returncode, out + err

    def reason(self) -> Any:
        (manifest,) = self._cwd.glob("results/*/manifest.json")
        return json.loads(manifest.read_text()).get("ended", {}).get("reason")


@pytest.mark.parametrize(
    ("number", "to_group", "times", "words", "reason", "codes"),
    [
        (signal.SIGINT, False, 1, ["--duration", "10m"], "signal", {4}),
        (signal.SIGHUP, False, 1, ["--duration", "0"], "signal", {4}),
        (signal.SIGQUIT, True, 3, ["--duration", "0", "--processes", "2"], "signal", {4}),
        (signal.SIGTERM, True, 1, ["--duration", "10m", "--processes", "2"], "signal", {4}),
        (signal.SIGTERM, False, 3, ["--duration", "0"], "stopped", {0, 4}),  # 4: this machine may not be believed
    ],
)
def test_a_signal_ends_a_run_in_order(
    number: int, to_group: bool, times: int, words: list[str], reason: str, codes: set[int], tmp_path: Path
) -> None:
    """To one or to the group, once or three times; a run without an end is whole when INT or TERM ends it."""
    running = Running(tmp_path, *words)
    running.until_it_measures()
    for _ in range(times):
        os.killpg(running.process.pid, number) if to_group else running.process.send_signal(number)
        time.sleep(0.05)
    code, said = running.ended()
    assert code in codes, said
    assert "report: " in said
    assert running.reason() == reason
    (summary,) = tmp_path.glob("results/*/summary.json")
    trust = json.loads(summary.read_text())["trust"]
    assert code == 4 or trust["verdict"] != "INVALID"
    assert ("ended early" in " ".join(trust["reasons"])) == (reason == "signal")


@pytest.mark.parametrize("role", ["bench", "emulator", "worker"])
def test_a_signal_before_anything_has_begun(role: str, tmp_path: Path) -> None:
    """As soon as the interpreter can hear it: one line, exit code 4, nobody is left."""
    running = Running(tmp_path, "--duration", "10m", "--processes", "2")
    running.until_there_is(role)
    for each in of_run(running.mark):
        if each.role in {"bench", "locust", "worker"}:
            wait_until_signals_are_handled(each.pid)
    os.killpg(running.process.pid, signal.SIGTERM)
    code, said = running.ended()
    assert code == 4, said
    assert len(said.strip().splitlines()) <= 2


@pytest.mark.parametrize("processes", ["1", "2"])
def test_nobody_outlives_a_killed_bench(processes: str, tmp_path: Path) -> None:
    """SIGKILL: Locust, its workers, agent and emulator end by themselves, and Locust writes how."""
    running = Running(tmp_path, "--duration", "0", "--processes", processes)
    running.until_it_measures()
    running.process.kill()
    code, _ = running.ended()
    assert code == -signal.SIGKILL
    assert running.reason() == "signal"


@pytest.mark.slow
def test_what_locust_reads_by_itself_changes_nothing(tmp_path: Path) -> None:
    """locust.conf, [tool.locust] and LOCUST_*: ignored, and said. The run has its folder although that begins oddly."""
    (tmp_path / "locust.conf").write_text("run-time = 1s\nusers = 3\n")
    (tmp_path / "pyproject.toml").write_text('[tool.locust]\nrun-time = "1s"\n')
    done = bench(
        *TARGET, "--duration", "3s", "--out", " x", cwd=tmp_path, LOCUST_RUN_TIME="1s", LOCUST_PROCESSES="2", **UNDRAWN
    )
    for word in ("locust.conf", "[tool.locust]", "LOCUST_RUN_TIME", "LOCUST_PROCESSES"):
        assert word in done.err
    (manifest,) = (tmp_path / " x").glob("*/manifest.json")
    ended = json.loads(manifest.read_text())["ended"]
    assert ended["reason"] == "completed"
    assert ended["at_ns"] > 2.9e9


def _locust(cwd: Path, *words: str) -> Any:
    command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILES / "key.py"), "--headless", "--emulator", *words]
    return start_and_wait(command, cwd=cwd, **UNDRAWN)


def test_locust_s_run_time_is_the_duration(tmp_path: Path) -> None:
    """`-t 2s` measures for 2 s; beside --duration it is refused."""
    refused = _locust(tmp_path, "-t", "2s", "--duration", "4s")
    assert refused.code == 2
    assert "exclude each other" in refused.err
    done = _locust(tmp_path, "-t", "2s", "--warm-up", "0s", "--arrival-rate", "50")
    assert done.code in {0, 4}, done.err
    (manifest,) = tmp_path.glob("results/*/manifest.json")
    assert json.loads(manifest.read_text())["plan"]["duration_s"] == 2.0


HIDE = """
import os, ctypes
del os.pidfd_open, os.posix_spawn
real = ctypes.CDLL
class Hidden:
    def __init__(self, library): self._library = library
    def __getattr__(self, name):
        if name in ("prctl", "timerfd_create", "timerfd_settime"): raise AttributeError(name)
        return getattr(self._library, name)
ctypes.CDLL = lambda *words, **more: Hidden(real(*words, **more))
"""


def test_without_what_only_linux_has(tmp_path: Path) -> None:
    """No pidfd, prctl, timerfd, posix_spawn, as on macOS: a run with workers goes well, and ends."""
    (tmp_path / "sitecustomize.py").write_text(HIDE)
    words = [*TARGET, "--duration", "2s", "--processes", "2"]
    done = bench(*words, cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert done.code in {0, 4}, done
    assert done.err == ""
    assert done.summary_at(tmp_path)["variants"]["key"]["requests"] == 200


USERS = """
from locust import HttpUser, LoadTestShape, constant, task
from bench.load.user import ScoringUser
class Ours(ScoringUser):
    {ours}
{more}
"""
FAILING = """
class Theirs(HttpUser):
    host, wait_time = "http://127.0.0.1:1", constant(0.2)
    @task
    def ask(self): self.client.get("/nobody")
"""
SHAPE = """
class Shape(LoadTestShape):
    def tick(self): return (5, 5) if self.get_run_time() < 3 else None
"""


def _run_of(cwd: Path, *words: str, ours: str = "pass", more: str = "") -> Any:
    (cwd / "users.py").write_text(USERS.format(ours=ours, more=more))
    return bench("run", "--emulator", "--locustfile", "users.py", "--warm-up", "0s", *words, cwd=cwd, **UNDRAWN)


@pytest.mark.parametrize(
    ("words", "ours", "more", "says"),
    [
        (["--arrival-rate", "5"], "wait_time = constant(1)", "", "has a wait_time"),
        (["--arrival-rate", "5"], "pass", SHAPE, "LoadTestShape"),
        (["--duration", "7s"], "pass", SHAPE, "leave --duration out"),
        ([], "pass", 'class B(ScoringUser):\n    auth_modes = ("aml_token",)', "share its variants"),
    ],
)
def test_what_contradicts_itself_is_refused(words: list[str], ours: str, more: str, says: str, tmp_path: Path) -> None:
    """Before anything is sent, in one line."""
    done = _run_of(tmp_path, *words, ours=ours, more=more)
    assert done.code == 2, done
    assert says in done.err
    assert "Traceback" not in done.err


@pytest.mark.slow
def test_the_end_of_a_shape_is_the_run_s(tmp_path: Path) -> None:
    """Closed model, no duration, workers: completed, after the shape's own time, and its stages are in the manifest."""
    done = _run_of(tmp_path, "--processes", "2", more=SHAPE)
    assert done.code in {0, 4}, done
    (manifest,) = tmp_path.glob("results/*/manifest.json")
    ended_manifest = json.loads(manifest.read_text())
    assert ended_manifest["ended"]["reason"] == "completed"
    assert ended_manifest["ended"]["at_ns"] > 2.9e9
    assert ended_manifest["shape"]["stages"] == [{"from_s": 0.0, "fewest_users": 5, "most_users": 5, "spawn_rate": 5.0}]
    [stage] = done.summary_at(tmp_path)["stages"]
    assert stage["name"] == "5 users"


def test_somebody_else_s_failing_user(tmp_path: Path) -> None:
    """An HttpUser beside ours whose every request fails: exit code 1, as Locust alone has it."""
    assert _run_of(tmp_path, "--arrival-rate", "20", "--duration", "2s", more=FAILING).code == 1
