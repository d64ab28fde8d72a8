"""Figures of classes, deployments and stages: each is that of its own requests, and has an interval."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.analysis import parts
from bench.analysis.parts import Span, in_spans, stage_spans
from bench.analysis.run import LoadedRun
from bench.analysis.summary import summarise
from bench.gates import baseline
from bench.gates.evaluate import evaluate
from bench.gates.expression import parse
from bench.gates.result import GateVerdict
from bench.plan.run_plan import Stage, parse_stages
from bench.report.text import render_table, summary_md
from bench.runreader import load_run
from tests.analysis.synthetic import Side, write_run

EVIL = "</td><script>::error::##vso[task.complete]"
MakeRun = Callable[..., LoadedRun]
MIX = (("small", 0.7, 0.0), ("large", 0.2, 40.0), (EVIL, 0.1, 5.0))
PASS, FAIL, INCONCLUSIVE, NO_DATA = GateVerdict


@pytest.fixture(scope="module")
def mixed_run(tmp_path_factory: pytest.TempPathFactory) -> LoadedRun:
    """Two variants with three classes of requests; one answers 3 % with 503, of every class alike."""
    sides = (Side("key", classes=MIX), Side("aml_token", classes=MIX, outcomes={"server_error": 0.03}))
    return load_run(write_run(tmp_path_factory.mktemp("mixed") / "run", sides=sides, rate=400))


@pytest.fixture(scope="module")
def mixed(mixed_run: LoadedRun) -> dict[str, Any]:
    """Its summary, with the share of requests within 20 ms."""
    return summarise(mixed_run, deadlines_ms=[20.0])


def test_each_class_has_figures_of_its_own(mixed: dict[str, Any]) -> None:
    """Their true medians lie within their intervals, and their requests add up."""
    classes = mixed["variants"]["key"]["classes"]
    assert set(classes) == {"small", "large", EVIL}
    assert sum(one["requests"] for one in classes.values()) == mixed["variants"]["key"]["requests"]
    for name, _, added_ms in MIX:
        around = classes[name]["response_time_ms_interval"]["p50"]
        assert around["low"] - 0.3 < 12.1 + added_ms < around["high"] + 0.3
    failing = mixed["variants"]["aml_token"]["classes"]["large"]
    assert failing["error_rate_interval"]["low"] < 0.03 < failing["error_rate_interval"]["high"]
    assert [kind["outcome"] for kind in failing["failures"]] == ["server_error"]


@pytest.mark.parametrize(
    ("gate", "verdict", "said"),
    [
        ("response_time.p50{class=small} < 20ms", PASS, "response_time.p50{class=small} of aml_token"),
        ("response_time.p50{class=large} < 40ms", FAIL, "which breaks < 40 ms"),
        ("response_time.p99{variant=key, class=large} < 400ms", PASS, "response_time.p99{class=large} of key"),
        ("response_time.p99.9{class=large} < 400ms", NO_DATA, "too few to judge it"),
        ("service_time.p50{class=large} < 60ms", PASS, "meets"),
        ("error_rate{variant=key, class=large} == 0", PASS, "{class=large} of key"),
        ("error_rate{class=large, outcome=server_error} < 0.5%", FAIL, "{class=large, outcome=server_error}"),
        ("error_rate{class=large, status=503} == 0", FAIL, "breaks"),
        ("error_rate{class=large, cause=expired} == 0", PASS, "meets"),
        ("server_error_rate{class=small} <= 10%", PASS, "meets"),
        ("errors{variant=key, class=large} == 0", PASS, "meets"),
        ("auth_failures{class=large} == 0", PASS, "meets"),
        ("requests{class=large} >= 100", PASS, "meets"),
        ("throughput{class=large} > 1/s", PASS, "meets"),
        ("response_time.p50{class=huge} < 1s", NO_DATA, "no request was of that class; there were: "),
        (f'response_time.p50{{class="{EVIL}"}} < 1s', PASS, "meets"),
    ],
)
def test_a_gate_can_be_of_a_class(mixed: dict[str, Any], gate: str, verdict: GateVerdict, said: str) -> None:
    """With or without a variant, an outcome, a cause, a status; what was not measured never passes."""
    parsed = parse(gate)
    assert parse(str(parsed)) == parsed
    [result] = evaluate([parsed], mixed)
    assert (result.verdict, said in result.sentence) == (verdict, True), result.sentence


OF_EVERY_KIND = (
    *("response_time.p50 < 1s", "service_time.p90 < 1s", "error_rate < 1%", "errors < 1"),
    *("server_error_rate < 1%", "within(20ms) > 1%", "requests > 1", "throughput > 1/s"),
)
"""One gate for each way of finding a figure."""


def _of(gate: str, request_class: str) -> str:
    """`gate`, of one class of one variant."""
    subject, condition = gate.split(" ", 1)
    return f"{subject}{{variant=aml_token, class={request_class}}} {condition}"


@pytest.mark.parametrize("gate", OF_EVERY_KIND)
def test_a_gate_of_a_class_measures_that_class(mixed: dict[str, Any], gate: str) -> None:
    """The figure and its interval are those that a run of nothing else would have, and not those of all requests."""
    subject, condition = gate.split(" ", 1)
    whole = f"{subject}{{variant=aml_token}} {condition}"
    found = []
    for name in ("small", "large"):
        alone = {**mixed, "variants": {"aml_token": mixed["variants"]["aml_token"]["classes"][name]}}
        ours, theirs = evaluate([parse(_of(gate, name)), parse(whole)], mixed)
        (expected,) = evaluate([parse(whole)], alone)
        assert ours.measured is not None
        assert (ours.measured, ours.interval, ours.verdict) == (expected.measured, expected.interval, expected.verdict)
        assert (ours.measured, ours.interval) != (theirs.measured, theirs.interval)
        found.append(ours)
    assert found[0].measured != found[1].measured


@pytest.mark.parametrize("gate", ["response_time.p50 <= baseline + 10%", "error_rate <= baseline + 1%"])
def test_a_baseline_keeps_its_classes(mixed_run: LoadedRun, mixed: dict[str, Any], gate: str, tmp_path: Path) -> None:
    """A class is held against the same class; one that the baseline has not is NO_DATA."""
    baseline.save(mixed, mixed_run.manifest, name="main", folder=tmp_path)
    kept = baseline.load("main", tmp_path)
    for name in ("small", "large"):
        (result,) = evaluate([parse(_of(gate, name))], mixed, kept)
        own = result.measured
        assert own is not None
        assert own < result.threshold < own * 1.1 + 0.011  # type: ignore[operator]
    del kept.summary["variants"]["aml_token"]["classes"]["large"]
    (result,) = evaluate([parse(_of(gate, "large"))], mixed, kept)
    assert result.verdict is NO_DATA, result.sentence


def test_without_classes_a_gate_of_one_has_no_data(tmp_path: Path) -> None:
    """It says that there were none, for the word may be a slip."""
    summary = summarise(load_run(write_run(tmp_path / "run", sides=(Side("key"),), rate=50, duration_s=5)))
    assert summary["variants"]["key"]["classes"] == {}
    [result] = evaluate([parse("error_rate{class=large} == 0")], summary)
    assert (result.verdict, result.sentence) == (
        NO_DATA,
        "error_rate{class=large} of key has no data: its requests had no classes",
    )


def test_names_without_end_do_not_make_a_summary_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task that names an item each: the biggest classes are kept."""
    monkeypatch.setattr(parts, "MOST_PARTS", 3)
    kinds = tuple((f"/item/{number}", share, 0.0) for number, share in enumerate((0.4, 0.3, 0.15, 0.1, 0.05)))
    side = Side("key", classes=kinds)
    summary = summarise(load_run(write_run(tmp_path / "run", sides=(side,), rate=100, duration_s=5)))
    assert list(summary["variants"]["key"]["classes"]) == ["/item/0", "/item/1", "/item/2"]


def test_deployments_are_compared_with_intervals(tmp_path: Path) -> None:
    """Against the one that answered most; alike they are not called different."""
    side = Side("key", deployments=("blue", "blue", "green"))
    summary = summarise(load_run(write_run(tmp_path / "run", sides=(side,), rate=300)))
    found = summary["variants"]["key"]["deployments"]
    assert "less" not in found["blue"]
    assert found["green"]["less"]["of"] == "blue"
    p50 = found["green"]["less"]["response_time_ms"]["p50"]
    assert p50["low"] < 0.5
    assert p50["high"] > -0.5
    assert p50["verdict"] in ("EQUIVALENT", "INCONCLUSIVE")


def test_an_invalid_run_concludes_nothing_of_its_deployments(tmp_path: Path) -> None:
    """As of its variants."""
    side = Side("key", deployments=("blue", "green"))
    summary = summarise(load_run(write_run(tmp_path / "run", sides=(side,), rate=200, duration_s=10, reason=None)))
    assert summary["trust"]["verdict"] == "INVALID"
    against = summary["variants"]["key"]["deployments"]["green"]["less"]["response_time_ms"]
    assert {one["verdict"] for one in against.values()} == {"INCONCLUSIVE"}


def test_each_stage_has_figures_of_its_own(tmp_path: Path) -> None:
    """What was due in it, less the warm-up; a stage that lies in the warm-up is left out."""
    stages = tuple(Stage(duration_s=s, start_rate=r, end_rate=r) for s, r in ((2, 100), (10, 100), (20, 100)))
    path = write_run(tmp_path / "run", sides=(Side("key"),), rate=100, duration_s=30, warm_up_s=2, stages=stages)
    stages_block = summarise(load_run(path))["stages"]
    assert [(one["name"], one["from_s"], one["to_s"]) for one in stages_block] == [("100/s", 2, 12), ("100/s", 12, 32)]
    assert [one["variants"]["key"]["requests"] for one in stages_block] == [1000, 2000]
    assert stages_block[0]["variants"]["key"]["response_time_ms_interval"]["p50"]["low"] > 11
    assert stages_block[0]["variants"]["key"]["error_rate_interval"]["low"] == 0


def test_any_stretches_of_a_run_have_figures(tmp_path: Path) -> None:
    """A list of names and times will do, for load that no plan describes; what was not measured is left out."""
    run = load_run(write_run(tmp_path / "run", sides=(Side("key"),), rate=100, duration_s=10, warm_up_s=0))
    spans = [
        Span(name=name, from_s=a, to_s=b) for name, a, b in (("a", -5, 4), ("b", 4, 4), ("c", 4, 99), ("d", 50, 60))
    ]
    stretches = in_spans(run, spans, seed=1)
    assert [(one["name"], one["from_s"], one["variants"]["key"]["requests"]) for one in stretches] == [
        ("a", 0, 400),
        ("c", 4, 600),
    ]


def _with_shape(path: Path, stages: list[dict[str, Any]], *, changes: int) -> Path:
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["shape"] = {"name": "Steps", "changes": changes, "stages": stages}
    (path / "manifest.json").write_text(json.dumps(manifest))
    return path


def _asked(from_s: float, users: int, most: int | None = None) -> dict[str, Any]:
    return {"from_s": from_s, "fewest_users": users, "most_users": most or users, "spawn_rate": 10.0}


@pytest.mark.parametrize("workers", [1, 3])
def test_each_stage_of_a_shape_has_figures_of_its_own(workers: int, tmp_path: Path) -> None:
    """Of all workers together; the last one lasts until the run's end, and one in the warm-up is left out."""
    asked = [_asked(0, 1), _asked(2, 5), _asked(12, 5, 40)]
    made: dict[str, Any] = {"rate": 100, "duration_s": 30, "warm_up_s": 2, "closed": True, "workers": workers}
    path = _with_shape(write_run(tmp_path / "run", sides=(Side("key"),), **made), asked, changes=30)
    summary = summarise(load_run(path))
    rows = summary["stages"]
    assert [(one["name"], one["from_s"], one["to_s"]) for one in rows] == [
        ("5 users", 2, 12),
        ("5 to 40 users", 12, 32),
    ]
    assert sum(one["variants"]["key"]["requests"] for one in rows) == summary["variants"]["key"]["requests"]
    assert rows[0]["variants"]["key"]["requests"] == pytest.approx(1000, abs=5)
    assert rows[0]["variants"]["key"]["response_time_ms_interval"]["p50"]["low"] > 11
    assert summary["shape"] == {"name": "Steps", "changes": 30, "stages": 3}
    for said in (render_table(summary), summary_md(summary)):
        assert "5 to 40 users" in said
        assert "the LoadTestShape Steps asked for 30 different loads: reported in 3 stages" in said


def test_a_run_that_was_stopped_before_the_end_of_its_shape_ended_early(tmp_path: Path) -> None:
    """Its shape is its end, although no duration was given; a run without either is whole."""
    for shape in (False, True):
        path = write_run(tmp_path / f"run-{shape}", rate=50, duration_s=5, closed=True, reason="stopped")
        manifest = json.loads((path / "manifest.json").read_text())
        manifest["plan"]["duration_s"] = None
        (path / "manifest.json").write_text(json.dumps(manifest))
        run = load_run(_with_shape(path, [_asked(0, 5)], changes=1) if shape else path)
        reasons = summarise(run)["trust"]["reasons"]
        assert any("ended early" in reason for reason in reasons) is shape


def test_the_stages_of_a_plan_come_one_after_the_other(make_run: MakeRun) -> None:
    """None without stages."""
    run = make_run(stages=parse_stages("5s@50, 10s@50..100, 5s@100"), duration_s=18, rate=75)
    assert [span.from_s for span in stage_spans(run)] == [0.0, 5.0, 15.0]
    assert stage_spans(make_run(rate=20, duration_s=2)) == []
