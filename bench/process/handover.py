"""The plan of a run on its way from `bench` to the Locust it starts: one file that only its owner can read. Edge.

Not arguments, which everybody on the machine can read and a scoring URI may hold a password; not the environment, which
children inherit. Whoever takes the plan removes it.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.process.lifeline import Terms

PLAN_VARIABLE = "BENCH_PLAN_FILE"
RUN_VARIABLE = "BENCH_RUN_FILE"
"""The file that Locust writes the run's folder to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """`options` are those of `RUN_OPTIONS`, under their names in a namespace; `life` is whom Locust follows.

    `quiet`: no progress is shown.
    """

    options: dict[str, Any]
    life: Terms
    quiet: bool = False


_taken: Handover | None = None


def put(path: Path, handed: Handover) -> None:
    """Write the plan to a new file that nobody else may read."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        json.dump({"options": handed.options, "life": handed.life, "quiet": handed.quiet}, file)


def take(path: Path) -> Handover:
    """Read the plan and remove it; `taken` knows it from here on."""
    global _taken
    values = json.loads(path.read_text(encoding="utf-8"))
    path.unlink()
    _taken = Handover(options=values["options"], life=values["life"], quiet=values["quiet"])
    return _taken


def taken() -> Handover | None:
    """The plan this process was handed; None in a Locust that somebody started by hand."""
    return _taken


def write_run_folder(path: Path) -> None:
    """Say where the run's files are to whoever started this Locust and named a file for it."""
    if file := os.environ.get(RUN_VARIABLE):
        Path(file).write_bytes(os.fsencode(path))


def read_run_folder(file: Path) -> Path | None:
    """What `write_run_folder` wrote; None before that."""
    return Path(os.fsdecode(folder)) if (folder := file.read_bytes()) else None
