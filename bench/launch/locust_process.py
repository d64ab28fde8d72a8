"""One Locust that a command of this package has started, with its plan in a file. Edge: owns that process.

Locust gets the plan and nothing else: no LOCUST_* variable, no configuration file, no key of the terminal. Its stdin is
a pipe that ends when this process does, which is how Locust and its workers know on every system.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from bench.errors import no_temporary_file
from bench.plan.options import RUN_OPTIONS
from bench.process import handover, lifeline
from bench.process.handover import Handover
from bench.process.orphans import Orphans
from bench.rundir import RunDir
from bench.voice import PLAIN, Voice

_LOOPBACK = "127.0.0.1"
_PATIENCE_S = 10.0


class LocustProcess:
    """A headless Locust with the values of the run's options. RunInvalid where no temporary file can be made."""

    def __init__(
        self,
        locustfile: Path,
        values: Mapping[str, Any],
        *,
        extra: Iterable[str] = (),
        environment: Mapping[str, str] | None = None,
        output: IO[bytes] | None = None,
        voice: Voice = PLAIN,
    ) -> None:
        """`output` gets all that it says; else its standard output goes where the results of `voice` go."""
        words = list(extra)
        self._folder = _new_folder("bench-run-")
        self._folder_file = self._folder / "folder"
        self._folder_file.touch()
        self._orphans = Orphans()
        plan = self._folder / "plan.json"
        ours = [option for option in RUN_OPTIONS if not option.locust and values.get(option.dest)]
        options = {option.dest: True if option.switch else str(values[option.dest]) for option in ours}
        handover.put(plan, Handover(options=options, life=lifeline.terms(), quiet=voice.quiet))
        given = os.environ if environment is None else environment
        kept = {name: value for name, value in given.items() if not name.startswith("LOCUST_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bench.load", *_words(locustfile, values), *_log_words(words, voice), *words],
            env={**kept, handover.PLAN_VARIABLE: str(plan), handover.RUN_VARIABLE: str(self._folder_file)},
            stdin=subprocess.PIPE,
            stdout=output if output is not None or not voice.json else sys.stderr,
            stderr=subprocess.STDOUT if output is not None else None,
        )

    def folder(self) -> RunDir | None:
        """The run's folder, once it has one."""
        path = handover.read_run_folder(self._folder_file)
        return RunDir(path) if path else None

    def ended_within(self, seconds: float) -> bool:
        """Wait for its end, without looking again and again where the system can tell."""
        try:
            fd = os.pidfd_open(self.process.pid)
        except (AttributeError, OSError):
            return self._polled_within(seconds)
        try:
            select.select([fd], [], [], seconds)
        finally:
            os.close(fd)
        return self.process.poll() is not None

    def _polled_within(self, seconds: float) -> bool:
        deadline_s = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < deadline_s:
            time.sleep(min(0.05, seconds))
        return self.process.poll() is not None

    def pass_on(self, number: int) -> None:
        """Send a signal, if it still lives."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)

    def kill(self) -> None:
        """End it and all its children at once, stopped ones too."""
        if self.process.poll() is None:
            self._orphans.kill_below(self.process.pid)
            self.process.kill()
            self.process.wait()

    def close(self) -> None:
        """See it and whoever it leaves behind end, and remove the files of the handover."""
        if self.process.poll() is None:
            self.pass_on(signal.SIGTERM)
            if not self.ended_within(_PATIENCE_S):
                self.kill()
        self._orphans.see_off()
        if self.process.stdin is not None:
            self.process.stdin.close()
        shutil.rmtree(self._folder, ignore_errors=True)


@contextlib.contextmanager
def temporary_folder(prefix: str) -> Iterator[Path]:
    """A new folder, gone at the end. RunInvalid when there is no room for one."""
    folder = _new_folder(prefix)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _new_folder(prefix: str) -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix=prefix))
    except OSError as exc:
        raise no_temporary_file(exc) from exc


def _words(locustfile: Path, values: Mapping[str, Any]) -> list[str]:
    words = ["-f", str(locustfile), "--headless", "--only-summary", "--users", str(values["users"])]
    processes = str(values.get("processes") or "1")
    return words if processes == "1" else [*words, "--processes", processes, *_meeting_point()]


def _log_words(extra: Iterable[str], voice: Voice) -> list[str]:
    """Locust's log is for whoever asks for one."""
    if voice.verbose or any(word.startswith(("--log", "-L")) for word in extra):
        return []
    return ["--skip-log-setup"]


def _meeting_point() -> list[str]:
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
