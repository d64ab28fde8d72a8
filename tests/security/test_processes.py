"""What other people on the host can see of a run, and what its processes are given that they do not need."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.command import LOCUSTFILES, clean_environment
from tests.security.searching import Family, found_below, found_in

KEY, TOKEN, RELAY_KEY = "canary-key-51f0", "canary-token-77c2", "canary-relay-key-of-thirty-two-characters-90e1"


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Family, Path, bytes]:
    """All processes of a run with two workers and an emulator of its own, with secrets of the harness to be had.

    Plain Locust, for `bench run` keeps it from logging.
    """
    cwd = tmp_path_factory.mktemp("watched")
    words = ["--headless", "--loglevel", "DEBUG", "--emulator", "--processes", "2"]
    words += ["--arrival-rate", "50", "--duration", "3s", "--warm-up", "0s"]
    with subprocess.Popen(
        [sys.executable, "-m", "locust", "-f", str(LOCUSTFILES / "aml_token.py"), *words],
        cwd=cwd,
        env=clean_environment(BENCH_KEY=KEY, BENCH_TOKEN=TOKEN, BENCH_RELAY_KEY=RELAY_KEY),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        assert process.stdout is not None
        family = Family(process.pid)
        family.watch(lambda: process.poll() is not None, within_s=300)
        said = process.stdout.read()
    assert process.returncode in {0, 4}, said
    return family, cwd, said


def test_no_argv_holds_a_secret(watched: tuple[Family, Path, bytes]) -> None:
    """The process list shows nobody's."""
    family, _, _ = watched
    assert len(family.members) >= 5  # Locust and its two workers, the agent, the emulator
    assert not [seen.argv for seen in family.members.values() if found_in(seen.argv, (KEY, TOKEN, RELAY_KEY))]


@pytest.mark.parametrize("module", [b"bench.credentials.agent", b"bench.emulator"])
def test_who_needs_no_secret_gets_none(module: bytes, watched: tuple[Family, Path, bytes]) -> None:
    """The agent has an identity of its own, the emulator makes its secrets: neither is given the harness's."""
    family, _, _ = watched
    (seen,) = family.called(module)
    assert not found_in(seen.environ, (KEY, TOKEN, RELAY_KEY))


def test_who_holds_secrets_writes_no_core_file(watched: tuple[Family, Path, bytes]) -> None:
    """Master, workers, agent and emulator."""
    family, _, _ = watched
    holders = [*family.called(b"locust"), *family.called(b"credentials.agent"), *family.called(b"bench.emulator")]
    assert len(holders) >= 5
    assert not [seen.argv for seen in holders if seen.writes_core_files]


def test_nothing_is_said_or_written(watched: tuple[Family, Path, bytes]) -> None:
    """Not with everything logged, either: no secret of the harness, and no token."""
    _, cwd, said = watched
    assert b"DEBUG" in said
    assert not found_in(said, (KEY, TOKEN, RELAY_KEY))
    assert not found_below(cwd, (KEY, TOKEN, RELAY_KEY))
