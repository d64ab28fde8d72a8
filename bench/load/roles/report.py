"""What follows a run of plain `locust -f`: the report."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from typing import Any

from bench.plan.options import without_secrets
from bench.rundir import RunDir

log = logging.getLogger(__name__)


def make_report(run: RunDir, environment: Any) -> None:
    """Run `bench report` on `run`; its exit code becomes Locust's, so that an invalid run is not green."""
    done = subprocess.run(
        [sys.executable, "-m", "bench", "report", str(run.path)],
        env=without_secrets(os.environ),
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode not in {0, 4}:
        log.error("no report for %s: %s", run.path, done.stderr.strip() or done.stdout.strip())
    else:
        sys.stderr.write(done.stdout)
    if environment.process_exit_code is None:
        environment.process_exit_code = done.returncode
