"""Baselines: kept small, found again, and refused where they measured something else."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from bench.endpoint import AuthMode
from bench.errors import RunInvalid, UsageError
from bench.gates import baseline
from bench.gates.evaluate import evaluate
from bench.gates.expression import parse
from bench.gates.result import GateVerdict
from bench.plan.request_plan import RequestPlan
from bench.plan.run_plan import RunPlan, Stage, Variant
from tests.gates.summaries import summary, variant

PLAN = RunPlan(
    target="endpoint",
    variants=(Variant(name="key", auth_mode=AuthMode.KEY, endpoint="scorer"),),
    arrival_rate=200.0,
    payload_sha256="a" * 64,
    deployment="blue",
)


def manifest(plan: RunPlan = PLAN, *, kind: str = "endpoint", cpu_model: str = "Xeon") -> dict[str, Any]:
    host = {"cpus": 2, "cpu_model": cpu_model, "hostname": "here"}
    return {"plan": plan.as_json(), "target": {"kind": kind}, "host": host}


def test_a_saved_baseline_judges_a_later_run(tmp_path: Path) -> None:
    """What is saved is what gates on `baseline` need, after a trip through the file."""
    path = baseline.save(summary(), manifest(), name="main", folder=tmp_path)
    assert path == tmp_path / "main.json"
    accepted = baseline.load("main", tmp_path)
    baseline.refuse_unlike(accepted, summary(), manifest())
    results = evaluate([parse("response_time.p99 <= baseline + 10%")], summary(key=variant(p99=140.0)), accepted)
    assert results[0].verdict is GateVerdict.FAIL
    assert accepted.run_id == "20260101-000000-000-beef"


def test_saving_again_replaces(tmp_path: Path) -> None:
    """The baseline moves when somebody moves it."""
    for p99 in (100.0, 90.0):
        baseline.save(summary(key=variant(p99=p99)), manifest(), name="main", folder=tmp_path)
    saved = baseline.load("main", tmp_path).summary
    assert saved["variants"]["key"]["response_time_ms"]["p99"] == 90.0


def test_an_invalid_run_makes_no_baseline(tmp_path: Path) -> None:
    """It says why, exits with 4 and leaves the old baseline alone."""
    baseline.save(summary(), manifest(), name="main", folder=tmp_path)
    with pytest.raises(RunInvalid, match="INVALID and makes no baseline: the client was the bottleneck") as caught:
        baseline.save(summary(trust="INVALID"), manifest(), name="main", folder=tmp_path)
    assert caught.value.exit_code == 4
    assert baseline.load("main", tmp_path).summary["trust"]["verdict"] == "TRUSTED"


STAGES = (Stage(duration_s=30, start_rate=100, end_rate=200),)
OTHER_PLANS = [
    ({"arrival_rate": 300.0}, "arrival rate was 200.0, is 300.0"),
    ({"arrival_rate": None}, "workload model was open, is closed; arrival rate was 200.0, is none"),
    ({"arrivals": "poisson"}, "arrivals was constant, is poisson"),
    ({"arrival_rate": None, "stages": STAGES}, "stages was none, is"),
    ({"users": 21}, "users was 20, is 21"),
    ({"payload_sha256": "b" * 64}, "payload was aaaaaaaaaaaa…, is bbbbbbbbbbbb…"),
    ({"deployment": "green"}, "deployment was blue, is green"),
    ({"variants": (Variant(name="key", auth_mode=AuthMode.AML_TOKEN),)}, "variants was"),
]


@pytest.mark.parametrize(("change", "reason"), OTHER_PLANS)
def test_another_plan_is_refused_with_what_differs(tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    """A regression must not be the difference between two load levels."""
    baseline.save(summary(), manifest(), name="main", folder=tmp_path)
    with pytest.raises(UsageError) as caught:
        baseline.refuse_unlike(
            baseline.load("main", tmp_path), summary(), manifest(dataclasses.replace(PLAN, **change))
        )
    assert reason in caught.value.message
    assert "bench baseline save RUN --as main" in caught.value.hint


def test_another_load_is_refused_before_it_is_sent(tmp_path: Path) -> None:
    """The plan alone tells, minutes earlier; target, variants and payload, not known then, are not held against it."""
    baseline.save(summary(), manifest(), name="main", folder=tmp_path)
    accepted = baseline.load("main", tmp_path)
    baseline.refuse_plan(accepted, dataclasses.replace(PLAN, target="", variants=(), payload_sha256=""))
    with pytest.raises(UsageError, match=r"arrival rate was 200\.0, is 300\.0; users was 20, is 7"):
        baseline.refuse_plan(accepted, dataclasses.replace(PLAN, arrival_rate=300.0, users=7))


def test_another_target_or_schema_is_refused(tmp_path: Path) -> None:
    """The emulator is no baseline for an endpoint, and summaries of two versions may mean two things."""
    baseline.save(summary(), manifest(kind="emulator"), name="main", folder=tmp_path)
    accepted = baseline.load("main", tmp_path)
    with pytest.raises(UsageError, match="target was emulator, is endpoint"):
        baseline.refuse_unlike(accepted, summary(), manifest())
    with pytest.raises(UsageError, match="summary schema was 1, is 2"):
        baseline.refuse_unlike(accepted, summary() | {"schema_version": 2}, manifest(kind="emulator"))


def test_seed_duration_and_endpoint_name_may_differ(tmp_path: Path) -> None:
    """They do not change what is measured; a preview endpoint of a pull request has a name of its own."""
    staged = dataclasses.replace(PLAN, arrival_rate=None, stages=STAGES)
    baseline.save(summary(), manifest(staged), name="main", folder=tmp_path)
    preview = (Variant(name="key", auth_mode=AuthMode.KEY, endpoint="scorer-pr-7"),)
    later = dataclasses.replace(staged, seed=9, duration_s=600.0, variants=preview)
    baseline.refuse_unlike(baseline.load("main", tmp_path), summary(), manifest(later))


def test_another_machine_is_said_and_not_refused(tmp_path: Path) -> None:
    """CI runners differ; whoever reads the verdict must know."""
    baseline.save(summary(), manifest(), name="main", folder=tmp_path)
    accepted = baseline.load("main", tmp_path)
    assert baseline.caveats(accepted, manifest()) == []
    assert baseline.caveats(accepted, manifest(cpu_model="EPYC")) == [
        "baseline main was measured with cpu model Xeon, this run with EPYC"
    ]


@pytest.mark.parametrize(
    ("expression", "allows", "verdict"),
    [
        ("response_time.p99 <= baseline + 50%", (), "INCONCLUSIVE"),
        ("response_time.p99 <= baseline - 50%", (), "INCONCLUSIVE"),
        ("throughput >= baseline - 5%", (), "INCONCLUSIVE"),
        ("response_time.p99 <= baseline + 50%", ("machine",), "PASS"),
        ("error_rate <= baseline + 1%", (), "PASS"),
        ("response_time.p99 < 1s", (), "PASS"),
    ],
)
def test_times_of_another_machine_are_not_decided_on(
    expression: str, allows: tuple[str, ...], verdict: str, tmp_path: Path
) -> None:
    """Neither for the worse nor for the better, unless somebody says that they may be compared."""
    baseline.save(summary(), manifest(), name="main", folder=tmp_path)
    accepted = dataclasses.replace(baseline.load("main", tmp_path), allows=allows)
    here = summary() | {"machine": {"cpus": 2, "cpu_model": "EPYC"}}
    (result,) = evaluate([parse(expression)], here, accepted)
    assert result.verdict == verdict, result.sentence
    if verdict == "INCONCLUSIVE":
        assert "bench compare" in result.sentence
        assert "cpu model Xeon, this run on EPYC" in result.sentence
    (same,) = evaluate([parse(expression)], summary() | {"machine": {"cpus": 2, "cpu_model": "Xeon"}}, accepted)
    assert "not decided" not in same.sentence


@pytest.mark.parametrize("name", ["../main", "", ".hidden", "a/b", "a b"])
def test_a_name_cannot_leave_the_folder(tmp_path: Path, name: str) -> None:
    """Names are file names, not paths."""
    for use in (lambda: baseline.save(summary(), manifest(), name=name, folder=tmp_path), lambda: baseline.load(name)):
        with pytest.raises(UsageError, match="cannot name a baseline"):
            use()


def test_a_missing_baseline_says_which_there_are(tmp_path: Path) -> None:
    """And how to make one."""
    baseline.save(summary(), manifest(), name="main", folder=tmp_path)
    with pytest.raises(UsageError, match=r"no baseline 'mian' in .*; there are: main") as caught:
        baseline.load("mian", tmp_path)
    assert "bench baseline save RUN --as mian" in caught.value.hint


@pytest.mark.parametrize("text", ["not json", "[]", '{"schema_version": 0}', '{"schema_version": 1}'])
def test_a_file_that_is_no_baseline_is_refused(tmp_path: Path, text: str) -> None:
    """An old or broken file is a usage error, never a comparison with nothing."""
    (tmp_path / "main.json").write_text(text)
    with pytest.raises(UsageError):
        baseline.load("main", tmp_path)


def test_no_secret_and_no_path_of_this_machine_is_written(tmp_path: Path) -> None:
    """A baseline is committed: endpoint address, host name and payload path stay out."""
    plan = dataclasses.replace(
        PLAN, payload="/home/me/secret.json", variants=(dataclasses.replace(PLAN.variants[0], scoring_uri="https://x"),)
    )
    path = baseline.save(summary(), manifest(plan), name="main", folder=tmp_path)
    text = path.read_text()
    assert json.loads(text)["workload"]["payload"] == "a" * 64
    for private in ("/home/me", "https://x", "here", "scorer"):
        assert private not in text


def test_a_baseline_may_be_of_another_deployment(tmp_path: Path) -> None:
    """Blue's for green, where a person says so; every other difference is refused as before."""
    green = dataclasses.replace(PLAN, deployment="green")
    baseline.save(summary(), manifest(), name="main", folder=tmp_path)
    found = baseline.load("main", tmp_path)
    with pytest.raises(UsageError, match="deployment was blue, is green"):
        baseline.refuse_plan(found, green)
    allowed = dataclasses.replace(found, allows=("deployment",))
    baseline.refuse_plan(allowed, green)
    baseline.refuse_unlike(allowed, summary(), manifest(green))
    with pytest.raises(UsageError, match=r"something else: arrival rate was 200\.0, is 100\.0$"):
        baseline.refuse_plan(allowed, dataclasses.replace(green, arrival_rate=100.0))


def test_requests_are_part_of_what_was_measured(tmp_path: Path) -> None:
    """Another route, other headers or another request file make another load; a baseline without a word of them is of
    a run that had none."""
    baseline.save(summary(), manifest(), name="main", folder=tmp_path)
    found = baseline.load("main", tmp_path)
    for changed in ({"path": "/other"}, {"headers": (("X-A", "1"),)}, {"content_type": "text/csv"}):
        with pytest.raises(UsageError, match=next(iter(changed)).replace("_", " ")):
            baseline.refuse_plan(found, dataclasses.replace(PLAN, request=RequestPlan(**changed)))
    with_header = dataclasses.replace(PLAN, request=RequestPlan(headers=(("X-A", "1"),), requests_sha256="b" * 64))
    with pytest.raises(UsageError, match="requests was none"):
        baseline.refuse_unlike(found, summary(), manifest(with_header))
    baseline.save(summary(), manifest(with_header), name="main", folder=tmp_path)
    baseline.refuse_unlike(baseline.load("main", tmp_path), summary(), manifest(with_header))
