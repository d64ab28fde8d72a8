"""Finding and reading settings files: `bench.toml`, else `[tool.bench]` of `pyproject.toml`. Edge: reads them.

Both are looked for in the working directory and not above it. Options (`[run]` and profiles) and gates are each taken
whole from the first file that has any; nothing is merged between files.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from bench.errors import UsageError
from bench.rundir import read_bytes
from bench.settings.document import Document, Rule, document_of
from bench.settings.precedence import Layer
from bench.spelling import nearest

NO_FILE = "none"
"""As the name of a file: read none."""

CONFIG_VARIABLE = "BENCH_CONFIG"
PROFILE_VARIABLE = "BENCH_PROFILE"
_FILES: tuple[tuple[str, tuple[str, ...]], ...] = (("bench.toml", ()), ("pyproject.toml", ("tool", "bench")))
_MOST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Settings:
    """The files that were found, the one that counts first; `profile` is the one that was asked for."""

    documents: tuple[Document, ...] = ()
    profile: str = ""

    def layers(self) -> tuple[Layer, ...]:
        """The profile's options, then the file's."""
        document = next((one for one in self.documents if one.run or one.profiles), None)
        if document is None:
            return ()
        return document.profiles.get(self.profile, {}), document.run

    def rules(self) -> tuple[tuple[Rule, ...], str]:
        """The gates that count, and the file they stand in; the profile's own come first, also when it has none."""
        for document in self.documents:
            if (rules := document.profile_gates.get(self.profile)) is not None:
                return rules, f"{document.name} [profiles.{self.profile}]"
        for document in self.documents:
            if document.gates:
                return document.gates, document.name
        return (), ""


def read_settings(folder: Path, *, named: str = "", profile: str = "") -> Settings:
    """What the files say. UsageError for the first thing that is wrong, and for a profile that there is not."""
    documents = documents_in(folder, named=named)
    for document in documents:
        for problem in document.problems:
            raise problem
    known = list(dict.fromkeys(name for document in documents for name in document.profiles))
    if profile and profile not in known:
        meant = nearest(profile, known)
        there = f"there are {', '.join(known)}" if known else "write [profiles.NAME] in bench.toml"
        raise UsageError(f"no profile {profile[:40]!r}", hint=f"did you mean {meant}?" if meant else there)
    return Settings(documents, profile)


def documents_in(folder: Path, *, named: str = "") -> tuple[Document, ...]:
    """The files with their problems. UsageError for one that cannot be read at all."""
    if named == NO_FILE:
        return ()
    if named:
        path = Path(named)
        below = ("tool", "bench") if path.name == "pyproject.toml" else ()
        return (_read(path, named, below),)
    return tuple(_read(folder / name, name, below) for name, below in _FILES if _is_there(folder / name))


def _is_there(path: Path) -> bool:
    return path.exists() or path.is_symlink()


def _read(path: Path, name: str, below: tuple[str, ...]) -> Document:
    try:
        content = read_bytes(path, most=_MOST_BYTES)
    except (OSError, ValueError) as exc:
        why = exc.strerror if isinstance(exc, OSError) and exc.strerror else exc
        raise UsageError(f"{name} cannot be read: {why}", hint="name another with --config, or --config none") from exc
    try:
        text = content.decode()
    except UnicodeDecodeError as exc:
        raise UsageError(f"{name} cannot be read: it is not UTF-8", hint="save it as UTF-8") from exc
    try:
        values = tomllib.loads(text)
    except (ValueError, RecursionError) as exc:
        why = "it is nested too deeply" if isinstance(exc, RecursionError) else exc
        raise UsageError(f"{name} cannot be read: {why}", hint="is it a TOML file?") from exc
    return document_of(values, text, name=name, below=below)
