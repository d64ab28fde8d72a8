"""Running Locust as a child process, so that the command itself is never patched by gevent. Edge."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import bench
from bench.errors import UsageError
from bench.options import RUN_OPTIONS
from bench.rundir import RunDir

_RUN_FILE_VARIABLE = "BENCH_RUN_FILE"
_HERE = Path(bench.__file__).parent


def locustfile_for(name: str) -> Path:
    """A locustfile that comes with this tool: in the repository, or within the installed package."""
    for folder in (_HERE / "locustfiles", _HERE.parent / "locustfiles"):
        if (folder / f"{name}.py").is_file():
            return folder / f"{name}.py"
    raise UsageError(f"locustfile {name}.py is not there", hint="name your own with --locustfile")


def run_locust(locustfile: Path, values: Mapping[str, Any], *, extra: Iterable[str] = ()) -> tuple[RunDir | None, int]:
    """Run Locust headless with the run's options. Returns the run's folder, if it began, and the exit code."""
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
        command += ["--processes", processes]
    command += ["--users", str(values["users"])]
    for option in RUN_OPTIONS:
        value = values.get(option.dest)
        if option.locust or not value:
            continue
        command += [option.flag] if option.switch else [f"{option.flag}={value}"]
    with tempfile.NamedTemporaryFile(prefix="bench-run-", mode="r", encoding="utf-8") as told:
        environment = {**os.environ, _RUN_FILE_VARIABLE: told.name}
        code = _wait(subprocess.Popen([*command, *extra], env=environment))
        path = told.read().strip()
    return (RunDir(Path(path)) if path else None), code


def _wait(child: subprocess.Popen[bytes]) -> int:
    """Until the child ends. Ctrl-C reaches it by itself (it shares the terminal); SIGTERM is passed on."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN), signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    try:
        return child.wait()
    finally:
        signal.signal(signal.SIGINT, before[0])
        signal.signal(signal.SIGTERM, before[1])
