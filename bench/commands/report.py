"""Make summary, plots and report of a stored run again, or lay several runs over each other.

examples:
  bench report results/20261124-081530-123-ab12
  bench report                                   (the newest run)
  bench report SET                               (of bench run --runs: its figures between runs)
  bench report RUN_A RUN_B --out both            (an overlay, in the folder both/)
  bench report RUN --as aiperf                   (what aiperf would print of its streamed answers)
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench import numbers
from bench.analysis.other_tools import STATISTICS, TOOLS, figures
from bench.analysis.run import LoadedRun
from bench.arguments import add_min_effect
from bench.errors import UsageError
from bench.gates.arguments import Gates
from bench.launch.finish import finish
from bench.plain_text import write_line
from bench.report import build
from bench.rundir import RunDir, newest_run
from bench.runreader import load_run
from bench.runset.folder import is_set, runs_of
from bench.runset.judge import finish_set


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", nargs="*", metavar="RUN", help="run folder; the newest below --results without one")
    parser.add_argument("--results", metavar="DIR", default="results", help="where runs are")
    parser.add_argument("--out", metavar="DIR", default="", help="folder for the report that overlays several runs")
    parser.add_argument(
        "--as",
        dest="tool",
        choices=tuple(TOOLS),
        default="",
        help="print the figures of streamed answers by another tool's definitions, and write nothing",
    )
    add_min_effect(parser)


def run(arguments: argparse.Namespace) -> int:
    folders = [Path(name) for name in arguments.runs] or [newest_run(Path(arguments.results)).path]
    if arguments.tool:
        for folder in folders:
            _print_as(arguments.tool, load_run(folder))
        return 0
    if len(folders) == 1:
        if arguments.out:
            raise UsageError("--out is for a report on several runs", hint="one run's report goes into its own folder")
        if is_set(folders[0]):
            return finish_set(folders[0], gates=Gates(), min_effect=arguments.min_effect)
        return finish(RunDir(folders[0]), gates=Gates(), min_effect=arguments.min_effect)
    if not arguments.out:
        raise UsageError("a report on several runs needs a folder", hint="name one with --out")
    build.write_overlay(runs_of(folders), Path(arguments.out))
    write_line(sys.stdout, f"report: {RunDir(Path(arguments.out)).report}")
    return 0


def _print_as(tool: str, run: LoadedRun) -> None:
    for variant in run.variants:
        write_line(sys.stdout, f"{run.run_id}, {variant}, as {tool} would print it, ms")
        write_line(sys.stdout, f"  {'':<22}{''.join(f'{name:>10}' for name in STATISTICS)}")
        for name, statistics in figures(run, variant, tool).items():
            cells = "".join(f"{numbers.milliseconds(value):>10}" for value in statistics.values())
            write_line(sys.stdout, f"  {name:<22}{cells}")
