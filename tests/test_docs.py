"""Docs that stay true: every command is in the README, and every command helps."""

from __future__ import annotations

import functools
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench.cli import COMMANDS
from bench.plan.options import RUN_OPTIONS

REPOSITORY = Path(__file__).parents[1]
README = (REPOSITORY / "README.md").read_text()


@functools.cache
def help_of(command: str) -> str:
    """What `bench COMMAND --help` prints."""
    words = [sys.executable, "-m", "bench", command, "--help"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_documented_and_helps(command: str) -> None:
    """The README's table has the command, and `--help` explains it."""
    assert f"| `bench {command}" in README
    assert "usage:" in help_of(command)


def test_the_two_commands_come_first() -> None:
    """A newcomer reads `make demo` and `make test` before anything else."""
    first = re.search(r"```console\n(.*?)```", README, re.DOTALL)
    assert first is not None
    assert [line.split("#")[0].strip() for line in first[1].splitlines()] == ["$ make demo", "$ make test"]


def test_options_in_docs_exist() -> None:
    """No document shows an option of `bench run` or `compare` that there is not."""
    known = {option.flag for option in RUN_OPTIONS}
    known |= set(re.findall(r"--[a-z][a-z-]+", "\n".join(map(help_of, COMMANDS))))
    for page in [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]:
        for line in page.read_text().splitlines():
            if re.search(r"\bbench (run|compare|gate|report|diff|doctor|baseline)\b", line):
                options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", line.split("#")[0]))
                assert options <= known, f"{page.name}: {options - known}"


def test_links_in_docs_lead_somewhere() -> None:
    """Every relative link of every page names a file that is there."""
    for page in [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.relative_to(REPOSITORY)} links to {target}"
