"""Runs over time: add a run, see the figures over runs, and find the lasting shifts between them.

examples:
  bench history add results/20261124-081530-123-ab12 --history perf
  bench history show --history perf
  bench history changes --history perf --gate      (exit 10 when the newest runs are worse for a lasting shift)
  bench history report --history perf --out history.html

The history is one small line a run in DIR/history.jsonl, to be kept in git or wherever a pipeline keeps files; with
--history mlflow:EXPERIMENT a run of that experiment, on the server that MLFLOW_TRACKING_URI names. Only runs of the
newest run's load and machine are held against each other.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import UsageError, unwritable
from bench.history.adding import add_run
from bench.history.places import Place, place_of
from bench.numbers import plural
from bench.plain_text import write_line
from bench.rundir import write_bytes

if TYPE_CHECKING:
    from bench.history.watch import Watched


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("add", "show", "changes", "report"), help="what to do")
    parser.add_argument("runs", metavar="RUN", nargs="*", default=[], help="folders of runs or sets to add")
    parser.add_argument("--history", metavar="DIR", default="history", help="its folder, or mlflow:EXPERIMENT")
    parser.add_argument("--commit", metavar="SHA", default="", help="commit of the runs (else CI's, else git's)")
    parser.add_argument("--branch", metavar="NAME", default="", help="branch of the runs (else CI's, else git's)")
    parser.add_argument("--gate", action="store_true", help="exit 10 when the newest runs are worse for a shift")
    parser.add_argument("--newest", metavar="N", type=int, default=10, help="runs that count as the newest")
    parser.add_argument("--min-change", metavar="SHARE", default="1%", help="smallest shift that fails the gate")
    parser.add_argument("--out", metavar="FILE", default="history.html", help="the page that `report` writes")


def run(arguments: argparse.Namespace) -> int:
    place = place_of(arguments.history)
    if arguments.action == "add":
        return _add(place, arguments)
    if arguments.runs:
        raise UsageError(f"`bench history {arguments.action}` takes no run", hint="name the history with --history")
    from bench.history import page
    from bench.history.watch import watch

    entries, problems = place.read()
    for problem in problems:
        write_line(sys.stderr, f"note: {problem}")
    watched = watch(entries)
    if watched.left_out:
        write_line(sys.stderr, f"note: left out: {', '.join(watched.left_out)}")
    if arguments.action == "report":
        try:
            write_bytes(Path(arguments.out), page.page(watched).encode())
        except OSError as exc:
            raise unwritable(f"{arguments.out} cannot be written", exc, hint="name another --out") from exc
        write_line(sys.stdout, f"report: {arguments.out}")
        return 0
    if arguments.action == "show":
        for series in watched.series:
            values = series.values
            last = page.number(series.metric, values[-1] if values else None)
            write_line(sys.stdout, f"{series.name:<44} {last:>12}  {page.sparkline(values)}")
        return 0
    for series in watched.series:
        for line in page.shift_lines(series):
            write_line(sys.stdout, line)
    if not arguments.gate:
        return 0
    return _judge(watched, newest=arguments.newest, min_change=_share(arguments.min_change))


def _judge(watched: Watched, *, newest: int, min_change: float) -> int:
    if not watched.enough:
        write_line(sys.stdout, f"NO_DATA: a lasting shift cannot be detected in {plural(len(watched.runs), 'run')}")
        return 11
    worse = [series for series in watched.series if series.worse(newest=newest, min_change=min_change) is not None]
    if worse:
        write_line(sys.stdout, f"FAIL: the newest runs are worse: {', '.join(series.name for series in worse)}")
        return 10
    write_line(sys.stdout, f"PASS: no lasting shift for the worse within the newest {newest} runs")
    return 0


def _add(place: Place, arguments: argparse.Namespace) -> int:
    if not arguments.runs:
        raise UsageError("no run to add", hint="write `bench history add RUN`")
    from bench.runset.folder import figures_and_manifest

    for name in arguments.runs:
        found = figures_and_manifest(Path(name))
        added = add_run(*found, place, run=Path(name), commit=arguments.commit, branch=arguments.branch)
        write_line(sys.stdout, f"{'added' if added.new else 'there already'}: {name}")
        if added.missing:
            write_line(sys.stderr, f"note: the report is not kept there: {added.missing}")
    return 0


def _share(text: str) -> float:
    try:
        value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError as exc:
        raise UsageError(f"--min-change: {text!r} is no share", hint="write 1%") from exc
    if not 0 <= value < 1e6:
        raise UsageError(f"--min-change: {text} is out of range", hint="write 1%")
    return value
