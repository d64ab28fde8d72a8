"""Load two variants interleaved in one run, and report the difference with its interval.

examples:
  bench compare --emulator --arrival-rate 500 --duration 30s
  bench compare --endpoint ep-with-key,ep-with-token --arrival-rate 200 --duration 5m
  bench compare --emulator --auth-mode key,key          (an A/A comparison: is the answer "equivalent"?)

An endpoint has one auth mode, so on Azure comparing two takes two endpoints with the same model behind them.
"""

from __future__ import annotations

import argparse

from bench.commands.run import add_arguments as add_arguments
from bench.commands.run import run_and_finish
from bench.endpoint import AuthMode
from bench.errors import UsageError
from bench.options import auth_modes_of


def run(arguments: argparse.Namespace) -> int:
    modes = auth_modes_of(arguments.auth_mode, default=(AuthMode.KEY, AuthMode.AML_TOKEN))
    if len(modes) != 2:
        raise UsageError("bench compare measures two auth modes", hint="write --auth-mode key,aml_token")
    return run_and_finish(arguments, modes, default_file="key_vs_token")
