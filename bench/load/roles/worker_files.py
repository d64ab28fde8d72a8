"""A worker's files on their way to a master that cannot see its disk: in pieces, as Locust messages. Edge.
Locust keeps messages in order. What is in the files is no secret.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.errors import RunInvalid
from bench.load.roles.part import Part
from bench.rundir import RunDir

_PIECE_BYTES = 1 << 20


def is_shared(run: RunDir) -> bool:
    """Whether this worker sees the master's folder: the manifest is there before any order is given."""
    return run.manifest.is_file()


def own_folder(run: RunDir) -> RunDir:
    """A folder of this host's for the same run. RunInvalid when none can be made."""
    try:
        own = RunDir(Path(tempfile.mkdtemp(prefix="bench-worker-")) / run.run_id)
        own.samples.mkdir(parents=True)
        own.health.mkdir()
    except OSError as exc:
        raise RunInvalid(f"cannot write samples on this host: {exc.strerror}", hint="set TMPDIR") from exc
    return own


def pieces(run: RunDir, part: Part) -> Iterator[dict[str, Any]]:
    """The worker's files, piece by piece."""
    for name, path in _files(run, part).items():
        if not path.exists():  # nothing was streamed, nothing failed
            continue
        with path.open("rb") as file:
            while data := file.read(_PIECE_BYTES):
                yield {"file": name, "data": data}


def put(run: RunDir, part: Part, piece: Mapping[str, Any]) -> None:
    """Append a piece to the file of that worker, and to no other."""
    path = _files(run, part)[piece["file"]]
    path.parent.mkdir(exist_ok=True)
    with path.open("ab") as file:
        file.write(piece["data"])


def _files(run: RunDir, part: Part) -> dict[str, Path]:
    return {
        "samples": run.samples / f"{part.name}.arrows",
        "chunks": run.chunks / f"{part.name}.arrows",
        "health": run.health / f"{part.name}.jsonl",
        "failures": run.failures / f"{part.name}.jsonl",
    }
