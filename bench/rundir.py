"""Where a run's files are, owned here: `results/<run_id>/` and what lies in it.

manifest.json            plan, variants, versions, host, clock anchor; rewritten once when the run ends
samples/<worker>.arrows  one Arrow IPC stream a worker (columns: bench.sample)
health/<worker>.jsonl    once a second: CPU, hub stalls, backlog; a last line {"end": true, ...}
failures/<worker>.jsonl  the first failure of each kind (load.engine.failure_samples)
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
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import clock
from bench.errors import UsageError

_MOST_BYTES = 1 << 28


@dataclass(frozen=True, slots=True)
class RunDir:
    """The folder of one run. Building it touches nothing; `create` makes the folder."""

    path: Path

    @classmethod
    def create(cls, out: Path, anchor: clock.ClockAnchor) -> RunDir:
        """A new folder under `out`, named so that names sort by time. UsageError when it cannot be written."""
        run = cls(out / f"{clock.utc_stamp(anchor.wall_ns)}-{secrets.token_hex(2)}")
        try:
            run.samples.mkdir(parents=True)
            run.health.mkdir()
        except (OSError, ValueError) as exc:  # ValueError: no file system takes that name
            why = exc.strerror if isinstance(exc, OSError) else exc
            raise UsageError(f"cannot write results to {out}: {why}", hint="choose another folder with --out") from exc
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


def append_jsonl(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Add whole lines with one write each call, so that two processes never interleave."""
    text = "".join(json.dumps(record, separators=(",", ":"), ensure_ascii=False) + "\n" for record in records)
    if text:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(fd, text.encode())
        finally:
            os.close(fd)


def read_bytes(path: Path) -> bytes:
    """The whole of a file, without a byte order mark. OSError, or ValueError for what is no file or far too large."""
    facts = path.stat()
    if not stat.S_ISREG(facts.st_mode):
        raise ValueError("it is no regular file")  # a pipe would keep us until somebody writes into it
    if facts.st_size > _MOST_BYTES:
        raise ValueError(f"it has {facts.st_size:,} bytes, more than any file of this tool")
    return path.read_bytes().removeprefix(codecs.BOM_UTF8)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object, or UsageError that names the file."""
    try:
        value = json.loads(read_bytes(path))
    except FileNotFoundError as exc:
        raise UsageError(f"{path} does not exist", hint="name a run folder such as results/<run_id>") from exc
    except (OSError, ValueError, RecursionError) as exc:
        raise UsageError(f"{path} cannot be read: {exc}", hint="is it a file of this tool?") from exc
    if not isinstance(value, dict):
        raise UsageError(f"{path} does not hold a JSON object", hint="is it a file of this tool?")
    return value


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """Every whole line; a line cut off by a killed run is left out."""
    if not path.exists():
        return []
    records = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict):
            records.append(record)
    return records


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
