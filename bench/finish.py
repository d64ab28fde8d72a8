"""What follows a run, whoever made it: summary, gates, report, and the exit code. Edge.

The figures come first and the verdict last, so that a disk that fills up during the plots still leaves both
summary and verdict.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

from bench.analysis.run import LoadedRun
from bench.analysis.summary import summarise
from bench.errors import UsageError, first_of
from bench.gates import baseline as baselines
from bench.gates import evaluate
from bench.gates.arguments import Gates
from bench.gates.baseline import Baseline
from bench.gates.junit import junit_xml
from bench.gates.publish import publish
from bench.gates.result import GateResult, show, show_interval
from bench.options import min_effect_ms_of
from bench.report import build, text
from bench.report.words import GateRow
from bench.rundir import RunDir
from bench.runreader import load_run

_WHOLE = ("completed", "decided")


def finish(folder: RunDir, *, gates: Gates, min_effect: str = "") -> int:
    """Report on the run in `folder`, judge it, say so on stdout, and return the exit code.

    `min_effect` is a duration in words; empty for the run's own.
    """
    run = load_run(folder.path)
    summary = summarise(run, min_effect_ms=min_effect_ms_of(min_effect) if min_effect else None)
    if gates.baseline is not None:
        _check_baseline(gates.baseline, run, summary)
    results = evaluate.evaluate(gates.gates, summary, gates.baseline)
    rows = [_row(result) for result in results]
    build.write_files(run, summary, gates=rows)
    if results:
        _publish(folder, run, results, summary)
    if sys.stdout.isatty():
        sys.stdout.write(text.render_table(summary, colour="NO_COLOR" not in os.environ, gates=rows) + "\n")
    else:
        sys.stdout.write(text.one_line(summary, rows) + "\n")
    for result in results:
        sys.stdout.write(f"{result.verdict} {result.label}: {result.sentence}\n")
    sys.stdout.write(f"report: {folder.report}\n")
    return first_of(evaluate.exit_code(results, evaluate.trust_of(summary)), _code_of_ending(run))


def _code_of_ending(run: LoadedRun) -> int:
    """0 for a run that went on for as long as it was asked to, 1 for one that broke, 4 for one that ended early.

    One without an end may be stopped at any time.
    """
    reason = (run.manifest.get("ended") or {}).get("reason")
    if reason in _WHOLE or (reason == "stopped" and run.plan.duration_s is None):
        return 0
    return 1 if reason == "failed" else 4


def _check_baseline(baseline: Baseline, run: LoadedRun, summary: dict[str, Any]) -> None:
    """UsageError when the run cannot be held against it; what was measured is written all the same."""
    try:
        baselines.refuse_unlike(baseline, summary, run.manifest)
    except UsageError:
        build.write_files(run, summary, gates=())
        raise
    for caveat in baselines.caveats(baseline, run.manifest):
        sys.stderr.write(f"note: {caveat}\n")


def _publish(folder: RunDir, run: LoadedRun, results: Sequence[GateResult], summary: dict[str, Any]) -> None:
    folder.junit.write_text(junit_xml(results, summary=summary, manifest=run.manifest), encoding="utf-8")
    for line in publish(results, summary=summary, environ=os.environ, markdown_file=folder.summary_md):
        sys.stdout.write(line + "\n")


def _row(result: GateResult) -> GateRow:
    kind = result.gate.metric.kind
    return {
        "metric": result.label,
        "verdict": str(result.verdict),
        "measured": result.shown or "no data",
        "interval": show_interval(kind, result.interval) if result.interval else "",
        "threshold": show(kind, result.threshold) if result.threshold is not None else "",
    }
