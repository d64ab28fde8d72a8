"""A run whose load a person changed while it went on: what is reported of it, and what it cannot be compared with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.analysis import trust
from bench.analysis.backlog import busy_share
from bench.analysis.diff import _LOAD
from bench.analysis.parts import stage_spans
from bench.analysis.run import LoadedRun
from bench.analysis.steady import batch_medians_ms
from bench.analysis.summary import summarise
from bench.errors import BenchError
from bench.gates.baseline import unlike
from bench.report.build import write_report
from bench.runreader import load_run
from tests.analysis.synthetic import Side, write_run

SECOND = 1_000_000_000


def _change(from_s: float, rate: float | None, users: int = 50) -> dict[str, Any]:
    return {"from_ns": round(from_s * SECOND), "arrival_rate": rate, "users": users}


def _changed(path: Path, *changes: dict[str, Any], rate: float | None = 100.0, **plan: Any) -> LoadedRun:
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["plan"] |= {"arrival_rate": rate, "stages": [], "changes": list(changes), **plan}
    (path / "manifest.json").write_text(json.dumps(manifest))
    return load_run(path)


@pytest.fixture
def sent(tmp_path: Path) -> Path:
    """30 s after 2 s of warm-up, with as many samples as 100/s for 10 s of them and 275/s for 20 s ask for."""
    return write_run(tmp_path / "run", sides=(Side("key"),), rate=6500 / 30, duration_s=30, warm_up_s=2)


@pytest.mark.parametrize(
    "changes",
    [
        [_change(3, 0.0)],
        [_change(3, None)],
        [_change(-1, 50.0)],
        [_change(5, 50.0), _change(4, 60.0)],
        [_change(3, 50.0, users=0)],
        [{"from_ns": 1}],
    ],
)
def test_a_manifest_with_a_change_that_cannot_be_is_no_manifest(sent: Path, changes: list[dict[str, Any]]) -> None:
    with pytest.raises(BenchError):
        _changed(sent, *changes)


@pytest.mark.parametrize("duration_s", [30.0, None])
def test_each_load_has_its_own_figures_and_the_run_is_trusted(sent: Path, duration_s: float | None) -> None:
    """What was asked for is the sum of both; the last one lasts until the run's end, also where it has none."""
    run = _changed(sent, _change(12, 275.0), duration_s=duration_s)
    summary = summarise(run)
    assert [(one["name"], one["from_s"]) for one in summary["stages"]] == [("100/s", 2), ("275/s", 12)]
    end_s = summary["stages"][1]["to_s"]
    assert end_s == pytest.approx(32, abs=0.5)
    asked = (10 * 100 + (end_s - 12) * 275) / (end_s - 2)
    assert summary["trust"]["asked_rate"] == pytest.approx(asked)
    assert not [reason for reason in summary["trust"]["reasons"] if "were asked for" in reason]
    assert len(batch_medians_ms(run, "key")) == 0
    assert run.stage_starts_s == (0.0, 12.0)
    write_report(sent)
    assert "100/s, constant arrivals (changed by hand to 275/s from 12.0 s)" in (sent / "report.html").read_text()


def test_a_rate_that_was_not_reached_is_still_reported(sent: Path) -> None:
    """Of a change too: at 600/s much of it did not begin."""
    found = trust.of(_changed(sent, _change(12, 600.0)))
    assert found.verdict is trust.TrustVerdict.INVALID
    assert any("were asked for" in reason.text for reason in found.reasons)


def test_users_are_a_stage_of_the_closed_model_too(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run", sides=(Side("key"),), rate=100, duration_s=10, warm_up_s=0, closed=True)
    run = _changed(path, _change(4, None, users=80), rate=None)
    assert [span.name for span in stage_spans(run)] == ["50 users", "80 users"]


def test_users_that_came_later_were_not_idle_before(tmp_path: Path) -> None:
    """All that were there were busy: it was the target's doing."""
    path = write_run(tmp_path / "run", sides=(Side("key"),), rate=200, duration_s=10, warm_up_s=0, busy=True)
    before = load_run(path)
    assert (there := busy_share(before)) > 0.5
    later = _change(9.99, 200.0, users=10 * before.plan.users)
    assert busy_share(_changed(path, later, rate=200.0)) == pytest.approx(there, abs=0.05)


def test_it_is_like_no_other_run(sent: Path) -> None:
    """In a diff of runs and for a baseline."""
    before, after = load_run(sent), _changed(sent, _change(12, 275.0))
    assert _LOAD["change by hand"](before) == "none"
    assert _LOAD["change by hand"](after) == "changed by hand to 275/s from 12.0 s"
    assert unlike({}, {"changes by hand": [_change(12, 275.0)]})
