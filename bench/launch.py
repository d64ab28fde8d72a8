"""Running Locust as a child process, so that the command itself is never patched by gevent. Edge."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import bench
from bench.errors import UsageError
from bench.options import RUN_OPTIONS
from bench.rundir import RunDir

_RUN_FILE_VARIABLE = "BENCH_RUN_FILE"
_LOOK_EVERY_S = 5.0
_LOOPBACK = "127.0.0.1"
_HERE = Path(bench.__file__).parent


def locustfile_for(name: str) -> Path:
    """A locustfile that comes with this tool: in the repository, or within the installed package."""
    for folder in (_HERE / "locustfiles", _HERE.parent / "locustfiles"):
        if (folder / f"{name}.py").is_file():
            return folder / f"{name}.py"
    raise UsageError(f"locustfile {name}.py is not there", hint="name your own with --locustfile")


def run_locust(
    locustfile: Path,
    values: Mapping[str, Any],
    *,
    extra: Iterable[str] = (),
    enough: Callable[[RunDir], bool] | None = None,
) -> tuple[RunDir | None, int]:
    """Run Locust headless with the run's options. Returns the run's folder, if it began, and the exit code.

    `enough` is asked about the folder every now and then, and ends the run when it says so.
    """
    command = [
        sys.executable,
        "-m",
        "locust",
        "-f",
        str(locustfile),
        "--headless",
        "--only-summary",
        "--skip-log-setup",
    ]
    processes = str(values.get("processes") or "1")
    if processes != "1":
        command += ["--processes", processes, *meeting_point()]
    command += ["--users", str(values["users"])]
    for option in RUN_OPTIONS:
        value = values.get(option.dest)
        if option.locust or not value:
            continue
        command += [option.flag] if option.switch else [f"{option.flag}={value}"]
    with tempfile.NamedTemporaryFile(prefix="bench-run-", mode="r", encoding="utf-8") as told:
        environment = {**os.environ, _RUN_FILE_VARIABLE: told.name}
        child = subprocess.Popen([*command, *extra], env=environment)
        code = _wait(child, lambda: enough is not None and _is_enough(told.name, enough))
        path = told.read().strip()
    return (RunDir(Path(path)) if path else None), code


def _is_enough(told: str, enough: Callable[[RunDir], bool]) -> bool:
    path = Path(told).read_text(encoding="utf-8").strip()
    return bool(path) and enough(RunDir(Path(path)))


def _wait(child: subprocess.Popen[bytes], enough: Callable[[], bool]) -> int:
    """Until the child ends. Ctrl-C reaches it by itself (it shares the terminal); SIGTERM is passed on."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN), signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    try:
        while True:
            try:
                return child.wait(timeout=_LOOK_EVERY_S)
            except subprocess.TimeoutExpired:
                if enough():
                    child.send_signal(signal.SIGUSR1)
                    enough = _never
    finally:
        signal.signal(signal.SIGINT, before[0])
        signal.signal(signal.SIGTERM, before[1])


def _never() -> bool:
    return False


def meeting_point() -> list[str]:
    """Locust's options for a master and the workers it forks, on a loopback port that was free a moment ago.

    Left alone, Locust meets on port 5557 of every interface: two runs on one host would share workers, and the network
    could join in.
    """
    with socket.socket() as probe:
        probe.bind((_LOOPBACK, 0))
        port = probe.getsockname()[1]
    return [
        *(f"--master-bind-host={_LOOPBACK}", f"--master-bind-port={port}"),
        *(f"--master-host={_LOOPBACK}", f"--master-port={port}"),
    ]
