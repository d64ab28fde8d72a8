"""Save a run as an accepted baseline that later runs are compared with, or list what there is.

examples:
  bench baseline save results/20261124-081530-123-ab12 --as main
  bench baseline save RUN RUN RUN --as main      (three runs or more say how much runs of one thing differ)
  bench baseline save SET --as main              (the runs of a set, made by bench run --runs)
  bench baseline list
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench.errors import UsageError
from bench.gates import baseline as baselines
from bench.plain_text import write_line
from bench.runset.folder import figures_and_manifest, runs_of


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
    (first, *others) = [figures_and_manifest(path) for path in runs_of([Path(name) for name in arguments.runs])]
    path = baselines.save(*first, name=arguments.name, more=others)
    write_line(sys.stdout, f"saved: {path}")
    return 0
