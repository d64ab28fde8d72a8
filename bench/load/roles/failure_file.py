"""What broke, for people who have to find out why: `errors/<worker>.txt` in the run's folder. Edge.

No secret goes into it: not those that this process holds, and nothing that looks like one.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

from bench.credentials import CredentialManager
from bench.errors import BenchError, expected
from bench.load.roles.messages import Failed
from bench.plan.options import SECRET_VARIABLES
from bench.process.supervise import Failure

_MOST_CHARACTERS = 20_000
_MOST_BYTES = 200_000
_SHORTEST_SECRET = 4
_MARK = "***"
_LOOKS_SECRET = re.compile(
    r"eyJ[\w-]{5,}(?:\.[\w-]+)*|(?<=[Bb]earer )\S+|(?<=[?&]sig=)[^\s&'\"]+|[A-Za-z0-9+]{32,}={0,2}"
)


def message_of(failure: Failure, managers: Iterable[CredentialManager]) -> Failed:
    """For the master: the error on one line, and the traceback, both without secrets."""
    leases = [manager.current for manager in managers]
    secrets = {lease.secret for lease in leases if lease is not None}
    secrets |= {os.environ.get(name, "") for name in SECRET_VARIABLES}
    known = expected(failure.error)
    line = known.describe() if known is not None else f"{type(failure.error).__name__}: {failure.error}"
    return Failed(
        where=failure.where,
        error=_blotted(" ".join(line.split()), secrets)[:500],
        traceback=_blotted(failure.traceback, secrets)[-_MOST_CHARACTERS:],
        exit_code=known.exit_code if known is not None else BenchError.exit_code,
    )


def keep(folder: Path | None, worker: str, *, where: str, traceback: str) -> Path | None:
    """Add a traceback to that worker's file, and return the file; None when the disk does not take it.

    Without a folder, for there is no run yet, it goes into a temporary one.
    """
    try:
        folder = folder if folder is not None else Path(tempfile.mkdtemp(prefix="bench-errors-"))
        path = folder / f"{worker}.txt"
        folder.mkdir(exist_ok=True)
        if path.exists() and path.stat().st_size > _MOST_BYTES:
            return path
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{where}\n{traceback.rstrip()}\n\n")
    except OSError:
        return None
    return path


def _blotted(text: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, _MARK)
    return _LOOKS_SECRET.sub(_MARK, text)
