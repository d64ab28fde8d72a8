"""Whatever a user gets wrong is one clear line and the design's exit code; never a traceback."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.command import Done, bench

NOBODY = "http://127.0.0.1:1/score"


def _is_one_clear_line(done: Done, code: int, *words: str) -> None:
    assert done.code == code, done
    lines = [line for line in done.err.splitlines() if line.strip()]
    assert len(lines) == 1, done.err
    assert lines[0].startswith("error: ")
    for word in words:
        assert word in lines[0]
    assert "Traceback" not in done.out + done.err


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ([], 2, ["no target given", "--emulator", "--endpoint", "--scoring-uri"]),
        (["--emulator", "--scoring-uri", NOBODY], 2, ["exclude each other"]),
        (["--endpoint", "ep"], 2, ["subscription id", "config.json"]),
        (["--scoring-uri", NOBODY], 4, ["cannot reach", "refused"]),
        (["--scoring-uri", "http://nowhere.invalid/score"], 4, ["cannot reach", "dns"]),
        (["--scoring-uri", "ftp://host/score"], 2, ["not an http(s) URL"]),
        (["--scoring-uri", "http://u:p@host/score"], 2, ["user name or password", "BENCH_KEY"]),
        (["--scoring-uri", NOBODY, "--payload", "missing.json"], 2, ["--payload missing.json", "No such file"]),
        (["--scoring-uri", NOBODY, "--payload", "bad.jsonl"], 2, ["bad.jsonl, line 2", "not JSON"]),
        (["--scoring-uri", NOBODY, "--out", "bad.jsonl/results"], 2, ["cannot write results", "--out"]),
        (["--scoring-uri", NOBODY, "--ca-file", "bad.jsonl"], 2, ["--ca-file bad.jsonl"]),
        (["--scoring-uri", "https://127.0.0.1:1/", "--ca-file", "bad.jsonl"], 2, ["--ca-file bad.jsonl"]),
        (["--scoring-uri", NOBODY, "--duration", "soon"], 2, ["--duration", "'soon'"]),
        (["--scoring-uri", NOBODY, "--arrival-rate", "0"], 2, ["--arrival-rate"]),
        (["--scoring-uri", NOBODY, "--stages", "10s"], 2, ["--stages", "30s@100"]),
        (["--scoring-uri", NOBODY, "--auth-mode", "token"], 2, ["'token'", "aml_token"]),
        (["--scoring-uri", NOBODY, "--gate", "latency < 3ms"], 2, ["unknown metric 'latency'"]),
        (["--scoring-uri", NOBODY, "--baseline", "main"], 2, ["no baseline 'main'"]),
        (["--emulator", "--emulator-options=--token-life never"], 2, ["--emulator-options"]),
    ],
)
def test_run(words: list[str], code: int, says: list[str], tmp_path: Path) -> None:
    """`bench run` names what is wrong, where, and what to do."""
    (tmp_path / "bad.jsonl").write_text('{"fine": 1}\n{"not": \n')
    _is_one_clear_line(bench("run", *words, cwd=tmp_path, BENCH_KEY="k"), code, *says)


def test_no_server_for_the_history(tmp_path: Path) -> None:
    """It is asked before anything is sent: no run is made that could not be kept."""
    words = ("run", "--emulator", "--duration", "1s", "--history", "mlflow:perf")
    _is_one_clear_line(bench(*words, cwd=tmp_path), 2, "MLFLOW_TRACKING_URI")
    where = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:1"}
    _is_one_clear_line(bench(*words, cwd=tmp_path, **where), 1, "127.0.0.1:1", "is MLFLOW_TRACKING_URI right")
    assert not (tmp_path / "results").exists()


def test_no_secret(tmp_path: Path) -> None:
    """A bare scoring URI without a secret says which variable holds it, and that it is never an option."""
    _is_one_clear_line(
        bench("run", "--scoring-uri", NOBODY, cwd=tmp_path), 3, "BENCH_KEY is not set", "never an option"
    )


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
