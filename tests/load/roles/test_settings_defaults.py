"""A Locust that was started by hand reads the same file: as defaults, below its words and its environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import UsageError
from bench.load.roles.settings_defaults import defaults
from bench.plan.options import RUN_OPTIONS

FILE = """
[run]
endpoint = "shop"
users = 7
duration = "3s"
[profiles.big]
users = 9
emulator = true
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bench.toml").write_text(FILE)
    return tmp_path


def found(*words: str, **environment: str) -> dict[str, str | bool]:
    return defaults(RUN_OPTIONS, ["-f", "key.py", *words], environment)


def test_the_file_says_what_nobody_else_does() -> None:
    """Locust's parser knows words and environment itself; the file's other answers to one question are set aside."""
    assert found() == {"endpoint": "shop", "users": "7", "duration": "3s"}
    assert found("--duration=1s") == {"endpoint": "shop", "users": "7"}
    assert found("--users", "4", BENCH_DURATION="2s") == {"endpoint": "shop"}
    assert found("--emulator") == {"users": "7", "duration": "3s"}
    assert found(BENCH_SCORING_URI="https://h/s") == {"users": "7", "duration": "3s"}
    assert found(BENCH_CONFIG="none") == {}


@pytest.mark.parametrize("how", [("--profile", "big"), ("--profile=big",)])
def test_locusts_own_profile_chooses_the_files(how: tuple[str, ...]) -> None:
    """A label for a run means nothing to a file without profiles."""
    expected = {"emulator": True, "users": "9", "duration": "3s"}
    assert found(*how) == expected
    assert found(BENCH_PROFILE="big") == expected
    with pytest.raises(UsageError, match="no profile 'bgi'"):
        found("--profile", "bgi")
    Path("bench.toml").write_text("[run]\nusers = 7\n")
    assert found("--profile", "release 7") == {"users": "7"}


def test_our_variables_for_locusts_own_options() -> None:
    """Locust reads LOCUST_USERS; BENCH_USERS means the same to it as to `bench`."""
    assert found(BENCH_USERS="2")["users"] == "2"
    with pytest.raises(UsageError, match="--users: 'many' is not a whole number"):
        found(BENCH_USERS="many")


def test_a_broken_file_ends_locust_with_its_place() -> None:
    Path("bench.toml").write_text("[run]\nusers = 'x'\n")
    with pytest.raises(UsageError, match=r"bench\.toml line 2 \[run\]: users"):
        found()
