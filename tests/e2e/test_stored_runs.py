"""Commands that work on runs that are over: report, gate, diff, baseline."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bench import cli
from bench.report import plots
from tests.analysis.synthetic import Side, write_run
from tests.e2e.command import Done, bench, clean_environment

Called = Callable[..., Done]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run, a slower one, and one that was killed."""
    folder = tmp_path_factory.mktemp("stored")
    write_run(folder / "before", sides=(Side("key"),), seed=1)
    write_run(folder / "after", sides=(Side("key", shift_ms=3.0),), seed=2)
    write_run(folder / "killed", sides=(Side("key"),), seed=3)
    manifest = json.loads((folder / "killed" / "manifest.json").read_text())
    manifest.pop("ended", None)
    (folder / "killed" / "manifest.json").write_text(json.dumps(manifest))
    for file in (folder / "killed").rglob("*"):
        os.utime(file, (0, 0))  # a file that changed a moment ago is one of a run that still goes on
    assert bench("report", "before", cwd=folder).code == 0
    return folder


@pytest.fixture
def called(place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Called:
    """`bench` in that folder, in this process, drawing nothing: the report of `place` and the overlay are drawn."""
    monkeypatch.chdir(place)
    monkeypatch.setattr(plots, "draw", lambda *_: {})
    for name in os.environ.keys() - clean_environment().keys():
        monkeypatch.delenv(name)

    def call(*words: str) -> Done:
        capsys.readouterr()
        code = cli._run(list(words))
        return Done(code, *capsys.readouterr())

    return call


@pytest.mark.parametrize(
    ("gate", "code", "word"),
    [
        ("response_time.p99 < 2s", 0, "PASS"),
        ("response_time.p50 < 1ms", 10, "FAIL"),
        ("requests >= 1000000", 10, "FAIL"),
        ("overhead.p50 < 5ms", 2, "overhead compares two variants"),
        ("response_time.p99 <= baseline + 10%", 2, "no baseline"),
    ],
)
def test_gate(gate: str, code: int, word: str, place: Path, called: Called) -> None:
    """A stored run is judged with the exit codes of a live one, and JUnit is written."""
    done = called("gate", "before", "--gate", gate)
    assert done.code == code, done
    assert word in done.out + done.err
    if code in {0, 10}:
        assert "<testsuite" in (place / "before" / "junit.xml").read_text()


def test_a_killed_run_passes_no_gate(place: Path, called: Called) -> None:
    """An INVALID run exits with 4 whatever its figures are, and its report says what is missing."""
    done = called("gate", "killed", "--gate", "response_time.p99 < 2s")
    assert done.code == 4, done
    assert "killed before it ended" in (place / "killed" / "report.html").read_text()


def test_baseline_and_what_is_held_against_it(place: Path, called: Called) -> None:
    """A run saved as baseline lets a like one pass and fails a slower one."""
    saved = called("baseline", "save", "before", "--as", "main")
    assert saved.code == 0, saved
    assert (place / "results" / "baselines" / "main.json").stat().st_size < 100_000
    assert "main: run" in called("baseline", "list").out
    gate = ("--baseline", "main", "--gate", "response_time.p50 <= baseline + 5%")
    assert called("gate", "before", *gate).code == 0
    slower = called("gate", "after", *gate)
    assert slower.code == 10, slower


def test_a_baseline_of_another_load_is_refused_before_anything_is_sent(place: Path) -> None:
    """What differs is named, and no run's folder is made."""
    assert bench("baseline", "save", "before", "--as", "other", cwd=place).code == 0
    gate = ("--baseline", "other", "--gate", "response_time.p50 <= baseline + 5%")
    done = bench("run", "--emulator", "--arrival-rate", "7", "--out", "never", *gate, cwd=place)
    assert done.code == 2, done
    assert "arrival rate was" in done.err
    assert not (place / "never").exists()


def test_a_run_that_turns_out_unlike_its_baseline_keeps_its_report(place: Path, called: Called) -> None:
    """The target is only known when the run is over; nothing of what was measured is lost."""
    saved = called("baseline", "save", "before", "--as", "elsewhere")
    assert saved.code == 0, saved
    file = place / "results" / "baselines" / "elsewhere.json"
    values = json.loads(file.read_text())
    values["workload"]["target"] = "endpoint"
    file.write_text(json.dumps(values))
    (place / "after" / "report.html").unlink(missing_ok=True)
    gate = ("--baseline", "elsewhere", "--gate", "response_time.p50 <= baseline + 5%")
    done = called("gate", "after", *gate)
    assert done.code == 2, done
    assert "target was endpoint" in done.err
    assert (place / "after" / "report.html").stat().st_size > 10_000


def test_diff_finds_the_slower_deployment(place: Path) -> None:
    """`bench diff A B` gives each figure's difference with its interval, and says what one run against one is worth."""
    done = bench("diff", "before", "after", "--anyway", cwd=place)
    assert done.code == 0, done
    assert done.out.startswith("cannot be determined from one run against one")
    found = json.loads(bench("diff", "before", "after", "--anyway", "--json", cwd=place).out)
    p50 = found["comparisons"][0]["response_time_ms"]["p50"]
    assert p50["low"] <= 3.0 <= p50["high"]
    assert p50["verdict"] == "INCONCLUSIVE"


def test_a_report_made_again_judges_by_what_the_run_was_asked_for(place: Path, called: Called) -> None:
    """`--min-effect` of the run is in its plan; giving another one to `bench report` overrides it."""
    write_run(place / "pair", sides=(Side("key"), Side("aml_token", shift_ms=0.3)), seed=4)
    manifest = json.loads((place / "pair" / "manifest.json").read_text())
    manifest["plan"]["min_effect_ms"] = 7.0
    (place / "pair" / "manifest.json").write_text(json.dumps(manifest))
    for words, least in (([], 7.0), (["--min-effect", "1ms"], 1.0)):
        assert called("report", "pair", *words).code == 0
        summary = json.loads((place / "pair" / "summary.json").read_text())
        assert summary["comparison"]["min_effect_ms"] == least
    assert called("report", "pair", "--min-effect", "0").code == 2


def test_overlay(place: Path) -> None:
    """Several runs are laid over each other in a folder of their own."""
    done = bench("report", "before", "after", "--out", "both", cwd=place)
    assert done.code == 0, done
    assert (place / "both" / "report.html").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["report", "nothing-here"], "nothing-here"),
        (["report", "before", "after"], "--out"),
        (["gate", "before"], "no gate given"),
        (["diff", "before"], "two sides"),
        (["baseline", "save", "before"], "--as main"),
        (["report"], "no run under"),
    ],
)
def test_what_is_wrong_is_one_line(words: list[str], says: str, place: Path, tmp_path: Path) -> None:
    """Bad input to these commands is one clear line and exit code 2."""
    done = bench(*words, cwd=tmp_path if words == ["report"] else place)
    assert done.code == 2, done
    assert len(done.err.splitlines()) == 1
    assert says in done.err
