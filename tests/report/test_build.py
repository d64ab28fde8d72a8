"""What `write_report` and `write_overlay` leave behind, for whole runs and for broken ones."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest

from bench.errors import UsageError
from bench.plan.run_plan import Stage
from bench.report.build import write_overlay, write_report
from bench.rundir import RunDir
from tests.analysis.synthetic import Side, write_run
from tests.report.conftest import Reported


def test_a_run_gets_all_its_files(eventful: Reported) -> None:
    """summary.json is what was returned, and summary.md and report.html lie beside it."""
    assert eventful.stored() == eventful.summary
    assert eventful.folder.summary_md.read_text(encoding="utf-8").startswith("### aml_token against key\n")
    assert eventful.page.startswith("<!doctype html>")


def test_the_summary_is_written_before_anything_is_drawn(tmp_path: Path) -> None:
    """When the rest cannot be written, the summary is there and one clear error says so."""
    path = write_run(tmp_path / "run", rate=20.0, duration_s=5.0)
    (path / "plots").write_text("in the way")
    with pytest.raises(UsageError, match=r"cannot write the report to .*: File exists"):
        write_report(path)
    assert RunDir(path).summary.exists()


@pytest.mark.parametrize(
    ("run", "plots", "said"),
    [
        pytest.param(
            {"reason": None, "cut_off": 700, "rate": 500.0}, 7, "the run was killed before it ended", id="killed"
        ),
        pytest.param({"sides": (Side("key"),), "duration_s": 0.0}, 0, "no request was measured", id="no sample"),
        pytest.param({"sides": (Side("key"),), "rate": 1.0, "duration_s": 1.0}, 6, "How fast was it?", id="one sample"),
        pytest.param(
            {"sides": (Side("key", auth_failures={"forbidden": 1.0}),)}, 3, "not allowed to score", id="all refused"
        ),
        pytest.param({"health": False, "flights": False}, 7, "no health record of w0", id="no records"),
        pytest.param(
            {
                "sides": (Side("key"), Side("aml_token"), Side("aad_token", shift_ms=2.0)),
                "stages": (
                    Stage(duration_s=6, start_rate=10, end_rate=90),
                    Stage(duration_s=8, start_rate=90, end_rate=90),
                ),
            },
            7,
            "60 requests/s began where 81.1/s were asked for",
            id="three variants in stages",
        ),
    ],
)
def test_any_run_gets_a_report(tmp_path: Path, run: dict[str, Any], plots: int, said: str) -> None:
    """A killed, empty, tiny, failing or unusual run gives a page that says what matters, without a warning."""
    path = write_run(tmp_path / "run", **{"rate": 60.0, "duration_s": 12.0, **run})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_report(path)
    folder = RunDir(path)
    assert len(list(folder.plots.iterdir())) == plots
    assert said in folder.report.read_text(encoding="utf-8")


def test_runs_are_laid_over_each_other(tmp_path: Path) -> None:
    """Variants of several runs stand in one report as run/variant, each run's trust with its name."""
    first = write_run(tmp_path / "a", sides=(Side("key"),), rate=60.0, duration_s=10.0)
    second = write_run(tmp_path / "b", sides=(Side("key", shift_ms=5.0),), rate=60.0, duration_s=8.0, reason=None)
    summary = write_overlay([first, second], tmp_path / "over")
    assert list(summary["variants"]) == ["a/key", "b/key"]
    assert summary["trust"]["verdict"] == "INVALID"
    assert summary["trust"]["reasons"][0].startswith("b: the run was killed")
    folder = RunDir(tmp_path / "over")
    page = folder.report.read_text(encoding="utf-8")
    assert "<h1>a and b</h1>" in page
    assert "var(--blue)" in page
    assert "var(--vermillion)" in page
    assert "| a/key | b/key |" in folder.summary_md.read_text(encoding="utf-8")
    assert not folder.summary.exists()


def test_a_run_cannot_be_laid_over_itself(tmp_path: Path) -> None:
    """Naming a run twice is a mistake, and said to be one."""
    path = write_run(tmp_path / "a", rate=20.0, duration_s=2.0)
    with pytest.raises(UsageError, match="named twice"):
        write_overlay([path, path], tmp_path / "over")


def test_a_folder_without_a_run_is_a_usage_error(tmp_path: Path) -> None:
    """A wrong folder is named in the error."""
    with pytest.raises(UsageError, match=r"manifest\.json does not exist"):
        write_report(tmp_path)


@pytest.mark.parametrize("unanswered", [0.03, 1.0])
def test_a_run_with_requests_without_an_answer_is_reported_as_above(tmp_path: Path, unanswered: float) -> None:
    """Page, table and plots take figures that are known from below only, or not at all."""
    sides = (Side("key", outcomes={"timed_out": unanswered}), Side("aml_token"))
    folder = write_run(tmp_path / "run", sides=sides, rate=200, duration_s=10)
    write_report(folder)
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["variants"]["key"]["response_time_ms"]["p99"] is None
    assert "&gt; " in (folder / "report.html").read_text()
    assert "> " in (folder / "summary.md").read_text().partition("esponse time")[2]
