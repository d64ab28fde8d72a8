"""What follows a run, whoever made it: summary, gates, report, and the exit code. Edge.

The figures come first and the verdict last, so that a disk that fills up during the plots still leaves both
summary and verdict.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.analysis.run import LoadedRun
from bench.analysis.summary import summarise
from bench.errors import UsageError, first_of
from bench.gates import baseline as baselines
from bench.gates import evaluate
from bench.gates.arguments import Gates
from bench.gates.baseline import Baseline
from bench.gates.junit import junit_xml
from bench.gates.kept import keep, kept, shown
from bench.gates.publish import publish
from bench.gates.result import GateResult
from bench.plain_text import printable, write_line
from bench.plan.options import min_effect_ms_of
from bench.report import build, text
from bench.report.words import GateRow
from bench.rundir import RunDir, write_bytes
from bench.runreader import load_run

_WHOLE = ("completed", "decided")


def finish(folder: RunDir, *, gates: Gates, min_effect: str = "", deadlines_ms: Sequence[float] = ()) -> int:
    """Report on the run in `folder`, judge it, say so on stdout, and return the exit code.

    `min_effect` is a duration in words; empty for the run's own. `deadlines_ms` are counted besides those of `gates`.
    """
    run = load_run(folder.path)
    least = min_effect_ms_of(min_effect) if min_effect else None
    summary = summarise(run, min_effect_ms=least, deadlines_ms=(*gates.deadlines_ms, *deadlines_ms))
    code = conclude(
        folder,
        summary,
        manifest=run.manifest,
        gates=gates,
        write=lambda rows: build.write_files(run, summary, gates=rows),
    )
    return first_of(code, _code_of_ending(run))


def conclude(
    folder: RunDir,
    summary: Mapping[str, Any],
    *,
    manifest: Mapping[str, Any],
    gates: Gates,
    write: Callable[[Sequence[GateRow]], None],
) -> int:
    """Judge what was measured, `write` its report, say so on stdout and to the CI server, and return the exit code."""
    if gates.baseline is not None:
        _check_baseline(gates.baseline, summary, manifest, lambda: write(_rows(folder, summary, ())))
    results = evaluate.evaluate(gates.gates, summary, gates.baseline)
    rows = _rows(folder, summary, results)
    write(rows)
    if results:
        _keep(folder, summary, results, gates.baseline)
        _publish(folder, manifest, results, summary)
    if sys.stdout.isatty():
        lines = text.render_table(summary, colour="NO_COLOR" not in os.environ, gates=rows).split("\n")
    else:
        lines = [text.one_line(summary, rows), *(f"- {remark}" for remark in text.remarks(summary))]
    lines += [f"{result.verdict} {result.label}: {result.sentence}" for result in results]
    for line in (*lines, f"report: {folder.report}"):
        write_line(sys.stdout, line)
    return evaluate.exit_code(results, evaluate.trust_of(summary))


def _code_of_ending(run: LoadedRun) -> int:
    """0 for a run that went on for as long as it was asked to, 1 for one that broke, 4 for one that ended early.

    One without an end may be stopped at any time.
    """
    reason = (run.manifest.get("ended") or {}).get("reason")
    if reason in _WHOLE or (reason == "stopped" and run.plan.duration_s is None):
        return 0
    return 1 if reason == "failed" else 4


def _check_baseline(
    baseline: Baseline, summary: Mapping[str, Any], manifest: Mapping[str, Any], write: Callable[[], None]
) -> None:
    """UsageError when the run cannot be held against it; what was measured is written all the same."""
    try:
        baselines.refuse_unlike(baseline, summary, manifest)
    except UsageError:
        write()
        raise
    for caveat in baselines.caveats(baseline, manifest):
        write_line(sys.stderr, f"note: {caveat}")


def _publish(
    folder: RunDir, manifest: Mapping[str, Any], results: Sequence[GateResult], summary: Mapping[str, Any]
) -> None:
    try:
        write_bytes(folder.junit, junit_xml(results, summary=summary, manifest=manifest).encode())
    except OSError as exc:
        raise _unwritable(folder.junit, exc) from exc
    for line in publish(results, summary=summary, environ=os.environ, markdown_file=folder.summary_md):
        sys.stdout.write(line + "\n")


def _keep(folder: RunDir, summary: Mapping[str, Any], results: Sequence[GateResult], baseline: Baseline | None) -> None:
    try:
        keep(folder, results, run_id=str(summary["run_id"]), baseline=baseline.name if baseline else "")
    except OSError as exc:
        raise _unwritable(folder.gates, exc) from exc


def _rows(folder: RunDir, summary: Mapping[str, Any], results: Sequence[GateResult]) -> list[GateRow]:
    """What the report shows of the gates: what they say now, else what they said when the run was judged last."""
    if not results:
        entries = kept(folder, run_id=str(summary["run_id"]))
        return [_row(entry["name"] or entry["gate"], entry["verdict"], entry["shown"]) for entry in entries]
    return [_row(result.label, str(result.verdict), shown(result)) for result in results]


def _row(label: str, verdict: str, figures: Mapping[str, str]) -> GateRow:
    return {
        "metric": printable(label),
        "verdict": verdict,
        "measured": figures.get("measured", "no data"),
        "interval": figures.get("interval", ""),
        "threshold": figures.get("threshold", ""),
    }


def _unwritable(path: Path, exc: OSError) -> UsageError:
    return UsageError(f"cannot write {path}: {exc.strerror}", hint="is the folder writable, the disk full?")
