"""Nothing that a name, a path or an answer holds steers a terminal or a CI server."""

from __future__ import annotations

import io
import json
import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bench
from bench.plain_text import harmless, harmless_json, printable, write_line

BENCH = Path(__file__).parents[1] / "bench"
HOSTILE = ("##vso[task.complete result=Succeeded]", "::error::x", "  ::set-output name=a::b", "##[error]x", "##VSO[x]")


@pytest.mark.parametrize("text", [*HOSTILE, *(f"gate\n{text}" for text in HOSTILE), *(f"\r{text}" for text in HOSTILE)])
def test_a_ci_server_obeys_no_line_that_we_write(text: str) -> None:
    """Neither at its start nor within it."""
    written = io.StringIO()
    write_line(written, text)
    [line] = written.getvalue().splitlines()
    assert "##" not in line
    assert not line.lstrip().startswith("::")


@given(st.text())
def test_a_line_stays_one_line_without_escape_sequences(text: str) -> None:
    """Whatever is in it; our own colours pass where they are whole."""
    assert len(harmless(text).splitlines()) <= 1
    assert "\x1b" not in re.sub(r"\x1b\[[0-9;]{1,5}m", "", harmless(text))
    assert printable(text).isprintable()


def test_json_keeps_its_value() -> None:
    """A name that is a command is written in another way, and read the same."""
    value = {"##vso[x]": "a ##[error] b", "n": [1, "::x"]}
    text = harmless_json(json.dumps(value, indent=1))
    assert "##" not in text
    assert json.loads(text) == value


def test_what_commands_print_goes_through_one_door() -> None:
    """The commands that print names or files of a run write lines with `write_line`, JSON and CI lines apart."""
    allowed = ("harmless_json", "for line in publish", 'stderr.write("')
    for name in ("launch/finish.py", "cli.py", "commands/diff.py", "commands/report.py", "commands/capacity.py"):
        lines = (BENCH / name).read_text(encoding="utf-8").splitlines()
        for before, line in pairwise(lines):
            if re.search(r"std(out|err)\.write\(", line):
                assert any(word in line or word in before for word in allowed), f"{name}: {line}"


def test_commands_write_by_the_line() -> None:
    """Whatever a command prints may hold a stranger's words; exceptions are texts of one form, each with its reason."""
    exceptions = {
        ("config.py", "harmless_json"),
        ("diff.py", "harmless_json"),
        ("completion.py", "shtab"),  # a script of our own names
        ("credentials.py", "granted.secrets"),  # to the letter, for a program
    }
    for file in (Path(bench.__file__).parent / "commands").glob("*.py"):
        for line in file.read_text().splitlines():
            if re.search(r"std(out|err)\.write|\bprint\(", line):
                assert any(file.name == name and word in line for name, word in exceptions), (file.name, line)
