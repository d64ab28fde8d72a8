"""Comment on a pull request: one comment that is updated, with the verdict first.

examples:
  bench comment results/20261124-081530-123-ab12 --github
  bench comment --azure --history perf           (the newest run, with what the runs before it were)
  bench comment SET --to comment.md              (a file, for a workflow that may write comments)

The token and the pull request come from the CI server's variables: GITHUB_TOKEN; SYSTEM_ACCESSTOKEN; GITLAB_TOKEN (a
project token with the scope api). Exit code 1 when the server does not take it; the run's verdict is not repeated here.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import BenchError, UsageError, unwritable
from bench.plain_text import write_line

if TYPE_CHECKING:
    from bench.comment.body import Sparkline


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", nargs="?", metavar="RUN", default="", help="folder of a run or a set (the newest)")
    parser.add_argument("--results", metavar="DIR", default="results", help="where runs are")
    where = parser.add_mutually_exclusive_group(required=True)
    for name, what in (("github", "GitHub"), ("azure", "Azure DevOps"), ("gitlab", "GitLab")):
        where.add_argument(f"--{name}", action="store_const", dest="platform", const=name, help=f"comment on {what}")
    where.add_argument("--to", metavar="FILE", default="", help="write the comment to a file instead")
    parser.add_argument("--pull-request", metavar="N", default="", help="its number, where the job is not one of it")
    parser.add_argument("--author", metavar="NAME", default="", help="whose comment is updated on GitHub (the bot's)")
    parser.add_argument("--key", metavar="WORD", default="run", help="tells several comments of one pull request apart")
    parser.add_argument(
        "--history",
        metavar="DIR",
        default="",
        help="show the watched figures over the runs before (or mlflow:EXPERIMENT)",
    )
    parser.add_argument(
        "--link",
        metavar="NAME=URL",
        action="append",
        default=[],
        help="a link below, such as to the report; repeatable",
    )


def run(arguments: argparse.Namespace) -> int:
    from bench.comment.body import body, marker
    from bench.comment.platforms import platform
    from bench.comment.post import publish
    from bench.gates.kept import kept
    from bench.rundir import RunDir, newest_run, write_bytes
    from bench.runset.folder import figures_and_manifest

    path = Path(arguments.run) if arguments.run else newest_run(Path(arguments.results)).path
    target = (
        platform(arguments.platform, os.environ, number=arguments.pull_request, author=arguments.author)
        if arguments.platform
        else None
    )
    summary, _ = figures_and_manifest(path)
    gates = kept(RunDir(path), run_id=str(summary["run_id"]))
    links = [_link(text) for text in arguments.link] + _of_job(os.environ)
    text = body(summary, gates, key=arguments.key, history=_sparklines(arguments.history), links=links)
    if target is None:
        try:
            write_bytes(Path(arguments.to), text.encode())
        except OSError as exc:
            raise unwritable(f"cannot write {arguments.to}", exc, hint="choose another file with --to") from exc
        write_line(sys.stdout, f"comment: {arguments.to}")
        return 0
    write_line(sys.stdout, f"comment on {target.name}: {publish(target, text, marker=marker(arguments.key))}")
    return 0


def _link(text: str) -> tuple[str, str]:
    name, _, url = text.partition("=")
    if not url:
        raise UsageError(f"--link {text[:100]!r} has no address", hint="write NAME=https://...")
    return name, url


def _of_job(environ: os._Environ[str]) -> list[tuple[str, str]]:
    """Where the job that measured can be looked at, as its CI server says."""
    if environ.get("GITHUB_RUN_ID", "").isdigit() and environ.get("GITHUB_REPOSITORY"):
        server = environ.get("GITHUB_SERVER_URL", "https://github.com")
        return [("job", f"{server}/{environ['GITHUB_REPOSITORY']}/actions/runs/{environ['GITHUB_RUN_ID']}")]
    return [("job", environ["CI_JOB_URL"])] if environ.get("CI_JOB_URL") else []


def _sparklines(history: str) -> list[Sparkline]:
    """None where its server cannot be had: that costs the comment only these."""
    if not history:
        return []
    from bench.comment.body import Sparkline
    from bench.history import page
    from bench.history.places import place_of
    from bench.history.watch import watch

    try:
        entries, _ = place_of(history).read()
    except UsageError:
        raise
    except BenchError as exc:
        write_line(sys.stderr, f"note: the history is left out: {exc.describe()}")
        return []
    return [
        Sparkline(
            name=series.name,
            last=page.number(series.metric, series.values[-1] if series.values else None),
            bars=page.sparkline(series.values),
            shifts=tuple(page.shift_lines(series)),
        )
        for series in watch(entries).series
    ]
