"""Adding a run, or a set of runs, to a history: its commit and branch, then the line. Edge: CI's variables, git.

The line is all that is read again: the run's folder may go.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.history.entry import as_entry
from bench.history.lines import Added
from bench.history.places import Place

_COMMIT = ("GITHUB_SHA", "BUILD_SOURCEVERSION", "CI_COMMIT_SHA")
_BRANCH = ("GITHUB_HEAD_REF", "GITHUB_REF_NAME", "BUILD_SOURCEBRANCHNAME", "CI_COMMIT_REF_NAME")
_STAMP = len("20261124-081530")


def add_run(
    summary: Mapping[str, Any],
    manifest: Mapping[str, Any],
    place: Place,
    *,
    run: Path,
    commit: str = "",
    branch: str = "",
) -> Added:
    """Add what was measured in the folder `run` to a history, unless it is there already. Raises what `place` does."""
    entry = as_entry(
        summary,
        manifest,
        at=str(summary["run_id"])[:_STAMP],
        commit=commit or _from_ci(_COMMIT) or _git("rev-parse", "HEAD"),
        branch=branch or _from_ci(_BRANCH) or _git("rev-parse", "--abbrev-ref", "HEAD"),
    )
    return place.add(entry, run=run)


def _from_ci(names: tuple[str, ...]) -> str:
    return next((os.environ[name] for name in names if os.environ.get(name)), "")


def _git(*words: str) -> str:
    try:
        done = subprocess.run(["git", *words], capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
