"""Starting the emulator as a child, for `--emulator`. Edge: owns that process.

It knows only the emulator's command and the one JSON line it prints when it is ready.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from typing import Any

from bench.errors import BenchError, UsageError
from bench.options import without_secrets


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalEmulator:
    """A running emulator: `facts` is what it said of itself (`endpoints`, `workspace`, `env`, `admin`, ...)."""

    facts: dict[str, Any]
    process: subprocess.Popen[str]

    @classmethod
    def start(cls, options: str = "") -> LocalEmulator:
        """Start it on free ports and wait until it serves. UsageError when it refuses its options."""
        try:
            words = shlex.split(options)
        except ValueError as exc:
            raise UsageError(f"--emulator-options: {exc}", hint="see `bench emulator --help`") from exc
        command = [sys.executable, "-m", "bench.emulator", "--json", "--die-with-parent", *words]
        with tempfile.TemporaryFile("w+") as said:  # not a pipe: nobody would read it while the emulator serves
            process = subprocess.Popen(
                command,
                env=without_secrets(os.environ),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
                start_new_session=True,
            )
            assert process.stdout is not None  # noqa: S101 - for the type checker
            line = process.stdout.readline()
            if not line:
                code = process.wait()
                said.seek(0)
                why = (said.read().strip().splitlines() or ["it said nothing"])[-1]
                if code == 2:
                    raise UsageError(f"--emulator-options: {why}", hint="see `bench emulator --help`")
                raise BenchError(f"the emulator did not start: {why}", hint="try `bench emulator` by hand")
        return cls(facts=json.loads(line), process=process)

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
