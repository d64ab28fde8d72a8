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

from bench.commands.arguments import add_options, values_of
from bench.commands.finish import add_gate_arguments, check_gates, finish
from bench.commands.locust_child import locustfile_for, run_locust
from bench.endpoint import AuthMode
from bench.errors import UsageError
from bench.options import RUN_OPTIONS, auth_modes_of, plan_of
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
    return run_and_finish(arguments, default_file=modes[0].value)


def run_and_finish(arguments: argparse.Namespace, *, default_file: str) -> int:
    """Check every option, run Locust, report, judge."""
    values = values_of(arguments)
    kind_of(values)
    plan_of(values, target="", variants=(), payload_sha256="")
    gates = check_gates(arguments)
    locustfile = Path(arguments.locustfile) if arguments.locustfile else locustfile_for(default_file)
    run_dir, code = run_locust(locustfile, values, extra=arguments.locust)
    if run_dir is None or code in {2, 3, 4}:
        return code or 1
    return finish(run_dir, gates=gates, arguments=arguments)
