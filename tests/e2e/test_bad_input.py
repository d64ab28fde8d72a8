"""Whatever a user gets wrong is one clear line and the design's exit code; never a traceback."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench import cli
from bench.endpoint import AuthMode
from bench.load.roles.preparation import Preparation
from bench.plan.options import RUN_OPTIONS
from tests.e2e.command import Done, bench, clean_environment

NOBODY = "http://127.0.0.1:1/score"
BAD_LINES = '{"fine": 1}\n{"not": \n'
LINE_2 = "bad.jsonl, line 2"


def _is_one_clear_line(done: Done, code: int, *words: str) -> None:
    assert done.code == code, done
    lines = [line for line in done.err.splitlines() if line.strip()]
    assert len(lines) == 1, done.err
    assert lines[0].startswith("error: ")
    for word in words:
        assert word in lines[0]
    assert "Traceback" not in done.out + done.err


def _prepared(_: Path, values: Mapping[str, Any], **__: Any) -> Any:
    """In place of starting Locust: what its process does with its options before it makes the run's folder."""
    ours = {option.dest: values.get(option.dest) or option.default for option in RUN_OPTIONS}
    options = {**ours, "num_users": values["users"]}
    Preparation(SimpleNamespace(shape_class=None), options, default_modes=(AuthMode.KEY,)).prepare(options)
    raise AssertionError("it would have begun")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Runs `bench` in this process."""

    def run(*words: str, **environment: str) -> Done:
        monkeypatch.chdir(tmp_path)
        for name in os.environ.keys() - clean_environment().keys():
            monkeypatch.delenv(name)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("bench.runset.make.run_locust", _prepared)
        code = cli._run(list(words))
        return Done(code, *capsys.readouterr())

    return run


WRONG = [
    ([], 2, ["no target given", "--emulator", "--endpoint", "--scoring-uri"]),
    (["--emulator", "--scoring-uri", NOBODY], 2, ["exclude each other"]),
    (["--endpoint", "ep"], 2, ["subscription id", "config.json"]),
    (["--scoring-uri", "ftp://host/score"], 2, ["not an http(s) URL"]),
    (["--scoring-uri", "http://u:p@host/score"], 2, ["user name or password", "BENCH_KEY"]),
    (["--scoring-uri", NOBODY, "--payload", "missing.json"], 2, ["--payload missing.json", "No such file"]),
    (["--scoring-uri", NOBODY, "--payload", "bad.jsonl"], 2, [LINE_2, "not JSON"]),
    (["--scoring-uri", NOBODY, "--ca-file", "bad.jsonl"], 2, ["--ca-file bad.jsonl"]),
    (["--scoring-uri", "https://127.0.0.1:1/", "--ca-file", "bad.jsonl"], 2, ["--ca-file bad.jsonl"]),
    (["--scoring-uri", NOBODY, "--duration", "soon"], 2, ["--duration", "'soon'"]),
    (["--scoring-uri", NOBODY, "--arrival-rate", "0"], 2, ["--arrival-rate"]),
    (["--scoring-uri", NOBODY, "--stages", "10s"], 2, ["--stages", "30s@100"]),
    (["--scoring-uri", NOBODY, "--auth-mode", "token"], 2, ["'token'", "aml_token"]),
    (["--scoring-uri", NOBODY, "--gate", "latency < 3ms"], 2, ["unknown metric 'latency'"]),
    (["--scoring-uri", NOBODY, "--baseline", "main"], 2, ["no baseline 'main'"]),
    (["--emulator", "--emulator-options=--token-life never"], 2, ["--emulator-options"]),
]
"""Reported before a run has a folder: by `bench`, or by the Locust that it starts."""
WRONG_WHERE_IT_BEGINS = [
    (["--scoring-uri", NOBODY], 4, ["cannot reach", "refused"]),
    (["--scoring-uri", "http://nowhere.invalid/score"], 4, ["cannot reach", "dns"]),
    (["--scoring-uri", NOBODY, "--out", "bad.jsonl/results"], 2, ["cannot write results", "--out"]),
]


@pytest.mark.parametrize(("words", "code", "says"), WRONG)
def test_run(words: list[str], code: int, says: list[str], here: Callable[..., Done], tmp_path: Path) -> None:
    """`bench run` names what is wrong, where, and what to do."""
    (tmp_path / "bad.jsonl").write_text(BAD_LINES)
    _is_one_clear_line(here("run", *words, BENCH_KEY="k"), code, *says)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [*WRONG_WHERE_IT_BEGINS, *(row for row in WRONG if row[2][0] in {"no target given", "--emulator-options", LINE_2})],
)
def test_run_as_processes(words: list[str], code: int, says: list[str], tmp_path: Path) -> None:
    """The same from `bench` and its Locust: all that is reported late, and some of what is reported early."""
    (tmp_path / "bad.jsonl").write_text(BAD_LINES)
    _is_one_clear_line(bench("run", *words, cwd=tmp_path, BENCH_KEY="k"), code, *says)


def test_no_server_for_the_history(tmp_path: Path) -> None:
    """It is asked before anything is sent: no run is made that could not be kept."""
    words = ("run", "--emulator", "--duration", "1s", "--history", "mlflow:perf")
    _is_one_clear_line(bench(*words, cwd=tmp_path), 2, "MLFLOW_TRACKING_URI")
    where = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:1"}
    _is_one_clear_line(bench(*words, cwd=tmp_path, **where), 1, "127.0.0.1:1", "is MLFLOW_TRACKING_URI right")
    assert not (tmp_path / "results").exists()


def test_no_secret(here: Callable[..., Done]) -> None:
    """A bare scoring URI without a secret says which variable holds it, and that it is never an option."""
    _is_one_clear_line(here("run", "--scoring-uri", NOBODY), 3, "BENCH_KEY is not set", "never an option")


class TestAgainstTheEmulator:
    def test_unknown_endpoint(self, emulator: dict[str, Any], workspace: list[str], tmp_path: Path) -> None:
        """ARM's 404 is a wrong option."""
        done = bench("run", "--endpoint", "nope", *workspace, cwd=tmp_path, **emulator["env"])
        _is_one_clear_line(done, 2, "'nope'")

    def test_other_auth_mode(self, emulator: dict[str, Any], workspace: list[str], tmp_path: Path) -> None:
        """An endpoint in another auth mode is not measured under a wrong name."""
        name = emulator["endpoints"]["aml_token"]
        done = bench("run", "--endpoint", name, "--auth-mode", "key", *workspace, cwd=tmp_path, **emulator["env"])
        _is_one_clear_line(done, 2, "uses aml_token, not key", "--auth-mode aml_token")

    def test_unverified_certificate(self, emulator: dict[str, Any], tmp_path: Path) -> None:
        """TLS is verified by default; the error says how to bring an own authority."""
        uri = emulator["scoring_uri_tls"]["key"]
        done = bench("run", "--scoring-uri", uri, cwd=tmp_path, BENCH_KEY="k")
        _is_one_clear_line(done, 4, "tls", "--ca-file")


def test_unreachable_control_plane(tmp_path: Path) -> None:
    """No identity, no credential: exit code 3."""
    done = bench(
        *("run", "--endpoint", "ep", "--subscription-id", "s", "--resource-group", "g", "--workspace", "w"),
        *("--start-timeout", "0"),
        cwd=tmp_path,
        IDENTITY_ENDPOINT="http://127.0.0.1:1/msi",
        IDENTITY_HEADER="x",
        AZUREML_DEV_URL_MFE="http://127.0.0.1:1",
        AZURE_TOKEN_CREDENTIALS="ManagedIdentityCredential",
    )
    _is_one_clear_line(done, 3, "Entra token")


@pytest.mark.parametrize(("mode", "action"), [("key", "listKeys/action"), ("aml_token", "token/action")])
def test_doctor_names_the_missing_action(mode: str, action: str, tmp_path: Path) -> None:
    """A principal that lacks the role action exits 3, with the action and the roles that carry it."""
    done = bench(*("doctor", "--emulator", "--auth-mode", mode, f"--emulator-options=--deny {action}"), cwd=tmp_path)
    _is_one_clear_line(done, 3, f"onlineEndpoints/{action}", "Owner", "Contributor", "custom role")


def test_doctor_is_content_with_a_good_principal(tmp_path: Path) -> None:
    """All checks pass against the emulator, in each auth mode."""
    done = bench("doctor", "--emulator", "--auth-mode", "key,aml_token,aad_token", cwd=tmp_path)
    assert done.code == 0, done
    assert done.out.count("ok   credential") == 3
    assert "FAIL" not in done.out
