"""`ulimit -n`: a run that needs more is refused in a line; one that runs out of them keeps what was measured."""

from __future__ import annotations

import json
import re
import resource
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bench.runreader import load_run
from tests.e2e.command import Done, start_and_wait

LEAKY = """
import contextlib
import os

from locust import task

from bench.load.user import ScoringUser

held = []


class Leaky(ScoringUser):
    auth_modes = ("key",)

    @task
    def ask(self) -> None:
        with contextlib.suppress(OSError):
            held.append(os.open("/dev/null", os.O_RDONLY))
        self.score({"a": 1})
"""


class _Closing(BaseHTTPRequestHandler):
    """Each answer ends its connection, so that each request needs a descriptor of its own."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def uri() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Closing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/score"
        server.shutdown()


def _limited(cwd: Path, *words: str, most: int = 64, **environment: str) -> Done:
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[1] > 64
    command = ["bash", "-c", f'ulimit -n {most}; exec "$@"', "bash", sys.executable, "-m", "bench", "run", *words]
    return start_and_wait([*command, "--warm-up", "0s"], cwd=cwd, BENCH_KEY="canary-key", **environment)


def test_more_users_than_descriptors_are_refused_in_one_line(tmp_path: Path) -> None:
    """Before anything is sent, and Locust's own three lines about 10,000 descriptors are not there."""
    done = _limited(tmp_path, "--scoring-uri", "http://127.0.0.1:9/score", "--users", "60", "--duration", "1s")
    assert done.code == 4, done
    (line,) = done.err.splitlines()
    assert line.startswith("error: 60 users need ")
    assert "this process may have 64 (raise `ulimit -Hn`" in line


@pytest.mark.parametrize(
    ("most", "says"),
    [
        (6, "this process is out of file descriptors (raise `ulimit -n`)"),
        (10, "Locust needs 3"),
        (40, "the emulator did not start: out of file descriptors (raise `ulimit -n`)"),
    ],
)
def test_whoever_has_too_few_to_start(most: int, says: str, tmp_path: Path) -> None:
    """`bench`, Locust, the emulator: one line, exit code 4, and nobody blames an option."""
    done = _limited(tmp_path, "--emulator", "--duration", "1s", most=most)
    assert done.code == 4, done
    (line,) = done.err.splitlines()
    assert line.startswith(f"error: {says}")


SHAPE = """
from locust import LoadTestShape
from bench.load.user import ScoringUser
class Ours(ScoringUser): pass
class Shape(LoadTestShape):
    def tick(self): return 120, 120
"""


@pytest.mark.slow
def test_users_of_a_shape_are_counted_where_they_are(uri: str, tmp_path: Path) -> None:
    """Its master cannot know what a worker may open; the worker ends the run, in one line."""
    (tmp_path / "shape.py").write_text(SHAPE)
    done = _limited(tmp_path, "--scoring-uri", uri, "--locustfile", "shape.py", "--processes", "2")
    assert done.code == 4, done
    (line,) = [line for line in done.err.splitlines() if line.startswith("error: ")]
    assert re.match(r"error: w[01]: 60 users need 1\d\d file descriptors, and this process may have 64 \(raise", line)
    assert "Traceback" not in done.out + done.err
    assert json.loads((tmp_path / done.run / "manifest.json").read_text())["ended"]["reason"] == "lost"


NO_FORK = """
import errno, os
def fork():
    raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
os.fork = fork
"""


def test_no_process_can_be_started(tmp_path: Path) -> None:
    """`ulimit -u`: Locust forks its workers, and is not let."""
    (tmp_path / "sitecustomize.py").write_text(NO_FORK)
    done = _limited(tmp_path, "--emulator", "--processes", "2", PYTHONPATH=str(tmp_path))
    assert done.code == 4, done
    assert done.err == "error: no further process can be started (end other processes, or raise `ulimit -u`)\n"


@pytest.mark.slow
def test_a_run_that_runs_out_of_them_keeps_what_was_measured(uri: str, tmp_path: Path) -> None:
    """A task that leaks one each time: the run has its end and its samples, is INVALID, and says why in one line."""
    (tmp_path / "leaky.py").write_text(LEAKY)
    words = ("--scoring-uri", uri, "--users", "4", "--arrival-rate", "40", "--duration", "6s")
    done = _limited(tmp_path, "--locustfile", "leaky.py", *words)
    assert done.code == 4, done
    assert "Traceback" not in done.out + done.err
    assert done.err == ""
    assert "client out of file descriptors" in done.out.splitlines()[0]
    run = load_run(tmp_path / done.run)
    assert json.loads((run.path / "manifest.json").read_text())["ended"]["reason"] == "completed"
    assert run.problems == ()
    assert len(run.samples) == 240
    causes = [run.samples.words["cause"][code] for code in run.samples.cause]
    assert 0 < causes.count("no_descriptors") < 240
