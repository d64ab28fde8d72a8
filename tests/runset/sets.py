"""Sets of runs that never happened, with known truth, as real files."""

from __future__ import annotations

import functools
import shutil
import tempfile
from pathlib import Path

from bench.analysis.summary import summarise
from bench.rundir import RunDir, write_json
from bench.runreader import load_run
from bench.runset.folder import SetDir
from tests.analysis.synthetic import Side, write_run

PAIR = (Side("key"), Side("aml_token", shift_ms=2.0))


@functools.cache
def _kept() -> tempfile.TemporaryDirectory[str]:
    """Where the members are that were written once; removed with this process."""
    return tempfile.TemporaryDirectory()


_WRITTEN: dict[str, Path] = {}


def _write(number: int, sides: tuple[Side, ...], changes: dict[str, object]) -> Path:
    path = Path(tempfile.mkdtemp(dir=_kept().name)) / f"20260101-0000{number:02d}-000-beef"
    options = {"rate": 120.0, "duration_s": 6.0, "warm_up_s": 1.0, "seed": number + 1} | changes
    write_run(path, sides=sides, **options)  # type: ignore[arg-type]
    write_json(path / "summary.json", summarise(load_run(path)))
    return path


def write_member(folder: Path, number: int, *, sides: tuple[Side, ...] = PAIR, **changes: object) -> RunDir:
    """Run `number` of a set in `folder`, with its summary and no plots: a copy, for making one takes its time."""
    key = repr((number, sides, sorted(changes.items())))
    if key not in _WRITTEN:
        _WRITTEN[key] = _write(number, sides, changes)
    return RunDir(shutil.copytree(_WRITTEN[key], folder / _WRITTEN[key].name))


def new_set(out: Path, *, runs: int = 3, until: str = "") -> SetDir:
    """The folder of a set that was asked for."""
    return SetDir.create(out, runs=runs, pause_s=0.0, until=until)
