"""Let a fault loose on a run against the emulator, and see what it costs.

examples:
  bench drill --list
  bench drill key_primary_rotated
  bench drill aml_token_revoked arm_503 --processes 2
  bench drill --all                    the whole table, also stored in results/calibration/drills.{json,md}

  bench drill rotate --endpoint NAME --yes-rotate-real-keys        a key of a real endpoint, during a run: see the guide
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.arguments import add_options, add_settings_arguments
from bench.endpoint import AuthMode
from bench.errors import BenchError, UsageError
from bench.plain_text import write_line, write_lines
from bench.plan.options import LONGEST_S, MOST_PROCESSES, TARGET_OPTIONS
from bench.plan.reading import plan_of, within
from bench.target.spec import spec_of

if TYPE_CHECKING:
    from bench.drills.drill import Drill
    from bench.drills.runner import Done

_NOT_REAL = ("emulator", "emulator_options", "scoring_uri", "auth_mode", "deployment")
_SHORTEST_S = 3.0
_REGENERATE_WITHIN_S = 60.0
_LEGEND = """\
Times in seconds from the end of the fault. `recovered`: nobody is refused or waits for a credential any more.
`renewed`: the first fetch after one that failed went well. `without lease`: longest stretch in which somebody waited
for a credential. `lost`: arrivals that never went well, `in flight` those of them under way when the fault began; a
refused attempt whose replay went well is an auth failure and not lost. `calls`: requests to ARM and identity from the
fault's begin until it was over, made by `fetches`, of which `failed`. `causes right`: 401s and 403s whose cause is the
emulator's own reason."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.allow_abbrev = False  # `--yes` is not the word
    parser.add_argument("names", nargs="*", metavar="NAME", help="drills; --list names them")
    parser.add_argument("--all", action="store_true", help="every drill, one after the other")
    parser.add_argument("--list", action="store_true", help="say what there is")
    parser.add_argument("--processes", metavar="N", type=int, default=1, help="worker processes")
    parser.add_argument("--keep", metavar="DIR", default="", help="folder that keeps the folders of the runs")
    parser.add_argument("--out", metavar="DIR", default="results/calibration", help="folder for the table of --all")
    add_options(parser, [option for option in TARGET_OPTIONS if option.dest not in _NOT_REAL], title="rotate: target")
    add_settings_arguments(parser)
    parser.add_argument("--key", choices=("primary", "secondary"), default="primary", help="rotate: which key")
    parser.add_argument("--arrival-rate", metavar="N", default="20", help="rotate: requests due per second")
    parser.add_argument("--users", metavar="N", default="20", help="rotate: the cap on requests in flight")
    parser.add_argument("--duration", metavar="TIME", default="30s", help="rotate: the key changes after a third of it")
    parser.add_argument(
        "--yes-rotate-real-keys", action="store_true", help="rotate: do it; whoever holds the old key is refused"
    )


def run(arguments: argparse.Namespace) -> int:
    from bench.drills.catalogue import DRILLS, find

    if arguments.list:
        width = max(map(len, DRILLS))
        for name, drill in DRILLS.items():
            write_line(sys.stdout, f"{name:<{width}}  {drill.text}")
        return 0
    if arguments.names == ["rotate"]:
        return _rotate(arguments)
    if arguments.yes_rotate_real_keys:
        raise UsageError("--yes-rotate-real-keys is for `bench drill rotate` alone: all others meet the emulator")
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


def _rotate(arguments: argparse.Namespace) -> int:
    """Regenerate a key of a real endpoint during a run. Everything that can be wrong is looked at before."""
    from bench.credentials.agent.plain import PlainAgent
    from bench.credentials.failure import Failure
    from bench.credentials.patience import Patience
    from bench.credentials.state import preflight
    from bench.drills.rotation import carry_out
    from bench.launch.run import locustfile_for

    values = {**vars(arguments), "auth_mode": "key", "warm_up": "0s", "out": arguments.keep or "results"}
    if not arguments.endpoint or "," in arguments.endpoint:
        raise UsageError("`bench drill rotate` needs one --endpoint", hint="its keys are the ones to be regenerated")
    spec = spec_of(values, default_modes=(), emulator=None)
    plan = plan_of(values, target="", variants=(), payload_sha256="")
    endpoint, key, lasts_s = spec.endpoints[0], arguments.key, plan.duration_s or 0.0
    if not arguments.yes_rotate_real_keys:
        raise UsageError(
            f"this regenerates the {key} key of the real endpoint {endpoint!r}: whoever holds the old one is refused"
            " from then on, and nobody can undo it",
            hint="add --yes-rotate-real-keys to do it; `bench drill key_primary_rotated` is the rehearsal",
        )
    within(lasts_s, "duration", least=_SHORTEST_S, most=LONGEST_S)
    assert spec.workspace is not None  # noqa: S101 - only a bare URI has none
    agent = PlainAgent(spec.workspace, sign_in=spec.sign_in, call_deadline_s=_REGENERATE_WITHIN_S)
    patience = Patience(timeout_s=plan.start_timeout_s, sleep=time.sleep, say=_say)

    def regenerate() -> dict[str, bool]:
        _say(f"regenerating the {key} key of {endpoint} now")
        answer = agent.regenerated(endpoint, key)
        if isinstance(answer, Failure):
            if answer.may_pass:
                _say("whether the key was regenerated nobody has said: look at the endpoint's keys")
            raise answer.error()
        return answer

    with closing(agent):
        described = patience.ask(lambda: agent.described(endpoint))
        if isinstance(described, Failure):
            raise described.error()
        if described.auth_mode is not AuthMode.KEY:
            raise UsageError(f"endpoint {endpoint!r} uses {described.auth_mode}: it has no keys")
        for line in preflight([described], "", plan.timeout_s):
            _say(line)
        locustfile = locustfile_for(AuthMode.KEY.value)
        done = carry_out(values, locustfile=locustfile, regenerate=regenerate, at_s=lasts_s / 3, lasts_s=lasts_s)
    for line in (*done.lines(endpoint=endpoint, key=key), f"run: {done.folder.path}"):
        write_line(sys.stdout, line)
    if not done.has_changed:
        raise BenchError(
            f"Azure lists the same {key} key as before", hint="look at the endpoint's keys again in some minutes"
        )
    return 0


def _say(line: str) -> None:
    write_line(sys.stderr, line)


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
    """Where the runs go: `keep`, or a folder that is removed once the table is printed."""
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
