"""What a command says: one JSON object for a machine, only bad news with -q, and the same exit codes with all of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench import cli, schemas
from bench.report import plots
from bench.rundir import RunDir
from bench.runset import make
from tests.analysis.synthetic import Side, write_run

GATE = ("--gate", "response_time.p50 < 1ms")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A stored run; nothing is drawn."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plots, "draw", lambda *_: {})
    write_run(tmp_path / "run", rate=60, duration_s=4, sides=(Side("key"), Side("aml_token")), seed=1)
    return "run"


def answer(capsys: pytest.CaptureFixture[str]) -> tuple[dict[str, Any], str]:
    """The object on standard output, as its schema has it, and what standard error got."""
    said = capsys.readouterr()
    return schemas.decode(said.out.encode(), schemas.Result), said.err


def test_a_result_for_a_machine(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output holds it and nothing else; what people read is on standard error."""
    assert cli._run(["gate", run, *GATE, "--json"]) == 10
    found, err = answer(capsys)
    assert (found["exit_code"], found["error"], found["run_id"]) == (10, "", "run")
    assert [gate["verdict"] for gate in found["gates"]] == ["FAIL"]
    assert set(found["variants"]) == {"key", "aml_token"}
    assert found["comparisons"][0]["candidate"] == "aml_token"
    assert "FAIL response_time.p50" in err
    assert "report: run/report.html" in err


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["gate", "missing", *GATE], 2, "missing/manifest.json does not exist"),
        (["gate", "run", "--gate", "latency < 3"], 2, "unknown metric"),
        (["gate", "run", "--config", "nope.toml"], 2, "nope.toml cannot be read"),
        (["run"], 2, "no target given"),
    ],
)
def test_a_failure_for_a_machine(
    words: list[str], code: int, says: str, run: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever goes wrong, a script gets its object; a line for people stays on standard error."""
    assert cli._run([*words, "--json"]) == code
    found, err = answer(capsys)
    assert found["exit_code"] == code
    assert says in found["error"]
    assert err == f"error: {found['error']}\n"


def test_what_a_ci_server_obeys_stays_out_of_the_answer(
    run: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert cli._run(["gate", run, *GATE, "--json"]) == 10
    assert "::error" in answer(capsys)[1]


def test_a_run_that_did_not_begin(
    run: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Locust has said why on standard error; the object says that nothing was measured."""
    monkeypatch.setattr(make, "run_locust", lambda *_, **__: (None, 3))
    assert cli._run(["run", "--emulator", "--json"]) == 3
    assert answer(capsys)[0]["error"] == "the run did not begin: standard error says why"


def test_quiet_says_what_went_wrong(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A gate that passed, and the way to the report, are no news; one that failed is."""
    assert cli._run(["gate", run, "-q", "--gate", "requests > 1"]) == 0
    assert capsys.readouterr() == ("", "")
    assert cli._run(["gate", run, "-q", *GATE, "--gate", "requests > 1"]) == 10
    said = capsys.readouterr()
    assert [line.split(":")[0] for line in said.out.splitlines()] == ["FAIL response_time.p50 < 1ms"]


def test_quiet_is_quiet_about_no_invalid_run(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = RunDir(Path(run)).manifest
    values = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**values, "ended": {**values["ended"], "reason": "lost"}, "lost_samples": 10**6}))
    assert cli._run(["gate", run, "-q", "--gate", "requests > 1"]) == 4
    assert "INVALID" in capsys.readouterr().out


def test_verbose_says_where_settings_came_from(
    run: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not their values, of which some are secret."""
    monkeypatch.setattr(make, "run_locust", lambda *_, **__: (None, 4))
    Path("bench.toml").write_text("[run]\nemulator = true\n")
    assert cli._run(["run", "-v", "--duration", "1s"]) == 4
    err = capsys.readouterr().err
    assert "--emulator is from bench.toml line 2 [run]" in err
    assert "--duration is from command line" in err
    with pytest.raises(SystemExit):
        cli._run(["run", "-v", "-q"])


def test_the_worst_exit_code_is_the_answers(
    run: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of Locust counts beside those of gates, trust and ending, in the object as for the shell."""
    monkeypatch.setattr(make, "run_locust", lambda *_, **__: (RunDir(Path(run)), 1))
    assert cli._run(["run", "--emulator", "--json", *GATE]) == 1
    found, _ = answer(capsys)
    assert (found["exit_code"], found["gates"][0]["verdict"]) == (1, "FAIL")
