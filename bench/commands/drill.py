"""Let a fault loose on a run against the emulator, and see what it costs.

examples:
  bench drill --list
  bench drill key_primary_rotated
  bench drill --all                    the whole table, also stored in results/calibration/drills.{json,md}
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import BenchError, UsageError

if TYPE_CHECKING:
    from bench.drills.runner import Done


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help="drills; --list names them")
    parser.add_argument("--all", action="store_true", help="every drill, one after the other")
    parser.add_argument("--list", action="store_true", help="say what there is")
    parser.add_argument("--processes", metavar="N", type=int, default=1, help="worker processes")
    parser.add_argument("--out", metavar="DIR", default="results/calibration", help="folder for the table of --all")


def run(arguments: argparse.Namespace) -> int:
    from bench.drills.catalogue import DRILLS, find

    if arguments.list:
        width = max(map(len, DRILLS))
        sys.stdout.writelines(f"{name:<{width}}  {drill.text}\n" for name, drill in DRILLS.items())
        return 0
    drills = list(DRILLS.values()) if arguments.all else [find(name) for name in arguments.names]
    if not drills:
        raise UsageError("no drill named", hint="write `bench drill NAME`, --all or --list")
    done = []
    for drill in drills:
        sys.stderr.write(f"{drill.name}: {drill.text}\n")
        done.append(_carry_out(drill, processes=arguments.processes))
    rows = [row_of(each) for each in done]
    _tell(rows, done, arguments)
    missed = sum(bool(each.missed) for each in done)
    if missed:
        raise BenchError(f"{missed} of {len(done)} drills missed a goal", hint="the lines above say which")
    return 0


def _carry_out(drill: Any, *, processes: int) -> Done:
    from bench.commands.locust_child import locustfile_for
    from bench.drills.runner import carry_out

    with tempfile.TemporaryDirectory(prefix="bench-drill-") as folder:
        return carry_out(drill, locustfile=locustfile_for(drill.auth_mode.value), out=Path(folder), processes=processes)


def row_of(done: Done) -> dict[str, Any]:
    """A drill's line in the table; times in seconds."""
    found = done.findings
    return {
        "drill": done.drill.name,
        "recovered s": found.recovered_s,
        "without lease s": found.without_lease_s,
        "lost": found.lost,
        "in flight": found.lost_in_flight,
        "calls": found.calls,
        "auth failures": ", ".join(f"{count} {cause}" for cause, count in found.by_cause.items()) or "none",
        "causes right": f"{found.classified}/{found.refused}",
        "verdict": "missed" if done.missed else "met",
    }


def _tell(rows: list[dict[str, Any]], done: list[Done], arguments: argparse.Namespace) -> None:
    from bench.calibration import table
    from bench.rundir import write_json

    sys.stdout.write(table.text(rows) + "\n")
    for each in done:
        for goal in each.missed:
            sys.stdout.write(f"{each.drill.name} missed: {goal}\n")
    if arguments.all:
        out = Path(arguments.out)
        found = {each.drill.name: dataclasses.asdict(each.findings) | {"missed": each.missed} for each in done}
        write_json(out / "drills.json", {"schema_version": 1, "drills": found})
        (out / "drills.md").write_text(f"# bench drill --all\n\n{table.markdown(rows)}\n", encoding="utf-8")
