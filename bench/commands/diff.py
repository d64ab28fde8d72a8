"""Compare stored runs: did this deployment get slower?

examples:
  bench diff --baseline A1 A2 A3 --candidate B     (is B another thing than A1, A2 and A3 are runs of?)
  bench diff --baseline A1 A2 A3 --candidate B1 B2 B3
  bench diff results/BEFORE results/AFTER          (both sides' figures; one run against one has no verdict)

A set of runs stands for its runs. Runs that are INVALID, or of another load, are refused. Runs at different times share
no drift that could cancel; comparing two things at once is `bench compare`.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from bench import numbers
from bench.analysis.diff import summarise_diff
from bench.analysis.trust import TrustVerdict
from bench.errors import RunInvalid, UsageError
from bench.plain_text import harmless_json, write_line
from bench.plan.reading import min_effect_ms_of
from bench.plan.run_plan import DEFAULT_MIN_EFFECT_MS
from bench.runreader import load_run
from bench.runset.folder import runs_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", nargs="*", metavar="RUN", help="baseline and candidate, when there is one of each")
    parser.add_argument("--baseline", nargs="+", metavar="RUN", default=[], help="runs of the baseline")
    parser.add_argument("--candidate", nargs="+", metavar="RUN", default=[], help="runs of the candidate")
    parser.add_argument(
        "--min-effect", metavar="TIME", default=f"{DEFAULT_MIN_EFFECT_MS:g}ms", help="smallest difference that matters"
    )
    parser.add_argument(
        "--anyway", action="store_true", help="compare also runs that are INVALID or of another load, and say so"
    )
    parser.add_argument("--json", action="store_true", help="print everything as JSON")


def run(arguments: argparse.Namespace) -> int:
    before, after = arguments.baseline, arguments.candidate
    if not before and not after and len(arguments.runs) == 2:
        before, after = arguments.runs[:1], arguments.runs[1:]
    if not before or not after or (arguments.runs and arguments.baseline):
        raise UsageError("two sides are needed", hint="write `bench diff A B`, or --baseline A... --candidate B...")
    found = summarise_diff(
        [load_run(path) for path in runs_of([Path(name) for name in before])],
        [load_run(path) for path in runs_of([Path(name) for name in after])],
        min_effect_ms=min_effect_ms_of(arguments.min_effect),
        anyway=arguments.anyway,
    )
    if arguments.json:
        sys.stdout.write(harmless_json(json.dumps(found, indent=1)) + "\n")
    else:
        for line in _lines(found):
            write_line(sys.stdout, line)
    return RunInvalid.exit_code if found["trust"] == TrustVerdict.INVALID else 0


_SHOWN = ("response_time_ms", "service_time_ms", "time_to_first_token_ms", "inter_token_latency_ms")
_LABEL = 27


def _lines(found: dict[str, Any]) -> list[str]:
    lines = [found["sentence"]]
    for run in (*found["baseline_runs"], *found["candidate_runs"]):
        judged = run["trust"]
        lines += [f"{judged['verdict']} {run['run_id']}: {reason}" for reason in judged["reasons"]]
    lines += [f"note: {difference}" for difference in found["differences"]]
    for comparison in found["comparisons"]:
        sides = [comparison["figures"][side] for side in ("baseline", "candidate")]
        lines.append(f"{comparison['candidate']} less {comparison['baseline']}, by {found['unit']}")
        lines.append(f"  {'':<{_LABEL}}{'before':>10}{'after':>10}   difference")
        lines += [
            _row(
                f"{block.removesuffix('_ms').replace('_', ' ')} {statistic}",
                [numbers.milliseconds(side[block][statistic]) for side in sides],
                numbers.estimate(estimate) or "not known",
                estimate["verdict"],
            )
            for block in _SHOWN
            if block in comparison
            for statistic, estimate in comparison[block].items()
        ]
        errors = comparison["error_rate"]
        change = f"{numbers.points(errors['estimate'])} {numbers.points_interval(errors)}".strip()
        lines.append(
            _row("error rate", [numbers.percent(side["error_rate"]) for side in sides], change, errors["verdict"])
        )
    return lines


def _row(label: str, sides: list[str], difference: str, verdict: str) -> str:
    before, after = sides
    return f"  {label:<{_LABEL}}{before:>10}{after:>10}   {difference} {verdict}"
