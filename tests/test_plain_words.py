"""Code, texts and docs use English that a newcomer can search for: some words name nothing in this field."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]

PLACES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "pyproject.toml", "bench", "locustfiles", "docs", "tests")
SUFFIXES = {".css", ".html", ".in", ".jinja", ".js", ".json", ".md", ".py", ".toml", ".yml"}

WORDS = [word.replace("-", "") for word in ("t-old", "twi-sted", "de-ed", "wea-ther", "la-tely", "su-ffer")]
"""The hyphens keep this module from finding itself."""
UNCLEAR = re.compile(rf"(?<![a-z])({'|'.join(WORDS)})(s|ed|ing)?(?![a-z])", re.IGNORECASE)
"""Also as parts of an identifier."""


def files(place: Path) -> Iterator[Path]:
    """A file, or the text files of a folder."""
    if place.is_file():
        yield place
        return
    yield from (path for path in sorted(place.rglob("*")) if path.suffix in SUFFIXES and path.is_file())


@pytest.mark.parametrize("place", PLACES)
def test_no_unclear_word(place: str) -> None:
    """What was found, where it stands; a file's own name counts too."""
    found = []
    for path in files(REPOSITORY / place):
        name = path.relative_to(REPOSITORY)
        lines = enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        found += [f"{name}:{number}: {line.strip()}" for number, line in lines if UNCLEAR.search(line)]
        found += [f"{name}: its name"] if UNCLEAR.search(path.name) else []
    assert not found, "say it in plain modern English:\n" + "\n".join(found)


@pytest.mark.parametrize("line", ["    t-old = 1", "session.t-old_ms", "# T-old apart.", "class Wea-ther:", "de-eds"])
def test_the_search_can_fail(line: str) -> None:
    """Words by themselves, in identifiers, in capitals, in the plural."""
    assert UNCLEAR.search(line.replace("-", ""))


@pytest.mark.parametrize("line", ["threshold", "indeed", "folder_holds", "bitolds"])
def test_other_words_are_left_alone(line: str) -> None:
    assert not UNCLEAR.search(line)
