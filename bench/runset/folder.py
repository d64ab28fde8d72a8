"""Where a set's files are, and its members as they can be read. Edge: reads and writes the set's folder.

set.json       what was asked for; its presence makes the folder one of a set
runs/<run_id>/ each run, as `bench run` leaves it
summary.json   the set's figures, with a line for each run; written anew after every run, so that a killed set keeps
               what it has
report.html summary.md junit.xml gates.json   as for one run
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from bench import clock, schemas
from bench.analysis.summary import summarise
from bench.errors import BenchError, RunInvalid, UsageError
from bench.rundir import RunDir, new_id, write_json, writing_below
from bench.runreader import load_manifest, load_run
from bench.runset.member import Member, believed


class SetDir:
    """The folder of one set."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.asked_file = path / "set.json"
        self.runs = path / "runs"

    @classmethod
    def create(cls, out: Path, *, runs: int, pause_s: float, until: str) -> SetDir:
        """A new one under `out`. UsageError when it cannot be written."""
        here = cls(out / f"{new_id(clock.ClockAnchor.now())}-set")
        asked = {"schema_version": schemas.VERSION, "set_id": here.set_id, "runs": runs}
        with writing_below(out):
            here.runs.mkdir(parents=True)
            write_json(here.asked_file, {**asked, "pause_s": pause_s, "until": until})
        return here

    @property
    def set_id(self) -> str:
        return self.path.name

    @property
    def files(self) -> RunDir:
        """Where a set has the same files as a run."""
        return RunDir(self.path)

    def folders(self) -> list[RunDir]:
        """Its runs, the first first."""
        return [RunDir(path) for path in sorted(self.runs.glob("*")) if path.is_dir()]

    def asked(self) -> dict[str, Any]:
        """What was asked for. RunInvalid when that is damaged."""
        return schemas.load(self.asked_file, schemas.RunSet)

    def ended(self) -> str:
        """How it ended; empty for one that was killed, or still goes on."""
        if not self.files.summary.exists():
            return ""
        return str(schemas.load(self.files.summary, schemas.SetSummary)["ended"])


def is_set(path: Path) -> bool:
    """Whether a folder is one of a set."""
    return SetDir(path).asked_file.exists()


def stored_member(folder: RunDir) -> Member:
    """A run with the summary it has, as just after it ended."""
    return _member(folder, lambda: schemas.load(folder.summary, schemas.Summary))


def summarised_member(folder: RunDir, *, deadlines_ms: Collection[float], min_effect_ms: float | None) -> Member:
    """A run whose summary is made anew from its samples."""
    return _member(
        folder,
        lambda: summarise(load_run(folder.path), deadlines_ms=deadlines_ms, min_effect_ms=min_effect_ms),
    )


def _member(folder: RunDir, summary: Any) -> Member:
    try:
        manifest = load_manifest(folder)
        return Member(run_id=folder.run_id, ended=(manifest.get("ended") or {}).get("reason", ""), summary=summary())
    except BenchError as exc:
        return Member(run_id=folder.run_id, unread=f"it cannot be read: {exc.message}")


def runs_of(paths: Sequence[Path]) -> list[Path]:
    """`paths` with each set replaced by those of its runs that count. RunInvalid for a set in which none does."""
    found: list[Path] = []
    for path in paths:
        if not is_set(path):
            found.append(path)
            continue
        inside = [folder.path for folder in SetDir(path).folders() if believed([stored_member(folder)])]
        if not inside:
            raise RunInvalid(f"no run of the set in {path} can be believed", hint="measure again")
        found += inside
    return found


def figures_and_manifest(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The summary of a run, or of a set, and the manifest it was made by: of a set that of its first run that counts.

    UsageError when there is no summary yet, RunInvalid when one of the two is damaged.
    """
    files, of_set = RunDir(path), is_set(path)
    manifest = load_manifest(RunDir(runs_of([path])[0]) if of_set else files)
    if not files.summary.exists():
        raise UsageError(f"{files.summary} does not exist", hint=f"make it with `bench report {path}`")
    return schemas.load(files.summary, schemas.SetSummary if of_set else schemas.Summary), manifest
