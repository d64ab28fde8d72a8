"""What failed is counted by kind, with what the first of each kind said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.analysis import outcomes
from bench.analysis.summary import summarise
from bench.gates.evaluate import judge
from bench.gates.expression import parse
from bench.report import words
from bench.runreader import load_run
from bench.sample import Outcome
from tests.analysis.synthetic import Side, write_run

KINDS = (Side("key", outcomes={Outcome.SERVER_ERROR: 0.3, Outcome.MODEL_ERROR: 0.1}, auth_failures={"no_lease": 0.05}),)


def _record(**fields: Any) -> str:
    return json.dumps({"variant": "key", "cause": "", "count": 1, "first_ns": 5, "last_ns": 5, **fields}) + "\n"


def test_each_kind_has_its_count_share_and_what_the_first_of_it_said(tmp_path: Path) -> None:
    """The earliest record of all workers counts; junk, other variants and unknown kinds are passed over."""
    folder = write_run(tmp_path / "run", sides=KINDS, rate=200, duration_s=10)
    (folder / "failures").mkdir()
    early = _record(outcome="server_error", status=503, body="early\x1b[31m ##vso[x]\n::error::", server="nginx")
    late = _record(outcome="server_error", status=503, body="late", first_ns=9)
    junk = "[1]\n{\n" + json.dumps({"variant": 3, "status": "x"}) + "\n" + _record(outcome="ok", status="503")
    (folder / "failures" / "w0.jsonl").write_text(late + junk)
    (folder / "failures" / "w1.jsonl").write_text(early)
    run = load_run(folder)
    found = outcomes.failures(run, "key")
    assert [(kind["outcome"], kind["status"]) for kind in found] == [
        ("server_error", 503),
        ("model_error", 424),
        ("auth_failure", 0),
    ] or found[2]["cause"] == "no_lease"
    assert sum(kind["count"] for kind in found) == int((~run.samples.where("outcome", "ok") & run.measured).sum())
    assert all(kind["low"] < kind["share"] < kind["high"] for kind in found)
    assert found[0]["body"] == "early [31m ##vso[x] ::error::"
    assert found[0]["server"] == "nginx"


def test_a_gate_can_ask_for_one_outcome_cause_or_status(tmp_path: Path) -> None:
    """`error_rate` narrowed; a cause that never occurred passes `== 0` and has an interval."""
    summary = summarise(load_run(write_run(tmp_path / "run", sides=KINDS, rate=200, duration_s=10)))
    for text, verdict in (
        ("error_rate{cause=no_lease} == 0", "FAIL"),
        ("error_rate{cause=no_lease} < 20%", "PASS"),
        ("error_rate{cause=expired} == 0", "PASS"),
        ("error_rate{outcome=server_error} < 10%", "FAIL"),
        ("error_rate{status=424} < 1%", "FAIL"),
        ("error_rate{variant=key, outcome=server_error, status=503} > 20%", "PASS"),
        ("error_rate{outcome=model_error, status=503} == 0", "PASS"),
    ):
        gate = parse(text)
        assert str(parse(str(gate))) == str(gate)
        assert judge(gate, summary).verdict == verdict, text


def test_the_first_sentence_names_the_fault_and_its_share(tmp_path: Path) -> None:
    """Most frequent first; what all of them are is in the figure."""
    summary = summarise(load_run(write_run(tmp_path / "run", sides=KINDS, rate=200, duration_s=10)))
    said = words.failure_sentence(summary)
    assert said.endswith(")")
    assert "% failed: 503 Service Unavailable (" in said
    assert "424 Failed Dependency (" in said


def test_no_failure_and_no_request_are_said_too(tmp_path: Path) -> None:
    """A run without a failure says so; two variants share one sentence."""
    summary = summarise(load_run(write_run(tmp_path / "run", rate=100, duration_s=5)))
    assert words.failure_sentence(summary) == "no request failed (500 requests)"
    for block in summary["variants"].values():
        block["requests"] = 0
    assert words.failure_sentence(summary) == "no request was measured"
