"""The exit code of a command is its own, whatever becomes of what it writes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.command import clean_environment

REPOSITORY = Path(__file__).parents[2]
PROGRAM = (
    "import sys; from bench.process import streams; streams.tolerate(); print('x' * 100_000); "
    "sys.stderr.write('said\\n'); f = open('/dev/null'); assert f.fileno() > 2; sys.stdout.flush(); sys.exit(10)"
)


@pytest.mark.parametrize(
    "redirection", ["", "| true", "> /dev/full", ">&-", "> /dev/full 2> /dev/full", ">&- 2>&- <&-"]
)
def test_an_exit_code_survives(redirection: str) -> None:
    """Nobody reads it, there is no room for it, there is no stdout at all: 10 is 10."""
    program = PROGRAM.replace("'", "'\"'\"'")
    done = subprocess.run(
        ["bash", "-c", f"'{sys.executable}' -c '{program}' {redirection}; exit ${{PIPESTATUS[0]}}"],
        cwd=REPOSITORY,
        env=clean_environment(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 10, done


@pytest.mark.parametrize("redirection", ["| true", "> /dev/full", ">&-"])
@pytest.mark.parametrize(("words", "code"), [("drill --list", 0), ("run --help", 0), ("gate nowhere --gate x", 2)])
def test_of_every_command(words: str, code: int, redirection: str) -> None:
    """Also where argparse or the error's line ends it."""
    done = subprocess.run(
        ["bash", "-c", f"'{sys.executable}' -m bench {words} {redirection}; exit ${{PIPESTATUS[0]}}"],
        cwd=REPOSITORY,
        env=clean_environment(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == code, done
    assert b"Traceback" not in done.stderr


def test_what_an_encoding_lacks_is_escaped() -> None:
    """A terminal of the last century shows no error in place of a report."""
    program = "from bench.process import streams; streams.tolerate(); print('\\u2265 5 ms')"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=REPOSITORY,
        env=clean_environment(PYTHONIOENCODING="ascii"),
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, b"\\u2265 5 ms\n")
