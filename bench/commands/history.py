"""Runs over time: add a run, see the figures over runs, and find the lasting shifts between them.

examples:
  bench history add results/20261124-081530-123-ab12 --history perf
  bench history show --history perf
  bench history changes --history perf --gate      (exit 10 when the newest runs are worse for a lasting shift)
  bench history report --history perf --out history.html

The history is one small line a run in DIR/history.jsonl, to be kept in git or wherever a pipeline keeps files. Only
runs of the newest run's load and machine are held against each other.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import UsageError
from bench.plain_text import write_line
from bench.rundir import RunDir, write_bytes

if TYPE_CHECKING:
    from bench.history.watch import Watched

_COMMIT = ("GITHUB_SHA", "BUILD_SOURCEVERSION", "CI_COMMIT_SHA")
_BRANCH = ("GITHUB_HEAD_REF", "GITHUB_REF_NAME", "BUILD_SOURCEBRANCHNAME", "CI_COMMIT_REF_NAME")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("add", "show", "changes", "report"), help="what to do")
    parser.add_argument("runs", metavar="RUN", nargs="*", help="run folders to add")
    parser.add_argument("--history", metavar="DIR", default="history", help="folder of the history")
    parser.add_argument("--commit", metavar="SHA", default="", help="commit of the runs (else CI's, else git's)")
    parser.add_argument("--branch", metavar="NAME", default="", help="branch of the runs (else CI's, else git's)")
    parser.add_argument("--gate", action="store_true", help="exit 10 when the newest runs are worse for a shift")
    parser.add_argument("--newest", metavar="N", type=int, default=10, help="runs that count as the newest")
    parser.add_argument("--min-change", metavar="SHARE", default="1%", help="smallest shift that fails the gate")
    parser.add_argument("--out", metavar="FILE", default="history.html", help="the page that `report` writes")


def run(arguments: argparse.Namespace) -> int:
    folder = Path(arguments.history)
    if arguments.action == "add":
        return _add(folder, arguments)
    if arguments.runs:
        raise UsageError(f"`bench history {arguments.action}` takes no run", hint="name the folder with --history")
    from bench.history import ledger, page
    from bench.history.watch import watch

    entries, problems = ledger.read(folder)
    for problem in problems:
        write_line(sys.stderr, f"note: {problem}")
    watched = watch(entries)
    if watched.left_out:
        write_line(sys.stderr, f"note: left out: {', '.join(watched.left_out)}")
    if arguments.action == "report":
        try:
            write_bytes(Path(arguments.out), page.page(watched).encode())
        except OSError as exc:
            raise UsageError(f"{arguments.out} cannot be written: {exc.strerror}", hint="name another --out") from exc
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
        write_line(sys.stdout, f"NO_DATA: {len(watched.runs)} runs are too few to tell a lasting shift")
        return 11
    worse = [series for series in watched.series if series.worse(newest=newest, min_change=min_change) is not None]
    if worse:
        write_line(sys.stdout, f"FAIL: the newest runs are worse: {', '.join(series.name for series in worse)}")
        return 10
    write_line(sys.stdout, f"PASS: no lasting shift for the worse within the newest {newest} runs")
    return 0


def _add(folder: Path, arguments: argparse.Namespace) -> int:
    if not arguments.runs:
        raise UsageError("no run to add", hint="write `bench history add RUN`")
    for name in arguments.runs:
        added = add_run(RunDir(Path(name)), folder, commit=arguments.commit, branch=arguments.branch)
        write_line(sys.stdout, f"{'added' if added else 'there already'}: {name}")
    return 0


def add_run(run: RunDir, folder: Path, *, commit: str = "", branch: str = "") -> bool:
    """Append a run to the history in `folder`; False when it is there already."""
    from bench import schemas
    from bench.history import ledger
    from bench.history.entry import as_entry
    from bench.runreader import load_manifest

    manifest = load_manifest(run)
    entry = as_entry(
        schemas.load(run.summary, schemas.Summary),
        manifest,
        at=run.run_id[:15],
        commit=commit or _from_ci(_COMMIT) or _git("rev-parse", "HEAD"),
        branch=branch or _from_ci(_BRANCH) or _git("rev-parse", "--abbrev-ref", "HEAD"),
    )
    return ledger.add(folder, entry)


def _from_ci(names: tuple[str, ...]) -> str:
    return next((os.environ[name] for name in names if os.environ.get(name)), "")


def _git(*words: str) -> str:
    try:
        done = subprocess.run(["git", *words], capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _share(text: str) -> float:
    try:
        value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError as exc:
        raise UsageError(f"--min-change: {text!r} is no share", hint="write 1%") from exc
    if not 0 <= value < 1e6:
        raise UsageError(f"--min-change: {text} is out of range", hint="write 1%")
    return value
