"""Save a run as an accepted baseline that later runs are compared with, or list what there is.

examples:
  bench baseline save results/20261124-081530-123-ab12 --as main
  bench baseline save RUN RUN RUN --as main      (three runs or more say how much runs of one thing differ)
  bench baseline list
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from bench import schemas
from bench.errors import UsageError
from bench.gates import baseline as baselines
from bench.plain_text import write_line
from bench.rundir import RunDir
from bench.runreader import load_manifest


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("save", "list"), help="what to do")
    parser.add_argument("runs", metavar="RUN", nargs="*", default=[], help="run folders to save as one baseline")
    parser.add_argument("--as", dest="name", metavar="NAME", default="", help="the baseline's name, such as main")


def run(arguments: argparse.Namespace) -> int:
    if arguments.action == "list":
        for path in sorted(baselines.FOLDER.glob("*.json")):
            baseline = baselines.load(path.stem)
            write_line(sys.stdout, f"{baseline.name}: run {baseline.run_id}")
        return 0
    if not arguments.runs or not arguments.name:
        raise UsageError("a run and a name are needed", hint="write `bench baseline save RUN --as main`")
    (first, *others) = [_read(RunDir(Path(name))) for name in arguments.runs]
    path = baselines.save(*first, name=arguments.name, more=others)
    write_line(sys.stdout, f"saved: {path}")
    return 0


def _read(folder: RunDir) -> tuple[dict[str, Any], dict[str, Any]]:
    """Summary and manifest of a run, as they can be believed."""
    manifest = load_manifest(folder)
    if not folder.summary.exists():
        raise UsageError(f"{folder.summary} does not exist", hint=f"make it with `bench report {folder.path}`")
    return schemas.load(folder.summary, schemas.Summary), manifest
