"""Running `bench` and Locust as a user would: as processes, away from the repository's folder."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
LOCUSTFILES = REPOSITORY / "locustfiles"
UNDRAWN = {"PYTHONPATH": str(Path(__file__).parent / "undrawn")}
"""In the environment of runs whose plots nobody looks at: drawing them takes a third of what a short run takes."""
_CLEAN = re.compile(r"BENCH_|MLFLOW_|AZURE|IDENTITY_|MSI_|LOCUST_|GITHUB_|TF_BUILD")


@dataclass(frozen=True)
class Done:
    """A process that has ended."""

    code: int
    out: str
    err: str

    @property
    def run(self) -> Path:
        """The folder of the run it reported on."""
        match = re.search(r"report: (\S+)/report\.html", self.out + self.err)
        assert match, f"no report in: {self.out}\n{self.err}"
        return Path(match.group(1))

    def summary_at(self, cwd: Path) -> dict[str, Any]:
        """The summary of that run, which was made in `cwd`."""
        return json.loads((cwd / self.run / "summary.json").read_text())


def clean_environment(**variables: str) -> dict[str, str]:
    """This process's environment without anything that would point a run somewhere."""
    return {name: value for name, value in os.environ.items() if not _CLEAN.match(name)} | variables


def bench(*words: str, cwd: Path, timeout_s: float = 300, **environment: str) -> Done:
    """Run `bench` to its end."""
    return start_and_wait([sys.executable, "-m", "bench", *words], cwd=cwd, timeout_s=timeout_s, **environment)


def start_and_wait(command: list[str], *, cwd: Path, timeout_s: float = 300, **environment: str) -> Done:
    done = subprocess.run(
        command,
        cwd=cwd,
        env=clean_environment(**environment),
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""
