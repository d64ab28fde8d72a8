"""Load one endpoint in one auth mode, and report.

examples:
  bench run --emulator --arrival-rate 200 --duration 30s
  bench run --endpoint my-endpoint --auth-mode aml_token --arrival-rate 100 --gate 'response_time.p99 < 250ms'
  BENCH_KEY=... bench run --scoring-uri https://host/score --users 50
  bench run --emulator --arrival-rate 100 --duration 30s --runs 5 --pause 10s    (intervals between runs)

Options after -- are Locust's own.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.arguments import add_options, add_settings_arguments
from bench.endpoint import AuthMode
from bench.errors import UsageError
from bench.gates.arguments import Gates, add_gate_argument, check_gates, read_gates
from bench.history.adding import add_run
from bench.history.places import place_of
from bench.launch.run import locustfile_for
from bench.launch.watch import Watch
from bench.plan.options import (
    ENDING_OPTIONS,
    JUDGING_OPTIONS,
    LOAD_OPTIONS,
    LOCUSTFILE_OPTION,
    LONGEST_S,
    OUTPUT_OPTIONS,
    REQUEST_OPTIONS,
    SET_OPTIONS,
    TARGET_OPTIONS,
)
from bench.plan.reading import plan_of, within
from bench.plan.run_plan import RunPlan, parse_duration_s
from bench.plan.variants import sides_of
from bench.rundir import refuse_pipe
from bench.runset.arguments import read_set
from bench.runset.make import Runs
from bench.sample import WorkloadModel
from bench.settings.precedence import DEFAULT
from bench.target.spec import kind_of
from bench.voice import add_voice_arguments, voice_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_options(parser)
    add_voice_arguments(parser)
    parser.usage = "%(prog)s [options] [-- LOCUST OPTIONS]"
    parser.add_argument("locust", nargs="*", metavar="-- LOCUST OPTIONS", help="options of Locust's own")


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """All that says what a run is, and what it is judged by."""
    add_options(parser, TARGET_OPTIONS, title="target")
    add_options(parser, (*LOAD_OPTIONS, LOCUSTFILE_OPTION), title="load")
    add_options(parser, REQUEST_OPTIONS, title="requests and answers")
    add_options(parser, OUTPUT_OPTIONS, title="results")
    add_gate_argument(add_options(parser, (*JUDGING_OPTIONS, *ENDING_OPTIONS), title="gates"))
    add_options(parser, SET_OPTIONS, title="several runs, and runs over time")
    add_settings_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    sides = sides_of(vars(arguments), default_modes=())
    if len(sides.auth_modes) != 1:
        raise UsageError("bench run measures one variant", hint="use bench compare for several")
    if sides.own_modes:
        return run_and_finish(arguments, tuple(AuthMode), default_file="own_mode")
    return run_and_finish(arguments, sides.names, default_file=sides.auth_modes[0].value)


def run_and_finish(arguments: argparse.Namespace, variants: tuple[str, ...], *, default_file: str) -> int:
    """Check every option, run Locust, report, judge. `variants` are the names of the run's sides."""
    values = vars(arguments)
    kind_of(values)
    plan = plan_of(values, target="", variants=(), payload_sha256="")
    gates = read_gates(arguments)
    check_gates(gates, plan, variants, classes=_classes(plan, arguments.locustfile) if gates.of_classes else None)
    asked = read_set(
        values, variants=variants, open_model=plan.model is WorkloadModel.OPEN, endless=plan.duration_s is None
    )
    watch = _watch(arguments, plan, gates)
    if watch is not None and watch.extends:
        values = {**values, "duration": arguments.extend_up_to}
    for option in ("locustfile", "payload", "ca_file", "client_cert", "client_key"):
        refuse_pipe(values[option], option=f"--{option.replace('_', '-')}")
    locustfile = Path(arguments.locustfile) if arguments.locustfile else locustfile_for(default_file)
    history = place_of(arguments.history) if arguments.history else None
    if history is not None:
        history.check()
    voice = voice_of(arguments)
    for option, source in arguments.sources.items():
        if source != DEFAULT:
            voice.detail(f"--{option.replace('_', '-')} is from {source}")
    runs = Runs(
        locustfile=locustfile, values=values, extra=tuple(arguments.locust), gates=gates, watch=watch, voice=voice
    )
    folder, code = runs.as_set(asked) if asked is not None else runs.once(confirm=arguments.confirm)
    if history is not None and folder is not None:
        from bench.runset.folder import figures_and_manifest

        added = add_run(*figures_and_manifest(folder), history, run=folder)
        voice.say(f"history: {'added to' if added.new else 'already in'} {history.shown}")
        if added.missing:
            voice.say(f"history: the report is not kept there: {added.missing}")
    return code


def _classes(plan: RunPlan, locustfile: str) -> tuple[str, ...] | None:
    """The classes of requests the run will have; a locustfile's tasks name theirs only when they run."""
    request = plan.request
    if request.requests or (not locustfile and (request.chat or request.prompts is not None)):
        from bench.load.engine.request_source import classes_of  # msgspec, and every line of a file

        refuse_pipe(request.requests, option="--requests")
        return classes_of(request)
    return None if locustfile else ()


def _watch(arguments: argparse.Namespace, plan: RunPlan, gates: Gates) -> Watch | None:
    """Who looks at the run's gates while it goes on; None when nobody asked for it."""
    if not (arguments.extend_up_to or arguments.abort_on_fail):
        return None
    if not gates.gates:
        raise UsageError(
            "--extend-up-to and --abort-on-fail look at gates, and there are none", hint="give one with --gate"
        )
    if arguments.extend_up_to:
        if plan.stages or plan.duration_s is None:
            raise UsageError("--extend-up-to needs a run with a --duration", hint="stages end where they end")
        longest_s = parse_duration_s(arguments.extend_up_to, option="--extend-up-to")
        within(longest_s, "extend-up-to", least=0, most=LONGEST_S)
        if longest_s <= plan.duration_s:
            raise UsageError(f"--extend-up-to {longest_s:g}s is not longer than --duration {plan.duration_s:g}s")
    return Watch(
        gates=gates,
        base_s=plan.duration_s or 0.0,
        extends=bool(arguments.extend_up_to),
        aborts=arguments.abort_on_fail,
    )
