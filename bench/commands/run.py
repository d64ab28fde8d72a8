"""Load one endpoint in one auth mode, and report.

examples:
  bench run --emulator --arrival-rate 200 --duration 30s
  bench run --endpoint my-endpoint --auth-mode aml_token --arrival-rate 100 --gate 'response_time.p99 < 250ms'
  BENCH_KEY=... bench run --scoring-uri https://host/score --users 50

Options after -- are Locust's own.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.commands.arguments import add_options
from bench.commands.gating import add_gate_arguments, check_gates, read_gates
from bench.commands.locust_child import locustfile_for, run_locust
from bench.endpoint import AuthMode
from bench.errors import UsageError
from bench.options import RUN_OPTIONS, auth_modes_of, plan_of
from bench.plan import name_variants
from bench.target import kind_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_options(parser, RUN_OPTIONS)
    add_gate_arguments(parser)
    parser.add_argument("--locustfile", metavar="FILE", default="", help="your own locustfile with a ScoringUser")
    parser.add_argument("locust", nargs="*", metavar="-- LOCUST OPTIONS", help="options of Locust's own")


def run(arguments: argparse.Namespace) -> int:
    modes = auth_modes_of(arguments.auth_mode, default=(AuthMode.KEY,))
    if len(modes) != 1:
        raise UsageError("bench run measures one auth mode", hint="use bench compare for two")
    return run_and_finish(arguments, modes, default_file=modes[0].value)


def run_and_finish(arguments: argparse.Namespace, modes: tuple[AuthMode, ...], *, default_file: str) -> int:
    """Check every option, run Locust, report, judge."""
    values = vars(arguments)
    kind_of(values)
    plan = plan_of(values, target="", variants=(), payload_sha256="")
    gates = read_gates(arguments)
    check_gates(gates, plan, name_variants(modes))
    locustfile = Path(arguments.locustfile) if arguments.locustfile else locustfile_for(default_file)
    folder, code = run_locust(locustfile, values, extra=arguments.locust)
    if folder is None or code in {2, 3, 4}:
        return code or 1
    from bench.commands.finish import finish  # numpy, pyarrow and matplotlib: not before there is something to report

    return finish(folder, gates=gates, min_effect=arguments.min_effect)
