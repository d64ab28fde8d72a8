"""Starting the emulator as a child, for `--emulator`. Edge: owns that process.

It knows only the emulator's command and the one JSON line it prints when it is ready.
"""

from __future__ import annotations

import json
import os
import select
import shlex
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from typing import IO, Any

from bench.errors import BenchError, RunInvalid, UsageError, no_temporary_file
from bench.plan.options import without_secrets
from bench.target.emulator_admin import EmulatorAdmin

_STARTS_WITHIN_S = 60.0
_SAYS = "bench emulator: "


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalEmulator:
    """A running emulator: `facts` is what it said of itself (`endpoints`, `workspace`, `env`, `admin`, ...)."""

    facts: dict[str, Any]
    process: subprocess.Popen[bytes]

    @classmethod
    def start(cls, options: str = "") -> LocalEmulator:
        """Start it on free ports and wait until it serves.

        UsageError when it refuses its options, RunInvalid when this machine has no room for it.
        """
        try:
            words = shlex.split(options)
        except ValueError as exc:
            raise UsageError(f"--emulator-options: {exc}", hint="see `bench emulator --help`") from exc
        # from a thread that may end before this process does the system must not be asked to take the emulator along
        life = f"--die-with-parent={os.getpid()}" if threading.get_native_id() == os.getpid() else "--die-with-parent"
        command = [sys.executable, "-m", "bench.emulator", "--json", "--hold-faults", life, *words]
        with _output() as said:
            process = subprocess.Popen(
                command,
                env=without_secrets(os.environ),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=said,
                start_new_session=True,
            )
            assert process.stdout is not None  # noqa: S101 - for the type checker
            try:
                line = _line_from(process.stdout.fileno(), within_s=_STARTS_WITHIN_S)
            except BaseException:
                process.kill()
                process.wait()
                raise
            if not line:
                code = process.wait()
                said.seek(0)
                raise _failure(code, said.read().decode("utf-8", "replace"))
        return cls(facts=json.loads(line), process=process)

    def begin_faults(self, zero_ns: int) -> list[dict[str, Any]]:
        """Make `zero_ns` (monotonic) the zero of the fault script, and return its faults. RunInvalid without an answer.

        Until then none of those with an `at` acts.
        """
        try:
            faults: list[dict[str, Any]] = EmulatorAdmin(self.facts["admin"]).start(zero_ns)["faults"]
        except (OSError, ValueError, KeyError, TypeError) as exc:
            raise RunInvalid(f"the emulator does not take the run's zero: {exc}", hint="look whether it lives") from exc
        return faults

    def stop(self) -> None:
        """Ask it to end and wait for that; safe to call twice."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


def _failure(code: int, said: str) -> BenchError:
    """Of an emulator that ended before it served, with that exit code."""
    why = (said.strip().splitlines() or ["it said nothing"])[-1].removeprefix(_SAYS)
    if code == UsageError.exit_code:
        return UsageError(f"--emulator-options: {why}", hint="see `bench emulator --help`")
    if code == RunInvalid.exit_code:
        return RunInvalid(f"the emulator did not start: {why}")
    if code < 0:
        return RunInvalid(
            f"the emulator was killed by signal {-code} before it served", hint="is this machine out of memory?"
        )
    return BenchError(f"the emulator did not start: {why}", hint="try `bench emulator` by hand")


def _output() -> IO[bytes]:
    """For its stderr: not a pipe, which nobody would read while the emulator serves."""
    try:
        return tempfile.TemporaryFile()
    except OSError as exc:
        raise no_temporary_file(exc) from exc


def _line_from(fd: int, *, within_s: float) -> bytes:
    """The first line from a pipe, or what came before its end. BenchError when it does not come."""
    line, deadline_s = b"", time.monotonic() + within_s
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([fd], [], [], max(deadline_s - time.monotonic(), 0))
        if not ready:
            raise BenchError(f"the emulator did not start within {within_s:g} s", hint="try `bench emulator` by hand")
        if not (more := os.read(fd, 65536)):
            return b""
        line += more
    return line
