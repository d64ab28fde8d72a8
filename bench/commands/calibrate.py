"""Measure how true the harness is on this machine: its times against the emulator's own, request by request.

examples:
  bench calibrate                      errors at 500, 1,000, 2,000 and 4,000/s, harness on one core, target on another
  bench calibrate --tls --rates 500,1000,2000
  bench calibrate --streaming --rates 60,120,200,400
                                       first tokens and gaps of streamed answers, token by token
  bench calibrate --classes            small and large requests, 3 to 1, each class against its own truth
  bench calibrate --stalls             a target that stands still 0.5 s in every 5 s
  bench calibrate --workers            CPU per request on 1, 2 and 4 workers
  bench calibrate --peers              stock Locust, k6, wrk and hey beside it, where they are installed
  bench calibrate --streaming --peers  aiperf and guidellm beside it, where PATH has them, at 20 and 60 chats a second
  bench calibrate --costs              what a lease, a sample, a task, an event of a stream and watching a run cost
  bench calibrate --aa 20              key against itself: does it raise false alarms?
  bench calibrate --overhead 3         a known delay in token validation: do the intervals hold it?
  bench calibrate --streaming --overhead 3 --seconds 30
                                       the same added to the first token of streamed answers
  bench calibrate --flapping 50        one unchanged target, a gate 10 % above its p99: does it fail?
  bench calibrate --beside-load 50     the same while another load comes and goes on this machine
  bench calibrate --statistics         do the 95 % intervals cover the truth? (simulation)
  bench calibrate --audit              the same where it is hard, with gates and repeated looks (simulation)
  bench calibrate --histories 100      are planted shifts between runs found, and no others? (simulation)

Tables go to results/calibration/ as JSON and markdown, with what they were measured on.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.errors import UsageError
from bench.plain_text import write_line, write_lines
from bench.plan.options import MOST_PER_S
from bench.plan.reading import within
from bench.rundir import write_json

_STALLS_S = 20.0
_LONGER_RUNS = 200
"""Simulated runs as long as a figure asks for, where `--trials` are not fewer."""
_COUNTED = {
    "aa": "runs of key against key",
    "overhead": "runs at each known delay of token validation",
    "flapping": "gate runs of one unchanged target",
    "beside_load": "the same beside another load that comes and goes",
}

_RATES = "500,1000,2000,4000"
_CHAT_RATES = "60,120,200,400"
"""Of 64 tokens each: 400 are 27,000 tokens a second."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rates", metavar="N,N", help=f"arrival rates [{_RATES}; streamed answers {_CHAT_RATES}]")
    parser.add_argument("--seconds", metavar="N", type=float, default=10.0, help="measured part of each run")
    parser.add_argument("--repeat", metavar="N", type=int, default=1, help="runs a row; the quietest machine's is told")
    parser.add_argument("--out", metavar="DIR", default="results/calibration", help="folder for the tables")
    parser.add_argument("--streaming", action="store_true", help="streamed answers: first tokens and gaps")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--tls", action="store_true", help="the rates over TLS")
    what.add_argument("--classes", action="store_true", help="small and large requests, class by class")
    what.add_argument("--stalls", action="store_true", help="a stalling target")
    what.add_argument("--workers", action="store_true", help="several worker processes")
    what.add_argument("--peers", action="store_true", help="other tools beside this one")
    what.add_argument("--costs", action="store_true", help="a lease, a sample, a task, an event of a stream, watching")
    for name, text in _COUNTED.items():
        what.add_argument(f"--{_flag(name)}", metavar="RUNS", type=int, default=0, help=text)
    what.add_argument("--statistics", action="store_true", help="coverage of the intervals, by simulation")
    what.add_argument("--histories", metavar="N", type=int, default=0, help="simulated histories of each kind")
    what.add_argument("--audit", action="store_true", help="intervals, verdicts and gates where they are hard")
    parser.add_argument("--trials", metavar="N", type=int, default=1000, help="trials of each simulated scenario")


def run(arguments: argparse.Namespace) -> int:
    _check(arguments)
    if arguments.statistics:
        return _statistics(arguments)
    if arguments.audit:
        return _audit(arguments)
    if arguments.histories:
        return _histories(arguments)
    from bench.calibration import table

    name = _name(arguments)
    rows = []
    for row in _rows(name, arguments):
        rows.append(row)
        write_line(sys.stderr, f"{row['load']}: done")
    shown = [{key: value for key, value in row.items() if key != "reasons"} for row in rows]
    write_lines(sys.stdout, table.text(shown))
    for row in rows:
        for reason in row.get("reasons", ()):
            write_line(sys.stdout, f"{row['load']}: {reason}")
    machine = _machine()
    out = Path(arguments.out)
    write_json(out / f"{name}.json", {"schema_version": 1, "machine": machine, "rows": rows})
    words = [f"--{_flag(word)}" for word in ("streaming", *_TABLES) if getattr(arguments, word)]
    title = " ".join(["bench calibrate", *words])
    page = f"# {title}\n\n{_sentence(machine)}\n\n{table.markdown(shown)}\n"
    (out / f"{name}.md").write_text(page, encoding="utf-8")
    return 0


_TABLES = ("classes", "tls", "stalls", "workers", "peers", "costs", *_COUNTED)
_OF_STREAMS = ("peers", "overhead")
"""Those that there are of streamed answers as well."""


def _name(arguments: argparse.Namespace) -> str:
    """The table that is asked for: its file's name."""
    asked = [word for word in (*_TABLES, "statistics", "audit", "histories") if getattr(arguments, word)]
    if not arguments.streaming:
        return asked[0] if asked else "rates"
    if asked and asked[0] not in _OF_STREAMS:
        there = " or ".join(f"--{_flag(word)}" for word in _OF_STREAMS)
        raise UsageError(f"--streaming does not go with --{_flag(asked[0])}", hint=f"alone, or with {there}")
    return "_".join(["streaming", *asked])


def _check(arguments: argparse.Namespace) -> None:
    """UsageError for a number that would measure nothing, or for ever."""
    within(arguments.seconds, "seconds", least=1, most=86_400)
    within(arguments.repeat, "repeat", least=1, most=1000)
    within(arguments.trials, "trials", least=1, most=1_000_000)
    _name(arguments)
    for name in (*_COUNTED, "histories"):
        within(getattr(arguments, name), _flag(name), least=0, most=10_000)


def _flag(name: str) -> str:
    return name.replace("_", "-")


def _rows(name: str, arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    from bench.calibration import classes, costs, known_effects, peers, scenarios, stream_peers, streaming
    from bench.calibration.bench_run import Setting, two_cores

    if name == "streaming_overhead":
        return known_effects.overhead_of_streams(runs=arguments.overhead, seconds=arguments.seconds)
    if name in _COUNTED:
        experiment = getattr(known_effects, name)
        return iter(experiment(runs=getattr(arguments, name), seconds=arguments.seconds))
    if name == "costs":
        return costs.costs()
    seconds = max(arguments.seconds, _STALLS_S) if name == "stalls" else arguments.seconds
    setting = Setting(seconds=seconds, repeat=max(arguments.repeat, 1), cores=two_cores())
    if name == "peers":
        return peers.all_of_them(setting)
    if name == "streaming_peers":
        return stream_peers.streaming_peers(setting)
    if name == "stalls":
        return scenarios.stalls(setting)
    if name == "workers":
        return scenarios.workers([1, 2, 4], setting)
    if name == "streaming":
        return streaming.streaming(_rates(arguments.rates or _CHAT_RATES), setting)
    if name == "classes":
        return classes.classes(_rates(arguments.rates or _RATES), setting)
    return scenarios.rates(_rates(arguments.rates or _RATES), setting, tls=name == "tls")


def _rates(text: str) -> list[int]:
    try:
        rates = [int(word) for word in text.split(",")]
    except ValueError as exc:
        raise UsageError(f"--rates: {text!r} is not a list of whole numbers", hint="write 500,1000") from exc
    for rate in rates:
        within(rate, "rates", least=1, most=MOST_PER_S)
    return rates


def _statistics(arguments: argparse.Namespace) -> int:
    from dataclasses import asdict

    from bench.analysis.summary import plain
    from bench.calibration import statistics as calibration
    from bench.calibration import statistics_page as calibration_page
    from bench.calibration.simulated import FAILURES, SCENARIOS

    trials = arguments.trials
    rows: list[calibration.Row] = []
    longer: list[calibration.Enough] = []
    for scenario in SCENARIOS:
        rows += calibration.simulate(scenario, trials=trials)
        longer += calibration.enough(scenario, trials=min(trials, _LONGER_RUNS))
        write_line(sys.stderr, f"{scenario.name}: done")
    rows += [calibration.simulate_failures(failing, trials=trials) for failing in FAILURES]
    page = calibration_page.page(rows, longer, trials=trials)
    write_lines(sys.stdout, page)
    out = Path(arguments.out)
    found = {"schema_version": 1, "trials": trials, "rows": [*map(asdict, rows)], "longer": [*map(asdict, longer)]}
    write_json(out / "statistics.json", plain(found))
    (out / "statistics.md").write_text(page, encoding="utf-8")
    return 0


def _audit(arguments: argparse.Namespace) -> int:
    from dataclasses import asdict

    from bench.analysis.summary import plain
    from bench.calibration import audit, audit_page
    from bench.calibration.audit_processes import TARGETS

    trials = arguments.trials
    rows: list[dict[str, Any]] = []
    for target in TARGETS:
        rows += [asdict(row) for row in audit.figures(target, trials=trials)]
        write_line(sys.stderr, f"{target.name}: done")
    shares = [audit.shares(failing, trials=trials) for failing in audit.FAILING]
    looks = [row for name in audit.LOOKED_AT for row in audit.looks(name, trials=trials)]
    page = audit_page.page(
        rows, shares, looks, trials=trials, look_trials=trials, every_s=audit.LOOK_EVERY_S, share_trials=trials
    )
    write_lines(sys.stdout, page)
    out = Path(arguments.out)
    found = {"schema_version": 1, "trials": trials, "figures": rows, "rates": shares, "looks": looks}
    write_json(out / "audit.json", plain(found))
    (out / "audit.md").write_text(page, encoding="utf-8")
    return 0


def _histories(arguments: argparse.Namespace) -> int:
    from bench.calibration import histories, table

    shifted = list(histories.planted(trials=arguments.histories))
    still = list(histories.unchanged(trials=arguments.histories))
    page = "\n\n".join(
        (
            "# bench calibrate --histories",
            "60 runs with shifts of 5 % at run 20 and 12 % at run 40, by how much runs of one thing differ.",
            table.markdown(shifted),
            "200 runs without a shift, looked at after every run: false alarms of four watched series together.",
            table.markdown(still) + "\n",
        )
    )
    write_lines(sys.stdout, page)
    out = Path(arguments.out)
    write_json(out / "histories.json", {"schema_version": 1, "planted": shifted, "unchanged": still})
    (out / "histories.md").write_text(page, encoding="utf-8")
    return 0


def _machine() -> dict[str, Any]:
    from bench.load.roles.manifest import host, versions

    return {**host(), "versions": versions(), "load_average": os.getloadavg()[0], "python": platform.python_version()}


def _sentence(machine: dict[str, Any]) -> str:
    return (
        f"On {machine['cpus']} cores of {machine['cpu_model']}, {machine['kernel']}, Python {machine['python']}, gevent"
        f" {machine['versions']['gevent']}, load average {machine['load_average']:.1f} at the end. The harness had one"
        " core, the server another; times in ms; an error is what was reported less what was true of the same requests."
    )
