"""Load two variants or more interleaved in one run, and report the differences with their intervals.

examples:
  bench compare --emulator --arrival-rate 500 --duration 30s
  bench compare --endpoint ep-with-key,ep-with-token --arrival-rate 200 --duration 5m
  bench compare --emulator --auth-mode key,key          (an A/A comparison: is the answer "equivalent"?)
  bench compare --endpoint shop --auth-mode key --deployment blue,green

Lists pair entry by entry, and one entry is shared by all; the first variant is the baseline. An endpoint has one auth
mode, so on Azure comparing two takes two endpoints with the same model behind them.
"""

from __future__ import annotations

import argparse

from bench.commands.run import add_arguments as add_arguments
from bench.commands.run import run_and_finish
from bench.endpoint import AuthMode
from bench.errors import UsageError
from bench.plan.variants import sides_of


def run(arguments: argparse.Namespace) -> int:
    sides = sides_of(vars(arguments), default_modes=(AuthMode.KEY, AuthMode.AML_TOKEN))
    if len(sides.auth_modes) < 2:
        raise UsageError(
            "bench compare measures two variants or more",
            hint="write --auth-mode key,aml_token, --deployment blue,green, or two endpoints",
        )
    return run_and_finish(arguments, sides.names, default_file="key_vs_token")
