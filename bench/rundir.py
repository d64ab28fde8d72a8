"""Where a run's files are, owned here: `results/<run_id>/` and what lies in it.

manifest.json            plan, variants, versions, host, clock anchor; rewritten once when the run ends
samples/<worker>.arrows  one Arrow IPC stream a worker (columns: bench.sample)
chunks/<worker>.arrows   every gap between the tokens of streamed answers (samples.chunks)
health/<worker>.jsonl    once a second: CPU, hub stalls, backlog; a last line {"end": true, ...}
failures/<worker>.jsonl  the first failure of each kind (bench.failure_sample)
flights.jsonl            one credential fetch a line
gates.json               what the run was judged by last, and what came of it
summary.json report.html summary.md junit.xml plots/*.png   made by `bench report`, at any time, again
"""

from __future__ import annotations

import codecs
import contextlib
import json
import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import clock
from bench.errors import UsageError, unwritable

_MOST_BYTES = 1 << 28


def new_id(anchor: clock.ClockAnchor) -> str:
    """A name that nobody else has; names sort by time."""
    return f"{clock.utc_stamp(anchor.wall_ns)}-{secrets.token_hex(2)}"


@contextlib.contextmanager
def writing_below(out: Path) -> Iterator[None]:
    """For what the system says of writing there: UsageError, or RunInvalid where it has no room."""
    said, hint = f"cannot write results to {out}", "choose another folder with --out"
    try:
        yield
    except OSError as exc:
        raise unwritable(said, exc, hint=hint) from exc
    except ValueError as exc:  # no file system takes that name
        raise UsageError(f"{said}: {exc}", hint=hint) from exc


@dataclass(frozen=True, slots=True)
class RunDir:
    """The folder of one run. Building it touches nothing; `create` makes the folder."""

    path: Path

    @classmethod
    def create(cls, out: Path, anchor: clock.ClockAnchor) -> RunDir:
        """A new folder under `out`, named so that names sort by time. UsageError when it cannot be written."""
        run = cls(out / new_id(anchor))
        with writing_below(out):
            run.samples.mkdir(parents=True)
            run.health.mkdir()
        return run

    @property
    def run_id(self) -> str:
        return self.path.name

    @property
    def manifest(self) -> Path:
        return self.path / "manifest.json"

    @property
    def samples(self) -> Path:
        return self.path / "samples"

    @property
    def chunks(self) -> Path:
        return self.path / "chunks"

    @property
    def health(self) -> Path:
        return self.path / "health"

    @property
    def failures(self) -> Path:
        return self.path / "failures"

    @property
    def flights(self) -> Path:
        return self.path / "flights.jsonl"

    @property
    def summary(self) -> Path:
        return self.path / "summary.json"

    @property
    def gates(self) -> Path:
        return self.path / "gates.json"

    @property
    def summary_md(self) -> Path:
        return self.path / "summary.md"

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    @property
    def plots(self) -> Path:
        return self.path / "plots"

    @property
    def junit(self) -> Path:
        return self.path / "junit.xml"


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Replace `path` in one step, so that a reader never sees half a file."""
    write_bytes(path, (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "replace"))


def write_bytes(path: Path, content: bytes) -> None:
    """The same for any file. OSError when it cannot be written; then `path` is as it was."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise


def read_bytes(path: Path, *, most: int = _MOST_BYTES) -> bytes:
    """The whole of a file, without a byte order mark. OSError, or ValueError for what is no file or far too large."""
    facts = path.stat()
    if not stat.S_ISREG(facts.st_mode):
        raise ValueError("it is no regular file")  # a pipe would keep us until somebody writes into it
    if facts.st_size > most:
        raise ValueError(f"it has {facts.st_size:,} bytes, more than any file of this tool")
    return path.read_bytes().removeprefix(codecs.BOM_UTF8)


def refuse_pipe(path: str, *, option: str) -> None:
    """UsageError for what cannot be read again and again, or ever to its end: a pipe, a socket, a device."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - a text may hold what no Path can
    except (OSError, ValueError):
        return  # whoever opens it says so
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise UsageError(
            f"{option} {path} is not a file", hint="a pipe or a device cannot be read twice: store it first"
        )


def newest_run(out: Path) -> RunDir:
    """The run, or the set of runs, that started last under `out`; UsageError when there is none."""
    runs = sorted(path.parent for name in ("manifest.json", "set.json") for path in out.glob(f"*/{name}"))
    if not runs:
        raise UsageError(f"no run under {out}", hint="name a run folder, or run `bench run` first")
    return RunDir(runs[-1])
