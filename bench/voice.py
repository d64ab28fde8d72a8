"""How much a command says, and where: `-q`, `-v`, `--json`. Edge: standard output and standard error.

With --json standard output holds one JSON object and nothing else, whatever becomes of the command; what people read
goes to standard error. -q leaves what went wrong. -v adds where each setting came from, and Locust's log.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TextIO

from bench.plain_text import harmless_json, write_line

SCHEMA_VERSION = 1


def answered(exit_code: int, **values: Any) -> str:
    """The object of --json, as it is written."""
    fields = {"schema_version": SCHEMA_VERSION, "exit_code": exit_code, "error": "", **values}
    return harmless_json(json.dumps(fields, indent=1, ensure_ascii=True)) + "\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """What was asked for."""

    quiet: bool = False
    verbose: bool = False
    json: bool = False

    @property
    def stream(self) -> TextIO:
        """Where the lines of a result go."""
        return sys.stderr if self.json else sys.stdout

    def say(self, line: str, *, bad: bool = False) -> None:
        """A line of the result; `bad` is news that -q does not hold back."""
        if bad or not self.quiet:
            write_line(self.stream, line)

    def note(self, line: str) -> None:
        """Something to know that is no result."""
        if not self.quiet:
            write_line(sys.stderr, f"note: {line}")

    def detail(self, line: str) -> None:
        """For whoever asked for more."""
        if self.verbose:
            write_line(sys.stderr, line)

    def answer(self, exit_code: int, **values: Any) -> None:
        """The object of --json; `docs/schemas/result.json` has its keys."""
        if self.json:
            sys.stdout.write(answered(exit_code, **values))


PLAIN = Voice()


def add_voice_arguments(parser: argparse.ArgumentParser) -> None:
    """-q or -v, and --json."""
    group = parser.add_argument_group("what is said")
    loudness = group.add_mutually_exclusive_group()
    loudness.add_argument("-q", "--quiet", action="store_true", help="say what went wrong, and nothing else")
    loudness.add_argument(
        "-v", "--verbose", action="store_true", help="say also where each setting came from, and Locust's log"
    )
    group.add_argument(
        "--json",
        action="store_true",
        help="the result as one JSON object on standard output, the rest on standard error",
    )


def voice_of(arguments: argparse.Namespace) -> Voice:
    """The voice that a command line asks for; the plain one where it cannot."""
    asked: Mapping[str, Any] = vars(arguments)
    if "quiet" not in asked:
        return PLAIN
    return Voice(quiet=asked["quiet"], verbose=asked["verbose"], json=asked["json"])
