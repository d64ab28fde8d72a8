"""`bench history` as it is typed: planted shifts are named, unlike runs are left out, the gate has its exit codes."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

from bench.commands import history as command
from bench.errors import BenchError
from bench.history import ledger
from bench.schemas.history import HistoryEntry
from tests.history.test_ledger import entry


def figures(p50: float) -> dict[str, dict[str, tuple[float | None, float | None, float | None]]]:
    return {
        "key": {
            "response_time.p50": (p50, p50 - 0.3, p50 + 0.3),
            "response_time.p99": (2 * p50, None, None),
            "service_time.p50": (p50 - 1, None, None),
            "error_rate": (0.0, 0.0, 0.001),
        }
    }


def history(folder: Path, p50s: list[float]) -> list[HistoryEntry]:
    made = []
    for day, p50 in enumerate(p50s):
        run_id = f"202601{day // 24 + 1:02d}-{day % 24:02d}0000-000-aaaa"
        made.append(entry(run_id, figures=figures(p50), commit=f"c{day:039d}"))
        ledger.add(folder, made[-1])
    return made


def bench(*words: str) -> int:
    """The command in this process, without what the process's own start and end would do to it."""
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    try:
        return command.run(parser.parse_args(words))
    except BenchError as exc:
        sys.stderr.write(f"error: {exc.describe()}\n")
        return exc.exit_code


def unchanged(runs: int, seed: int = 1) -> list[float]:
    return [float(value) for value in np.random.default_rng(seed).normal(50, 0.5, runs)]


def test_too_few_runs_are_no_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    history(tmp_path, unchanged(4))
    assert bench("changes", "--gate", "--history", str(tmp_path)) == 11
    assert "NO_DATA" in capsys.readouterr().out


def test_two_planted_shifts_are_named_with_their_commits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of 5 % and 12 %, in 60 runs."""
    p50s = unchanged(60)
    p50s[20:] = [value * 1.05 for value in p50s[20:]]
    p50s[52:] = [value * 1.12 for value in p50s[52:]]
    history(tmp_path, p50s)
    assert bench("changes", "--gate", "--history", str(tmp_path)) == 10
    printed = capsys.readouterr().out
    assert printed.count("response_time.p50{variant=key} +") == 2
    assert f"commit {'c' + '0' * 39:.12}" in printed
    assert "FAIL" in printed


def test_an_old_shift_and_a_better_one_fail_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    p50s = unchanged(60)
    p50s[10:] = [value * 1.2 for value in p50s[10:]]
    p50s[55:] = [value * 0.7 for value in p50s[55:]]
    history(tmp_path, p50s)
    assert bench("changes", "--gate", "--history", str(tmp_path)) == 0
    assert "PASS" in capsys.readouterr().out


def test_unlike_and_invalid_runs_are_left_out_and_it_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = history(tmp_path, unchanged(20))
    for n, change in enumerate(({"plan": "other"}, {"machine": "other"}, {"trust": "INVALID"})):
        odd = msgspec.structs.replace(runs[5], run_id=f"{runs[5].run_id}{n}", figures=figures(500), **change)
        ledger.add(tmp_path, odd)
    assert bench("changes", "--gate", "--history", str(tmp_path)) == 0
    noted = capsys.readouterr().err
    assert all(word in noted for word in ("1 INVALID", "1 of another load", "1 of another machine"))


def test_the_page_loads_nothing_and_shows_each_figure(tmp_path: Path) -> None:
    history(tmp_path, unchanged(20))
    out = tmp_path / "page.html"
    assert bench("report", "--history", str(tmp_path), "--out", str(out)) == 0
    page = out.read_text()
    assert page.count("<svg") == 4
    assert "http" not in page


def test_show_draws_a_line_a_figure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    history(tmp_path, unchanged(20))
    assert bench("show", "--history", str(tmp_path)) == 0
    assert len(capsys.readouterr().out.splitlines()) == 4


@pytest.mark.parametrize(
    "words",
    [["add"], ["show", "RUN"], ["changes", "--gate", "--min-change", "much"], ["changes", "--history", "nowhere"]],
)
def test_mistakes_are_one_line(tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    history(tmp_path, unchanged(20))
    where = [] if "--history" in words else ["--history", str(tmp_path)]
    assert bench(*words, *where) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("error: ")
