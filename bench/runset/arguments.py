"""What asks for several runs: the options, and what they make. Pure."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

from bench.errors import UsageError
from bench.gates.gate import check
from bench.plan.reading import within
from bench.plan.run_plan import parse_duration_s
from bench.runset.precision import Precision, parse_precision

MOST_RUNS = 1000
MOST_UNTIL = 20
"""Runs of a set that goes on until a figure is known well, unless --runs says otherwise."""
LONGEST_PAUSE_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a set is asked to be: so many runs, or fewer once `precision` is reached."""

    runs: int
    pause_s: float = 0.0
    precision: Precision | None = None


def add_set_arguments(parser: argparse.ArgumentParser) -> None:
    """How many runs, and whether a failed gate is believed at once."""
    parser.add_argument(
        "--runs", metavar="N", type=int, default=0, help="make N runs, with intervals between runs (--until: at most N)"
    )
    parser.add_argument("--pause", metavar="TIME", default="", help="wait so long between two runs")
    parser.add_argument(
        "--until",
        metavar="PRECISION",
        default="",
        help="go on run after run until a figure is known so well: 'overhead.p50 +- 0.1ms'",
    )
    parser.add_argument(
        "--confirm", action="store_true", help="when a gate fails, run again: exit 10 only when it fails again"
    )


def read_set(
    arguments: argparse.Namespace, *, variants: Sequence[str], open_model: bool, endless: bool
) -> Asked | None:
    """The set that is asked for; None for one run. UsageError for what does not go together."""
    if not (arguments.runs or arguments.until):
        if arguments.pause:
            raise UsageError("--pause is between runs, and there is one", hint="give --runs")
        return None
    runs = arguments.runs or MOST_UNTIL
    within(runs, "runs", least=2, most=MOST_RUNS)
    pause_s = parse_duration_s(arguments.pause or "0", option="--pause")
    within(pause_s, "pause", least=0, most=LONGEST_PAUSE_S)
    for option, given in (
        ("--confirm", arguments.confirm),
        ("--extend-up-to", arguments.extend_up_to),
        ("--abort-on-fail", arguments.abort_on_fail),
    ):
        if given:
            raise UsageError(f"{option} is for one run", hint="a set of runs is judged as a whole: leave it out")
    if endless:
        raise UsageError("several runs need an end each", hint="give --duration or --stages")
    precision = parse_precision(arguments.until) if arguments.until else None
    if precision is not None:
        check([precision.gate], variants=tuple(variants), open_model=open_model, has_baseline=False, where="--until")
    return Asked(runs=runs, pause_s=pause_s, precision=precision)
