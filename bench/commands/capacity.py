"""Find the highest arrival rate that holds an objective: doubling, then bisection, each probe a short real run.

examples:
  bench capacity --emulator --slo 'response_time.p99 < 60ms'
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
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import clock
from bench.arguments import add_options
from bench.errors import RunInvalid, UsageError
from bench.options import MOST_PER_S, Option, plan_of, within
from bench.target import kind_of

if TYPE_CHECKING:
    from bench.capacity.search import Probe, Search
    from bench.gates.gate import Gate

AZURE_LIMIT = 500.0
"""Requests/s and connections of a managed online endpoint (Microsoft Learn, "Manage and increase quotas")."""

_IMPLIED = ("achieved_rate >= 98%", "error_rate <= 0.1%")


def _options() -> list[Option]:
    from bench.options import LOAD_OPTIONS, TARGET_OPTIONS

    left_out = {"arrival-rate", "stages", "duration", "warm-up", "users"}
    return [option for option in TARGET_OPTIONS + LOAD_OPTIONS if option.name not in left_out]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_options(parser, _options())
    parser.add_argument("--slo", metavar="EXPR", action="append", default=[], help="objective, as a gate; repeatable")
    parser.add_argument("--first", metavar="N", type=float, default=25.0, help="rate of the first probe (1/s)")
    parser.add_argument("--limit", metavar="N", type=float, default=0.0, help="highest rate to try (1/s)")
    parser.add_argument("--precision", metavar="SHARE", type=float, default=0.03, help="how close the answer must be")
    parser.add_argument("--probe", metavar="TIME", default="10s", help="measured part of each probe")
    parser.add_argument("--users", metavar="N", default="500", help="cap on requests in flight")
    parser.add_argument("--out", metavar="DIR", default="results", help="folder that gets the result's folder")


def run(arguments: argparse.Namespace) -> int:
    from bench.capacity.search import Search
    from bench.gates.expression import parse
    from bench.local_emulator import LocalEmulator

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
        probes = _search(search, values, gates)
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
    plan = plan_of({**values, "arrival_rate": f"{arguments.first:g}"}, target="", variants=(), payload_sha256="")
    within(plan.duration_s or 0, "probe", least=1, most=3600)


def _search(search: Search, values: dict[str, Any], gates: Sequence[Gate]) -> list[Probe]:
    """Probe until the search is over, telling each result on stderr."""
    from bench.capacity.search import Probe
    from bench.gates.evaluate import judge
    from bench.gates.result import GateVerdict

    probes: list[Probe] = []
    deadlines_ms = [each.deadline_ms for each in gates if each.deadline_ms is not None]
    while (rate := search.next_rate(probes)) is not None:
        summary, unstable = _probe({**values, "arrival_rate": f"{rate:g}"}, deadlines_ms)
        results = [judge(gate, summary) for gate in gates]
        broken = [result.sentence for result in results if result.verdict is not GateVerdict.PASS]
        broken += [unstable] if unstable else []
        trust, block = summary["trust"], next(iter(summary["variants"].values()))
        if broken and (trust["cpu"] or 0) > trust["limits"]["cpu_invalid"]:
            broken.insert(0, "the client's core was full: this is its limit, not the target's; raise --processes")
        figures = {
            "achieved": trust["achieved_rate"],
            "p50": block["response_time_ms"]["p50"],
            "p99": block["response_time_ms"]["p99"],
            "error_rate": block["error_rate"],
        }
        probes.append(Probe(rate=rate, holds=not broken, why=broken[0] if broken else "", figures=figures))
        sys.stderr.write(f"{rate:,.6g}/s: {'holds' if not broken else broken[0]}\n")
    return probes


def _probe(values: dict[str, Any], deadlines_ms: Collection[float]) -> tuple[dict[str, Any], str]:
    """The summary of one run of the load engine, and why it was not stable. RunInvalid when it did not come to be."""
    from bench.analysis.summary import summarise
    from bench.capacity.stability import why_unstable
    from bench.launch import locustfile_for, run_locust
    from bench.locust_process import temporary_folder
    from bench.runreader import load_run

    with temporary_folder("bench-capacity-") as folder:
        run, code = run_locust(locustfile_for(values["auth_mode"]), {**values, "out": folder})
        if run is None or code != 0:
            raise RunInvalid("a probe did not run to its end", hint="try it with `bench run`")
        loaded = load_run(run.path)
        return summarise(loaded, deadlines_ms=deadlines_ms), why_unstable(loaded)


def _conclude(probes: Sequence[Probe], *, arguments: argparse.Namespace, limit: float | None, azure: bool) -> int:
    import dataclasses

    from bench.calibration import table
    from bench.capacity.draw import knee
    from bench.capacity.search import best_rate
    from bench.rundir import write_json

    best = best_rate(probes)
    objective = " and ".join(arguments.slo)
    rows = [
        {"rate /s": probe.rate, "holds": "yes" if probe.holds else "no", **probe.figures, "why": probe.why}
        for probe in sorted(probes, key=lambda probe: probe.rate)
    ]
    if best is None:
        said = f"no rate held {objective}; the lowest tried was {min(probe.rate for probe in probes):g}/s"
    else:
        said = f"capacity: {best:,.6g}/s hold {objective}"
        if limit is not None and best >= limit:
            said += f"; {limit:g}/s is where the search was told to stop"
            said += ", Azure's documented limit of requests/s and connections of an endpoint" if azure else ""
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
        raise UsageError(f"cannot write to {folder}: {exc.strerror}", hint="choose another folder with --out") from exc
    sys.stdout.write(f"{table.text(rows)}\n{said}\nplot: {folder / 'capacity.png'}\n")
    if best is None:
        raise RunInvalid(said, hint="give an objective that one request can meet, or a lower --first")
    return 0
