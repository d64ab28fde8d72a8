"""Judge a stored run, or a set of runs, by gates, without running anything.

examples:
  bench gate results/20261124-081530-123-ab12 --gate 'response_time.p99 < 250ms' --gate 'auth_failure_rate == 0'
  bench gate RUN --baseline main --gate 'response_time.p99 <= baseline + 10%'
"""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.arguments import add_min_effect, add_options, add_settings_arguments
from bench.errors import RunInvalid, UsageError
from bench.gates.arguments import add_gate_argument, check_gates, read_gates
from bench.launch.finish import finish
from bench.plan.options import JUDGING_OPTIONS
from bench.plan.run_plan import RunPlan
from bench.rundir import RunDir
from bench.runreader import load_manifest, still_goes_on
from bench.runset.folder import is_set, runs_of
from bench.runset.judge import finish_set
from bench.voice import add_voice_arguments, voice_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="folder of a run, or of a set of runs")
    add_min_effect(parser)
    add_gate_argument(add_options(parser, JUDGING_OPTIONS, title="gates"))
    add_settings_arguments(parser)
    add_voice_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    path = Path(arguments.run)
    of_set = is_set(path)
    folder = RunDir(runs_of([path])[0])
    manifest = load_manifest(folder)
    if not of_set and not manifest.get("ended") and still_goes_on(folder):
        raise RunInvalid(f"the run in {folder.path} still goes on", hint="wait for its end, then judge it")
    plan = RunPlan.from_json(manifest["plan"])
    gates = read_gates(arguments)
    if not gates.gates:
        raise UsageError("no gate given", hint="give --gate EXPR, or gates in bench.toml or pyproject.toml")
    check_gates(gates, plan, [variant.name for variant in plan.variants])
    voice = voice_of(arguments)
    if of_set:
        return finish_set(path, gates=gates, min_effect=arguments.min_effect, voice=voice)
    return finish(folder, gates=gates, min_effect=arguments.min_effect, voice=voice)
