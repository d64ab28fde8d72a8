"""Numbers with which a search would not end, or not begin: one line and exit 2, before anything is started."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench import cli
from bench.target.local_emulator import LocalEmulator

SLO = ("--slo", "response_time.p99 < 60ms")


@pytest.fixture(autouse=True)
def nothing_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(*_: Any) -> LocalEmulator:
        raise AssertionError("it was started")

    monkeypatch.setattr(LocalEmulator, "start", start)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("target", [("--emulator",), ("--scoring-uri", "http://127.0.0.1:9/score")])
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--precision", "0"], "--precision: 0 is not between 0.001 and 0.5"),
        (["--precision", "-0.1"], "--precision: -0.1 is not"),
        (["--precision", "nan"], "--precision: nan is not"),
        (["--precision", "3%"], "--precision: invalid float value: '3%'"),
        (["--first", "0"], "--first: 0 is not between 0.1 and 1,000,000"),
        (["--first", "inf"], "--first: inf is not"),
        (["--first", "1e9"], "--first: 1e+09 is not"),
        (["--limit", "-5"], "--limit: -5 is not between 25 and 1,000,000"),
        (["--limit", "10"], "--limit: 10 is not between 25"),
        (["--limit", "nan"], "--limit: nan is not"),
        (["--probe", "0s"], "--probe: 0 is not between 1 and 3,600"),
        (["--probe", "2h"], "--probe: 7200 is not"),
        (["--probe", "soon"], "--probe: 'soon' is not a duration"),
        (["--users", "0"], "--users: 0 is too small"),
    ],
)
def test_is_refused(words: list[str], says: str, target: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """With the option, what was given, and what may be."""
    assert _code("capacity", *target, *SLO, *words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert says in line


def _code(*words: str) -> int:
    try:
        return cli._run(list(words))
    except SystemExit as exc:
        return int(exc.code or 0)
