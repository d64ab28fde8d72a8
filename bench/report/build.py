"""What `bench report` leaves behind: summary.json, summary.md, plots/*.png, report.html. Edge: writes those files.

A folder can be reported on again at any time; a killed run's folder gives a report that says what is missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.analysis import series
from bench.analysis.run import LoadedRun
from bench.analysis.summary import summarise
from bench.errors import BenchError, UsageError, unwritable
from bench.report import draw_runs, html, overlay, plots, text, words
from bench.report.canvas import Plot
from bench.report.side import sides_of
from bench.report.words import GateRow
from bench.rundir import RunDir, write_bytes, write_json
from bench.runreader import load_run


def write_report(folder: Path, *, gates: Sequence[GateRow] = ()) -> dict[str, Any]:
    """Report on the run in `folder`, into `folder`, and return its summary.

    UsageError when the folder holds no run, or cannot be written to.
    """
    run = load_run(folder)
    summary = summarise(run)
    write_files(run, summary, gates=gates)
    return summary


def write_files(run: LoadedRun, summary: Mapping[str, Any], *, gates: Sequence[GateRow] = ()) -> None:
    """All files of a run whose summary is there already; summary.json first. UsageError when one cannot be written."""
    folder = RunDir(run.path)
    sides = sides_of([run])
    try:
        write_json(folder.summary, summary)
        drawn = plots.draw(sides, summary)
        page = html.render(
            summary,
            sides=sides,
            plots=drawn,
            flights=series.flights(run),
            intent=_intent(run),
            manifest=run.manifest,
            gates=gates,
            flight_records=run.flights,
            files=_files(folder),
        )
        _write(run.path, summary, drawn, page, gates)
    except OSError as exc:
        raise _unwritable(run.path, exc) from exc


def write_overlay(folders: Sequence[Path], out: Path) -> dict[str, Any]:
    """Lay several runs over each other in one report in `out`, and return their joint summary (`overlay.joint`).

    Writes report.html, summary.md and plots/*.png. UsageError when a folder holds no run, or `out` cannot be written.
    """
    runs = [load_run(folder) for folder in folders]
    if len({run.run_id for run in runs}) < len(runs):
        raise UsageError("the same run is named twice", hint="name different run folders")
    sides = sides_of(runs)
    summary = overlay.joint({run.run_id: summarise(run) for run in runs})
    try:
        drawn = plots.draw(sides, summary)
        intent = [line for run in runs for line in (f"{run.run_id}: {_intent(run)[-1]}",)]
        page = html.render(summary, sides=sides, plots=drawn, flights=(), intent=intent, manifest={})
        _write(out, summary, drawn, page, ())
    except OSError as exc:
        raise _unwritable(out, exc) from exc
    return summary


def write_set(folder: Path, summary: Mapping[str, Any], *, intent: Sequence[str], gates: Sequence[GateRow]) -> None:
    """The files of a set of runs: its figures between runs and a plot of the runs; each has its own report."""
    here = RunDir(folder)
    try:
        write_json(here.summary, summary)
        runs = [path.relative_to(folder).as_posix() for path in sorted(folder.glob("runs/*/report.html"))]
        plot = draw_runs.runs_plot(summary)
        drawn = {plot.name: plot} if plot else {}
        page = html.render(
            summary,
            sides=(),
            plots=drawn,
            flights=(),
            intent=intent,
            manifest={"runs": summary["runs"]},
            gates=gates,
            files=[here.summary.name, here.summary_md.name, *runs],
        )
        _write(folder, summary, drawn, page, gates)
    except OSError as exc:
        raise _unwritable(folder, exc) from exc


def _write(
    folder: Path, summary: Mapping[str, Any], drawn: Mapping[str, Plot], page: str, gates: Sequence[GateRow]
) -> None:
    here = RunDir(folder)
    here.plots.mkdir(parents=True, exist_ok=True)
    for plot in drawn.values():
        write_bytes(here.plots / f"{plot.name}.png", plot.png)
    write_bytes(here.summary_md, text.summary_md(summary, gates).encode())
    write_bytes(here.report, page.encode())


def _files(folder: RunDir) -> list[str]:
    """What a reader may want to open, relative to the page."""
    inside = sorted(path.relative_to(folder.path) for path in folder.path.glob("*/*") if path.parent != folder.plots)
    beside = (folder.summary, folder.summary_md, folder.manifest, folder.flights)
    return [*(path.name for path in beside if path.exists()), *(path.as_posix() for path in inside)]


def _intent(run: LoadedRun) -> list[str]:
    """What was run, when, against what: the lines under the report's heading."""
    wall_ns = (run.manifest.get("clock") or {}).get("wall_ns")
    when = f"{datetime.fromtimestamp(wall_ns / 1e9, UTC):%Y-%m-%d %H:%M:%S UTC at 0 s}" if wall_ns else ""
    kind = str((run.manifest.get("target") or {}).get("kind", "")).replace("_", " ")
    shape = str((run.manifest.get("shape") or {}).get("name", ""))
    first = " · ".join(part for part in (f"Run {run.run_id}", when, f"against the {kind}" if kind else "") if part)
    return [first, words.plan_sentence(run.plan, shape=shape)]


def _unwritable(folder: Path, exc: OSError) -> BenchError:
    hint = "is the folder writable, the disk full? `bench report` makes it again from what is there"
    return unwritable(f"cannot write the report to {folder}", exc, hint=hint)
