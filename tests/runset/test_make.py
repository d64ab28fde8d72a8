"""The options that ask for several runs, and what a failed gate means when it is run again."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from bench.arguments import add_options, add_settings_arguments, settle_arguments
from bench.errors import UsageError
from bench.gates.arguments import Gates
from bench.plan.options import ENDING_OPTIONS, SET_OPTIONS
from bench.rundir import RunDir
from bench.runset.arguments import read_set
from bench.runset.make import Runs
from bench.voice import Voice


def asked(*words: str, endless: bool = False) -> object:
    parser = argparse.ArgumentParser()
    add_options(parser, (*ENDING_OPTIONS, *SET_OPTIONS), title="gates")
    add_settings_arguments(parser)
    arguments = parser.parse_args(words)
    settle_arguments(arguments)
    return read_set(vars(arguments), variants=("key",), open_model=True, endless=endless)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--runs", "1"], "--runs: 1 is not between 2"),
        (["--runs", "-3"], "--runs"),
        (["--runs", "100000"], "--runs"),
        (["--runs", "many"], "--runs: 'many' is not a whole number"),
        (["--pause", "3s"], "give --runs"),
        (["--runs", "3", "--pause", "90000000h"], "--pause"),
        (["--runs", "3", "--pause", "soon"], "--pause"),
        (["--runs", "3", "--confirm"], "--confirm is for one run"),
        (["--runs", "3", "--extend-up-to", "5m"], "--extend-up-to is for one run"),
        (["--until", "overhead.p50 +- 1ms"], "overhead compares two variants"),
        (["--until", "response_time.p50{variant=aml_token} +- 1ms"], "no variant 'aml_token'"),
    ],
)
def test_what_does_not_go_together_is_said_before_anything_is_sent(words: list[str], says: str) -> None:
    with pytest.raises(UsageError) as refused:
        asked(*words)
    assert says in refused.value.describe()


def test_runs_without_an_end_cannot_be_several() -> None:
    with pytest.raises(UsageError, match="an end each"):
        asked("--runs", "3", endless=True)


def test_one_run_is_no_set() -> None:
    assert asked() is None
    assert asked("--confirm") is None


@pytest.mark.parametrize(
    ("codes", "confirm", "code", "runs"),
    [
        ([10, 10], True, 10, 2),
        ([10, 0], True, 11, 2),
        ([10, 11], True, 11, 2),
        ([10, 4], True, 11, 2),
        ([10, 3], True, 11, 2),
        ([0], True, 0, 1),
        ([11], True, 11, 1),
        ([4], True, 4, 1),
        ([10], False, 10, 1),
    ],
)
def test_a_fail_that_is_confirmed(
    codes: list[int], confirm: bool, code: int, runs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FAIL then FAIL is 10, FAIL then anything else is 11."""
    made: list[int] = []

    def judged(_: Runs, number: int, _voice: Voice) -> tuple[RunDir, int]:
        made.append(number)
        return RunDir(Path(f"run-{number}")), codes[number]

    monkeypatch.setattr(Runs, "_judged", judged)
    of = Runs(locustfile=Path("x.py"), values={}, extra=(), gates=Gates())
    assert of.once(confirm=confirm) == (Path("run-0"), code)
    assert len(made) == runs


def test_both_runs_are_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(
        Runs, "_judged", lambda _, number, _voice: (RunDir(Path(f"run-{number}")), 10 if not number else 0)
    )
    Runs(locustfile=Path("x.py"), values={}, extra=(), gates=Gates()).once(confirm=True)
    printed = capsys.readouterr()
    assert "not confirmed: the second run ended with 0; runs: run-0, run-1" in printed.out
    assert "run is made again" in printed.err


def test_a_set_of_which_no_run_began_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Runs, "_made", lambda *_, **__: (None, 3))
    of = Runs(locustfile=Path("x.py"), values={"out": str(tmp_path)}, extra=(), gates=Gates())
    wanted = asked("--runs", "3")
    assert of.as_set(wanted) == (None, 3)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("quiet", [False, True])
def test_quiet_says_no_progress(
    quiet: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Runs, "_made", lambda *_, **__: (None, 3))
    values = {"out": str(tmp_path)}
    Runs(locustfile=Path("x.py"), values=values, extra=(), gates=Gates(), voice=Voice(quiet=quiet)).as_set(
        asked("--runs", "3")  # type: ignore[arg-type]
    )
    assert ("run 1 of 3" in capsys.readouterr().err) is not quiet
