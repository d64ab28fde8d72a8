"""Find the highest arrival rate that holds an objective: doubling, then bisection, each probe a short real run.

examples:
  bench capacity --emulator --slo 'response_time.p99 < 60ms'
  bench capacity --emulator --chat chats.jsonl --slo 'time_to_first_token.p99 < 500ms' --slo 'goodput >= 95%' \\
      --goodput 'inter_token_latency.p99 < 50ms'
  bench capacity --endpoint my-endpoint --slo 'response_time.p99 < 200ms' --slo 'error_rate <= 0.1%'

A rate holds when every objective is met, at least 98 % of the rate was achieved, the backlog did not grow by more
than 1 % of the arrivals, and no more than 0.1 % of the requests failed. A managed endpoint is documented to take 500
requests/s and 500 connections, so the search ends there unless --limit says otherwise: beyond, it would measure the
front door. An emulator and a bare scoring URI have no such limit.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import clock
from bench.arguments import add_options, add_settings_arguments
from bench.errors import RunInvalid, UsageError, unwritable
from bench.plain_text import write_line
from bench.plan.options import MOST_PER_S, Option
from bench.plan.reading import plan_of, within
from bench.plan.run_plan import parse_duration_s
from bench.target.spec import kind_of

if TYPE_CHECKING:
    from bench.capacity.search import Probe

AZURE_LIMIT = 500.0
"""Requests/s and connections of a managed online endpoint (Microsoft Learn, "Manage and increase quotas")."""

_IMPLIED = ("achieved_rate >= 98%", "error_rate <= 0.1%")


def _options() -> list[Option]:
    from bench.plan.options import LOAD_OPTIONS, OUTPUT_OPTIONS, REQUEST_OPTIONS, TARGET_OPTIONS

    left_out = {"arrival-rate", "stages", "duration", "warm-up", "users", "arrivals-from", "speed"}
    goodput = [option for option in OUTPUT_OPTIONS if option.name == "goodput"]
    return [one for one in TARGET_OPTIONS + LOAD_OPTIONS + REQUEST_OPTIONS if one.name not in left_out] + goodput


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_options(parser, _options(), title="target and load")
    add_settings_arguments(parser)
    parser.add_argument("--slo", metavar="EXPR", action="append", default=[], help="objective, as a gate; repeatable")
    parser.add_argument("--first", metavar="N", type=float, default=25.0, help="rate of the first probe (1/s)")
    parser.add_argument("--limit", metavar="N", type=float, default=0.0, help="highest rate to try (1/s)")
    parser.add_argument("--precision", metavar="SHARE", type=float, default=0.03, help="how close the answer must be")
    parser.add_argument(
        "--probe", metavar="TIME", default="10s", help="measured part of each probe, or more where --slo needs more"
    )
    parser.add_argument("--users", metavar="N", default="500", help="cap on requests in flight")
    parser.add_argument("--out", metavar="DIR", default="results", help="folder that gets the result's folder")


def run(arguments: argparse.Namespace) -> int:
    from bench.capacity.loop import find
    from bench.capacity.measure import measure
    from bench.capacity.search import Search
    from bench.gates.expression import parse
    from bench.target.local_emulator import LocalEmulator

    if not arguments.slo:
        raise UsageError("no objective given", hint="write --slo 'response_time.p99 < 200ms'")
    gates = [parse(text, where="--slo") for text in (*arguments.slo, *_IMPLIED)]
    values = {
        **vars(arguments),
        "duration": arguments.probe,
        "warm_up": "2s",
        "auth_mode": arguments.auth_mode or "key",
    }
    kind = kind_of(values)
    _check(arguments, values)
    limit = arguments.limit or (AZURE_LIMIT if kind == "endpoint" else None)
    search = Search(first=arguments.first, limit=limit, precision=arguments.precision)
    emulator = LocalEmulator.start(arguments.emulator_options) if kind == "emulator" else None
    try:
        if emulator is not None:  # one for all probes, reached as an endpoint is
            place, mode = emulator.facts["workspace"], values["auth_mode"]
            values |= {"emulator": False, "endpoint": emulator.facts["endpoints"].get(mode, mode)}
            values |= {**place, "workspace": place["workspace_name"], "ca_file": emulator.facts["ca_file"]}
            os.environ.update(emulator.facts["env"])
        least_s = parse_duration_s(arguments.probe)
        deadlines_ms = [gate.deadline_ms for gate in gates if gate.deadline_ms is not None]
        probes = find(search, gates, least_s=least_s, measure=partial(measure, values, deadlines_ms), tell=_tell)
    finally:
        if emulator is not None:
            emulator.stop()
    return _conclude(probes, arguments=arguments, limit=limit, azure=kind == "endpoint" and not arguments.limit)


def _check(arguments: argparse.Namespace, values: dict[str, Any]) -> None:
    """UsageError for a number with which the search would not end, or not begin."""
    within(arguments.first, "first", least=0.1, most=MOST_PER_S)
    within(arguments.precision, "precision", least=0.001, most=0.5)
    if arguments.limit:
        within(arguments.limit, "limit", least=arguments.first, most=MOST_PER_S)
    within(parse_duration_s(arguments.probe, option="--probe"), "probe", least=1, most=3600)
    plan_of({**values, "arrival_rate": f"{arguments.first:g}"}, target="", variants=(), payload_sha256="")


def _tell(probe: Probe) -> None:
    """One line a probe on stderr."""
    verdict = {True: "holds", False: "does not hold", None: "not judged"}[probe.holds]
    write_line(sys.stderr, f"{probe.rate:,.6g}/s: {verdict}{f': {probe.why}' if probe.why else ''}")


def _conclude(probes: Sequence[Probe], *, arguments: argparse.Namespace, limit: float | None, azure: bool) -> int:
    import dataclasses

    from bench.calibration import table
    from bench.capacity.draw import knee
    from bench.capacity.loop import conclusion
    from bench.capacity.search import best_rate
    from bench.rundir import write_json

    best = best_rate(probes)
    objective = " and ".join(arguments.slo)
    rows = [
        {
            "rate /s": probe.rate,
            "holds": {True: "yes", False: "no", None: "not judged"}[probe.holds],
            **probe.figures,
            "why": probe.why,
        }
        for probe in sorted(probes, key=lambda probe: probe.rate)
    ]
    said = conclusion(probes, objective, limit=limit, limit_is_azures=azure)
    folder = Path(arguments.out) / f"{clock.utc_stamp(clock.ClockAnchor.now().wall_ns)}-capacity"
    try:
        write_json(
            folder / "capacity.json",
            {
                "schema_version": 1,
                "objective": arguments.slo,
                "capacity": best,
                "limit": limit,
                "probes": [dataclasses.asdict(probe) for probe in probes],
            },
        )
        (folder / "capacity.png").write_bytes(knee(probes, best=best, objective=objective).png)
        (folder / "capacity.md").write_text(f"# Capacity\n\n{said}\n\n{table.markdown(rows)}\n", encoding="utf-8")
    except OSError as exc:
        raise unwritable(f"cannot write to {folder}", exc, hint="choose another folder with --out") from exc
    shown = [{name: value for name, value in row.items() if name != "why"} for row in rows]
    for line in (*table.text(shown).split("\n"), said, f"plot: {folder / 'capacity.png'}"):
        write_line(sys.stdout, line)
    if best is None:
        raise RunInvalid(said, hint="give an objective that one request can meet, or a lower --first")
    return 0
