"""The processes of a drill: an emulator that can be told things, and a Locust that runs against it. Edge.

Locust gets what a user's would: the emulator's workspace as options, its environment as variables. Nothing of the
caller's own Azure settings reaches it.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.drills.drill import Drill
from bench.errors import BenchError
from bench.launch.locust_process import LocustProcess
from bench.rundir import RunDir
from bench.runreader import load_manifest

_FOREIGN = ("AZURE", "BENCH_", "IDENTITY_", "LOCUST_", "MSI_", "ARM_")
_PATIENCE_S = 10.0


class Admin:
    """The emulator's admin interface. `url` comes with its facts."""

    def __init__(self, url: str) -> None:
        self._url = url

    def get(self, what: str) -> Any:
        return self._call(what, "GET", None)

    def script(self, faults: list[Mapping[str, Any]]) -> None:
        """Add faults; `at` counts from the zero that `start` returned."""
        self._call("faults", "POST", json.dumps(faults).encode())

    def start(self) -> int:
        """Make now the script's zero: monotonic ns."""
        return int(self._call("start", "POST", b"")["zero_ns"])

    def _call(self, what: str, method: str, body: bytes | None) -> Any:
        request = urllib.request.Request(f"{self._url}/{what}", data=body, method=method)  # noqa: S310 - loopback
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=_PATIENCE_S) as answer:
            return json.loads(answer.read())


class LocustRun:
    """One headless Locust on its way. Its output is kept for when it fails."""

    def __init__(
        self,
        drill: Drill,
        *,
        locustfile: Path,
        facts: Mapping[str, Any],
        out: Path,
        processes: int,
        extra: Sequence[str] = (),
    ) -> None:
        self._said = tempfile.TemporaryFile(prefix="bench-drill-")  # noqa: SIM115
        self._locust = LocustProcess(
            locustfile,
            _values(drill, facts=facts, out=out, processes=processes),
            extra=extra,
            environment=environment_for(facts),
            output=self._said,
        )
        self.process = self._locust.process

    def folder(self) -> RunDir | None:
        """The run's folder, once it has one."""
        return self._locust.folder()

    def zero_ns(self) -> int | None:
        """The run's zero on the monotonic clock, once it is known."""
        folder = self.folder()
        if folder is None:
            return None
        manifest = load_manifest(folder)
        return int(manifest["clock"]["monotonic_ns"]) if manifest["workers"] else None

    def agent_pid(self) -> int | None:
        """The credential agent of Locust's first process."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text(encoding="ascii")
        for pid in map(int, children.split()):
            if b"bench.credentials.agent" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
        return None

    def said(self) -> str:
        """What it has written on stdout and stderr."""
        self._said.seek(0)
        return self._said.read().decode("utf-8", "replace")

    def finish(self, timeout_s: float) -> RunDir:
        """Wait for its end. BenchError with what it said when there is no run to look at."""
        try:
            code = self.process.wait(timeout=timeout_s)
        except subprocess.TimeoutExpired as exc:
            raise BenchError(f"the drill's Locust did not end within {timeout_s:g} s", hint=self._last_line()) from exc
        folder = self.folder()
        if folder is None or code not in {0, 1}:
            raise BenchError(f"the drill's Locust failed (exit code {code})", hint=self._last_line())
        return folder

    def close(self) -> None:
        """End it, whatever it is at."""
        self._locust.close()
        self._said.close()

    def _last_line(self) -> str:
        lines = self.said().strip().splitlines()
        return lines[-1] if lines else "it said nothing"


def _values(drill: Drill, *, facts: Mapping[str, Any], out: Path, processes: int) -> dict[str, str]:
    """The options of a drill's run."""
    place = facts["workspace"]
    return {
        "endpoint": facts["endpoints"][drill.auth_mode],
        "auth_mode": drill.auth_mode,
        "subscription_id": place["subscription_id"],
        "resource_group": place["resource_group"],
        "workspace": place["workspace_name"],
        "users": str(drill.users),
        "processes": str(processes),
        "arrival_rate": f"{drill.rate:g}",
        "duration": f"{drill.duration_s:g}s",
        "warm_up": "0s",
        "out": str(out),
    }


def environment_for(facts: Mapping[str, Any]) -> dict[str, str]:
    """This process's environment without anything that would point elsewhere, and the emulator's instead."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    return {**kept, **facts["env"]}
