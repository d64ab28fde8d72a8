"""Looking for secrets where none may be: in files, in what was said, in argv and environment of a run's processes."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

JWT = re.compile(rb"eyJ[\w-]{8,}\.eyJ[\w-]{8,}")
"""Every token of Azure's, and of the emulator's, begins like this."""


def found_in(data: bytes, secrets: Iterable[str]) -> list[str]:
    """Which of the secrets are in `data`; a token that nobody named counts too."""
    found = [secret for secret in secrets if secret.encode() in data]
    return found + [match.group(0)[:12].decode() for match in JWT.finditer(data)]


def found_below(folder: Path, secrets: Iterable[str]) -> dict[str, list[str]]:
    """The same for every file below `folder`, by its path."""
    looked_at = {str(path): found_in(path.read_bytes(), secrets) for path in folder.rglob("*") if path.is_file()}
    assert looked_at, f"nothing is below {folder}"
    return {path: found for path, found in looked_at.items() if found}


@dataclass
class Seen:
    """A process as others can see it."""

    argv: bytes
    environ: bytes
    limits: str

    @property
    def writes_core_files(self) -> bool:
        match = re.search(r"Max core file size\s+(\S+)", self.limits)
        return match is None or match.group(1) != "0"


@dataclass
class Family:
    """Every descendant of a process, seen again and again, for they change their limits after they have started."""

    root: int
    members: dict[int, Seen] = field(default_factory=dict)

    def watch(self, done: Callable[[], bool], *, within_s: float) -> None:
        """Look until `done`."""
        deadline = time.monotonic() + within_s
        while not done():
            assert time.monotonic() < deadline
            self._look(self.root)
            time.sleep(0.1)  # between two looks at the process list

    def called(self, *words: bytes) -> list[Seen]:
        """Those whose argv has all the words."""
        return [seen for seen in self.members.values() if all(word in seen.argv for word in words)]

    def _look(self, pid: int) -> None:
        try:
            seen = Seen(
                argv=Path(f"/proc/{pid}/cmdline").read_bytes(),
                environ=Path(f"/proc/{pid}/environ").read_bytes(),
                limits=Path(f"/proc/{pid}/limits").read_text(),
            )
            children = "".join(path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children"))
        except OSError:
            return
        if seen.argv and seen.environ:
            self.members[pid] = seen
        for child in children.split():
            self._look(int(child))
