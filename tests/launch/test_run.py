"""What `bench` hands to Locust, what it refuses to hand over, and how it waits."""

from __future__ import annotations

import json
import os
import socket
import stat
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from bench.errors import EXIT_CODES, RunInvalid, UsageError, first_of
from bench.launch import run as launch
from bench.launch.locust_process import LocustProcess, temporary_folder
from bench.launch.locust_words import refuse
from bench.launch.overdue import Overdue
from bench.launch.run import run_locust
from bench.process import handover
from bench.process.handover import Handover
from bench.process.orphans import Orphans, children_of
from bench.rundir import RunDir, refuse_pipe
from tests.analysis.synthetic import write_run


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["-t", "20s"], "--duration"),
        (["-t20s"], "--duration"),
        (["--run-time=20s"], "--duration"),
        (["--run-t", "20s"], "--duration"),
        (["-u5"], "--users"),
        (["--users", "5"], "--users"),
        (["--processes=2"], "--processes"),
        (["--config", "x.conf"], "command line"),
        (["-f", "other.py"], "--locustfile"),
        (["--html", "x.html", "--autostart"], "by hand"),
        (["--arrival-rate=3"], "--arrival-rate before the --"),
        (["--scoring-uri", "http://x"], "--scoring-uri before the --"),
    ],
)
def test_words_that_would_change_the_run_are_refused(words: list[str], says: str) -> None:
    """With what to write instead; Locust understands an option's beginning, too."""
    with pytest.raises(UsageError) as refused:
        refuse(words)
    assert says in refused.value.describe()


def test_words_that_are_locust_s_own_pass() -> None:
    """Reports, logs, tags, a slower start."""
    words = ["--html", "x.html", "-r", "5", "--spawn-rate=5", "--csv=x", "--tags", "a", "--loglevel", "INFO", "-s", "5"]
    assert refuse(words) is None


@pytest.mark.parametrize(
    ("codes", "wins"),
    [((10, 4), 4), ((0, 11), 11), ((11, 10), 10), ((4, 1, 2), 1), ((0,), 0), ((0, 255), 1), ((3, 4), 3)],
)
def test_where_several_exit_codes_hold(codes: tuple[int, ...], wins: int) -> None:
    """1, 2, 3, 4, 10, 11, 0 in this order; one that is in no table is 1."""
    assert first_of(*codes) == wins
    assert wins in EXIT_CODES


class TestHandover:
    def test_only_its_owner_reads_it_and_only_once(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Mode 0600, gone when it was taken; odd names come through as they are."""
        monkeypatch.setattr(handover, "_taken", None)
        handed = Handover(options={"out": " x\udcff", "emulator": True}, life={"parent": 7, "main_thread": True})
        path = tmp_path / "plan.json"
        handover.put(path, handed)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert handover.take(path) == handed == handover.taken()
        assert not path.exists()

    def test_a_folder_s_name_comes_back_as_it_is(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A blank at its beginning, or bytes that are no UTF-8."""
        file = tmp_path / "run-folder"
        file.touch()
        assert handover.read_run_folder(file) is None
        monkeypatch.setenv(handover.RUN_VARIABLE, str(file))
        handover.write_run_folder(Path(" x/\udcff"))
        assert handover.read_run_folder(file) == Path(" x/\udcff")


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Have `LocustProcess` start a program in place of Locust."""

    def start(program: str, **values: Any) -> LocustProcess:
        monkeypatch.setattr("bench.launch.locust_process._words", lambda *_: [])
        real = sys.executable
        script = Path(os.environ["PYTEST_SCRIPT_FOLDER"]) / "child"
        script.write_text(f"#!{real}\n{program}\n")
        script.chmod(0o755)
        with monkeypatch.context() as patched:
            patched.setattr(sys, "executable", str(script))
            return LocustProcess(Path("x.py"), {"users": "1", **values})

    return start


@pytest.fixture(autouse=True)
def script_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_SCRIPT_FOLDER", str(tmp_path))


def test_the_plan_is_in_no_argument(child: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor in the environment, nor left behind; LOCUST_* variables do not reach Locust."""
    monkeypatch.setenv("LOCUST_RUN_TIME", "1s")
    program = (
        "import json, os, sys\n"
        "plan = json.load(open(os.environ['BENCH_PLAN_FILE']))\n"
        "json.dump([sys.argv, dict(os.environ), plan], open('seen.json', 'w'))"
    )
    monkeypatch.chdir(tmp_path)
    locust = child(program, scoring_uri="http://host/score?code=SECRET", out=Path(" x"))
    assert locust.ended_within(60)
    locust.close()
    argv, environment, plan = json.loads((tmp_path / "seen.json").read_text())
    assert "SECRET" not in json.dumps([argv, environment])
    assert plan["options"] == {"scoring_uri": "http://host/score?code=SECRET", "out": " x"}
    assert "LOCUST_RUN_TIME" not in environment
    assert not Path(environment["BENCH_PLAN_FILE"]).parent.exists()


def test_who_is_left_behind_is_ended(child: Any, tmp_path: Path) -> None:
    """A stopped grandchild, which no polite signal reaches, is gone when the process is closed."""
    program = (
        "import os, signal, subprocess, sys\n"
        "left = subprocess.Popen(['sleep', '600'])\n"
        "os.kill(left.pid, signal.SIGSTOP)\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(left.pid))"
    )
    locust = child(program)
    assert locust.ended_within(60)
    pid = int((tmp_path / "pid").read_text())
    assert pid in children_of(os.getpid())
    locust.close()
    assert pid not in children_of(os.getpid())


def test_orphans_of_others_are_let_be() -> None:
    """Children from before are none of its business."""
    import subprocess

    with subprocess.Popen(["sleep", "600"]) as other:
        Orphans().see_off()
        assert other.poll() is None
        other.kill()


def test_a_locust_that_was_stopped_for_good_is_killed(
    child: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """SIGSTOP and never SIGCONT: after a while that is said, and the exit code is 4."""
    monkeypatch.setattr("bench.launch.overdue._STOPPED_FOR_S", 0.0)
    monkeypatch.setattr(launch, "_LOOK_EVERY_S", 0.05)
    locust = child("import os, signal, time\nos.kill(os.getpid(), signal.SIGSTOP)\ntime.sleep(600)")
    assert launch._wait(locust, launch._never) == 4
    assert "has been stopped (SIGSTOP)" in capsys.readouterr().err
    locust.close()


def test_how_long_a_run_may_take(tmp_path: Path) -> None:
    """Its plan, its time-out and a grace, from the zero its manifest tells; no limit without an end."""
    run = RunDir(write_run(tmp_path / "run", duration_s=2, warm_up_s=1, rate=10))
    whole = json.loads(run.manifest.read_text())
    overdue = Overdue(os.getpid())
    overdue._end_s = time.monotonic() - 1
    assert overdue.why(None) == "the run did not begin in time"
    whole["plan"]["timeout_s"] = 3
    whole["clock"]["monotonic_ns"] = time.monotonic_ns() - 30_000_000_000
    run.manifest.write_text(json.dumps({**whole, "workers": "w0"}))
    assert overdue.why(run) == "the run did not begin in time"
    run.manifest.write_text(json.dumps(whole))
    assert overdue.why(run) == "Locust did not end in time"
    endless = Overdue(os.getpid())
    run.manifest.write_text(json.dumps({**whole, "plan": {**whole["plan"], "duration_s": None}}))
    assert endless.why(run) == ""
    endless.asked_to_end()
    assert endless._end_s is not None


def test_a_watcher_that_breaks_takes_nothing_with_it(capsys: pytest.CaptureFixture[str]) -> None:
    """It says so, and the run goes on."""

    def broken(_: RunDir) -> bool:
        raise PermissionError(1, "Operation not permitted")

    assert launch._is_enough(broken, RunDir(Path("x"))) is False
    assert "it goes on" in capsys.readouterr().err


def test_nice_is_only_ever_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """`nice -n 15 bench run ...` as an ordinary user: stepping forward again is not allowed, nor tried."""
    from bench.launch import watch

    asked: list[int] = []
    monkeypatch.setattr(os, "nice", lambda by: asked.append(by) or 15)
    watch._step_back()
    assert asked == [0]


def test_no_room_for_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line that says what to set."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    with pytest.raises(RunInvalid, match="no temporary file can be written"), temporary_folder("bench-"):
        pass
    with pytest.raises(UsageError, match="cannot be given"):
        run_locust(Path("x.py"), {"users": "1"}, extra=["-t", "5s"])


def test_a_pipe_is_no_payload(tmp_path: Path) -> None:
    """It would hang; a file, a folder and what is not there are for others to judge."""
    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(UsageError, match="is not a file"):
        refuse_pipe(str(tmp_path / "pipe.json"), option="--payload")
    for fine in (str(tmp_path), str(tmp_path / "missing"), "", "nul\0"):
        assert refuse_pipe(fine, option="--payload") is None


def test_the_meeting_point_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Between the look at it and the use of it: one line, exit code 4."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"master-port={taken.getsockname()[1]}", f"master-bind-port={taken.getsockname()[1]}"
        words = [f"--{word}" for word in ("master-host=127.0.0.1", "master-bind-host=127.0.0.1", *address)]
        monkeypatch.setattr("bench.launch.locust_process._meeting_point", lambda: words)
        monkeypatch.setenv("BENCH_KEY", "k")
        values = {"users": "2", "processes": "2", "scoring_uri": "http://127.0.0.1:9/score", "out": str(tmp_path)}
        assert run_locust(launch.locustfile_for("key"), values) == (None, 4)
    said = capfd.readouterr().err
    assert said == "error: the port that master and workers were to meet on has just been taken (run it again)\n"
