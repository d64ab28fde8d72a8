"""What follows a run, whoever made it: summary, gates, report, and the exit code. Edge.

The figures come first and the verdict last, so that a disk that fills up during the plots still leaves both
summary and verdict.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.analysis.run import LoadedRun
from bench.analysis.summary import summarise
from bench.analysis.trust import TrustVerdict
from bench.errors import BenchError, UsageError, first_of, unwritable
from bench.gates import baseline as baselines
from bench.gates import evaluate
from bench.gates.arguments import Gates
from bench.gates.baseline import Baseline
from bench.gates.junit import junit_xml
from bench.gates.kept import entry_of, keep, kept, shown
from bench.gates.publish import publish
from bench.gates.result import GateResult, GateVerdict
from bench.plain_text import printable
from bench.plan.reading import min_effect_ms_of
from bench.report import build, network_words, text, words
from bench.report.words import GateRow
from bench.rundir import RunDir, write_bytes
from bench.runreader import load_run
from bench.voice import PLAIN, Voice

_WHOLE = ("completed", "decided")
_FIGURES_OF_A_VARIANT = (
    *("auth_mode", "requests", "throughput", "error_rate", "outcomes", "auth_failures"),
    *("response_time_ms", "service_time_ms"),
)


def finish(
    folder: RunDir,
    *,
    gates: Gates,
    min_effect: str = "",
    deadlines_ms: Sequence[float] = (),
    voice: Voice = PLAIN,
    ended_with: int = 0,
) -> int:
    """Report on the run in `folder`, judge it, say so, and return the exit code.

    `min_effect` is a duration in words; empty for the run's own. `deadlines_ms` are counted besides those of `gates`.
    `ended_with` is the exit code of whoever made the run.
    """
    run = load_run(folder.path)
    least = min_effect_ms_of(min_effect) if min_effect else None
    summary = summarise(run, min_effect_ms=least, deadlines_ms=(*gates.deadlines_ms, *deadlines_ms))
    return conclude(
        folder,
        summary,
        manifest=run.manifest,
        gates=gates,
        write=lambda rows: build.write_files(run, summary, gates=rows),
        voice=voice,
        ended_with=first_of(_code_of_ending(run), ended_with),
    )


def conclude(
    folder: RunDir,
    summary: dict[str, Any],
    *,
    manifest: Mapping[str, Any],
    gates: Gates,
    write: Callable[[Sequence[GateRow]], None],
    voice: Voice,
    ended_with: int,
) -> int:
    """Judge what was measured, `write` its report, say so, to the CI server too, and return the exit code."""
    if gates.baseline is not None:
        _check_baseline(gates.baseline, summary, manifest, lambda: write(_rows(folder, summary, ())), voice)
    results = evaluate.evaluate(gates.gates, summary, gates.baseline)
    rows = _rows(folder, summary, results)
    write(rows)
    if results:
        _keep(folder, summary, results, gates.baseline)
        _publish(folder, manifest, results, summary, voice)
    _say(voice, folder, results, summary, rows)
    code = first_of(evaluate.exit_code(results, evaluate.trust_of(summary)), ended_with)
    voice.answer(code, **_result(folder, manifest, results, summary))
    return code


def _say(
    voice: Voice, folder: RunDir, results: Sequence[GateResult], summary: dict[str, Any], rows: Sequence[GateRow]
) -> None:
    if voice.stream.isatty():
        lines = text.render_table(summary, colour="NO_COLOR" not in os.environ, gates=rows).split("\n")
    else:
        more = (*text.remarks(summary), *network_words.sentences(summary))
        lines = [text.one_line(summary, rows), *(f"- {sentence}" for sentence in more)]
    for line in lines:
        voice.say(line, bad=evaluate.trust_of(summary) == TrustVerdict.INVALID)
    for result in results:
        voice.say(f"{result.verdict} {result.label}: {result.sentence}", bad=result.verdict is not GateVerdict.PASS)
    voice.say(f"report: {folder.report}")


def _result(
    folder: RunDir, manifest: Mapping[str, Any], results: Sequence[GateResult], summary: dict[str, Any]
) -> dict[str, Any]:
    """What `--json` says of it: the figures that a script asks for first."""
    return {
        "run_id": summary["run_id"],
        "folder": str(folder.path),
        "report": str(folder.report),
        "ending": summary.get("ended") or (manifest.get("ended") or {}).get("reason", ""),
        "trust": summary["trust"],
        "variants": {
            name: {key: block[key] for key in _FIGURES_OF_A_VARIANT} for name, block in summary["variants"].items()
        },
        "comparisons": words.comparisons(summary),
        "gates": [entry_of(result) for result in results],
    }


def _code_of_ending(run: LoadedRun) -> int:
    """0 for a run that went on for as long as it was asked to, 1 for one that broke, 4 for one that ended early.

    One without an end may be stopped at any time.
    """
    reason = (run.manifest.get("ended") or {}).get("reason")
    if reason in _WHOLE or (reason == "stopped" and run.endless):
        return 0
    return 1 if reason == "failed" else 4


def _check_baseline(
    baseline: Baseline,
    summary: Mapping[str, Any],
    manifest: Mapping[str, Any],
    write: Callable[[], None],
    voice: Voice,
) -> None:
    """UsageError when the run cannot be held against it; what was measured is written all the same."""
    try:
        baselines.refuse_unlike(baseline, summary, manifest)
    except UsageError:
        write()
        raise
    for caveat in baselines.caveats(baseline, manifest):
        voice.note(caveat)


def _publish(
    folder: RunDir,
    manifest: Mapping[str, Any],
    results: Sequence[GateResult],
    summary: Mapping[str, Any],
    voice: Voice,
) -> None:
    try:
        write_bytes(folder.junit, junit_xml(results, summary=summary, manifest=manifest).encode())
    except OSError as exc:
        raise _unwritable(folder.junit, exc) from exc
    for line in publish(results, summary=summary, environ=os.environ, markdown_file=folder.summary_md):
        voice.stream.write(line + "\n")  # a CI server obeys it as it is


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


def _unwritable(path: Path, exc: OSError) -> BenchError:
    return unwritable(f"cannot write {path}", exc, hint="is the folder writable, the disk full?")
