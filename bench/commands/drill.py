"""Let a fault loose on a run against the emulator, and see what it costs.

examples:
  bench drill --list
  bench drill key_primary_rotated
  bench drill aml_token_revoked arm_503 --processes 2
  bench drill --all                    the whole table, also stored in results/calibration/drills.{json,md}
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import BenchError, UsageError
from bench.plain_text import write_line, write_lines
from bench.plan.options import MOST_PROCESSES, within

if TYPE_CHECKING:
    from bench.drills.drill import Drill
    from bench.drills.runner import Done

_LEGEND = """\
Times in seconds from the end of the fault. `recovered`: nobody is refused or waits for a credential any more.
`renewed`: the first fetch after one that failed went well. `without lease`: longest stretch in which somebody waited
for a credential. `lost`: arrivals that never went well, `in flight` those of them under way when the fault began; a
refused attempt whose replay went well is an auth failure and not lost. `calls`: requests to ARM and identity from the
fault's begin until it was over, made by `fetches`, of which `failed`. `causes right`: 401s and 403s whose cause is the
emulator's own reason."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help="drills; --list names them")
    parser.add_argument("--all", action="store_true", help="every drill, one after the other")
    parser.add_argument("--list", action="store_true", help="say what there is")
    parser.add_argument("--processes", metavar="N", type=int, default=1, help="worker processes")
    parser.add_argument("--keep", metavar="DIR", default="", help="folder that keeps the folders of the runs")
    parser.add_argument("--out", metavar="DIR", default="results/calibration", help="folder for the table of --all")


def run(arguments: argparse.Namespace) -> int:
    from bench.drills.catalogue import DRILLS, find

    if arguments.list:
        width = max(map(len, DRILLS))
        for name, drill in DRILLS.items():
            write_line(sys.stdout, f"{name:<{width}}  {drill.text}")
        return 0
    drills = list(DRILLS.values()) if arguments.all else [find(name) for name in arguments.names]
    if not drills:
        raise UsageError("no drill named", hint="write `bench drill NAME`, --all or --list")
    within(arguments.processes, "processes", least=1, most=MOST_PROCESSES)
    with _folder(arguments.keep) as folder:
        done = [_carry_out(drill, folder, processes=arguments.processes) for drill in drills]
    _tell(done, arguments)
    missed = sum(bool(each.missed) for each in done)
    if missed:
        raise BenchError(f"{missed} of {len(done)} drills missed a goal", hint="the lines above say which")
    return 0


def row_of(done: Done) -> dict[str, Any]:
    """A drill's line in the table; times in seconds."""
    found = done.findings
    return {
        "drill": done.drill.name,
        "recovered": found.recovered_s,
        "renewed": found.renewed_s,
        "without lease": found.without_lease_s,
        "lost": found.lost,
        "in flight": found.lost_in_flight,
        "calls": found.calls,
        "fetches": found.fetches,
        "failed": found.failed_fetches,
        "auth failures": ", ".join(f"{count} {cause}" for cause, count in found.by_cause.items()) or "none",
        "causes right": f"{found.classified}/{found.refused}",
        "verdict": "missed" if done.missed else "met",
    }


@contextmanager
def _folder(keep: str) -> Iterator[Path]:
    """Where the runs go: for good, or until the table is told."""
    if keep:
        yield Path(keep)
        return
    from bench.launch.locust_process import temporary_folder

    with temporary_folder("bench-drill-") as folder:
        yield folder


def _carry_out(drill: Drill, folder: Path, *, processes: int) -> Done:
    from bench.drills.runner import carry_out
    from bench.launch.run import locustfile_for

    write_line(sys.stderr, f"{drill.name}: {drill.text}")
    return carry_out(drill, locustfile=locustfile_for(drill.auth_mode.value), out=folder, processes=processes)


def _tell(done: list[Done], arguments: argparse.Namespace) -> None:
    from bench.calibration import table

    rows = [row_of(each) for each in done]
    write_lines(sys.stdout, table.text(rows))
    for each in done:
        for goal in each.missed:
            write_line(sys.stdout, f"{each.drill.name} missed: {goal}")
        if arguments.keep:
            write_line(sys.stdout, f"{each.drill.name}: {each.folder.path}")
    if arguments.all:
        _store(done, table.markdown(rows), Path(arguments.out), processes=arguments.processes)


def _store(done: list[Done], table: str, out: Path, *, processes: int) -> None:
    from bench.rundir import write_json

    found = {
        each.drill.name: {
            "text": each.drill.text,
            "missed": each.missed,
            "findings": dataclasses.asdict(each.findings),
            "summary": each.summary,
        }
        for each in done
    }
    write_json(out / "drills.json", {"schema_version": 1, "processes": processes, "drills": found})
    head = f"# bench drill --all\n\nOn {os.cpu_count()} cores, {processes} worker process(es). {_LEGEND}\n"
    what = "\n".join(f"- `{each.drill.name}`: {each.drill.text}" for each in done)
    (out / "drills.md").write_text(f"{head}\n{table}\n\n{what}\n", encoding="utf-8")
