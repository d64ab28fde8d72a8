"""A streaming deployment of the emulator, from `bench compare` to the report: key against token on the first token."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.runreader import load_run
from tests.e2e.command import bench

CHATS = '{"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 8}\n'


def test_what_token_auth_adds_to_the_first_token(tmp_path: Path) -> None:
    """40 ms that only tokens pay; streams that break off or fail are told, and are in no figure of the tokens."""
    (tmp_path / "chats.jsonl").write_text(CHATS)
    done = bench(
        *("compare", "--emulator", "--chat", "chats.jsonl", "--arrival-rate", "60", "--duration", "6s"),
        *("--warm-up", "0", "--idle-timeout", "2s", "--goodput", "time_to_first_token < 5s"),
        "--emulator-options=--stream-fault cut=10 error=10 --first-token-exponential 1ms --token-validation-delay 40ms",
        *("--gate", "time_to_first_token_overhead.p50 > 20ms"),
        cwd=tmp_path,
    )
    assert done.code in {0, 4, 11}, done  # the last two on a machine this busy
    summary = done.summary_at(tmp_path)
    for block in summary["variants"].values():
        assert block["streams"]["whole"] == block["outcomes"]["ok"]
        assert block["streams"]["answers"] > block["streams"]["whole"]
        assert block["streams"]["output_tokens"] == 8 * block["outcomes"]["ok"]
        assert block["streams"]["tokens_from"] == {"usage": block["outcomes"]["ok"]}
        told = {(kind["outcome"], kind["cause"]) for kind in block["failures"]}
        assert {("transport_error", "cut"), ("model_error", "stream")} <= told
        assert block["goodput"]["requests"] <= block["outcomes"]["ok"]
        assert block["service_time_to_first_token_ms"]["p50"] >= 50
    found = summary["comparison"]["time_to_first_token_ms"]["p50"]
    assert found["low"] < found["estimate"]
    assert found["estimate"] > 20
    run = load_run(tmp_path / done.run)
    assert run.problems == ()
    assert len(run.gaps) == run.manifest["chunks"]["w0"]
    ok = sum(block["outcomes"]["ok"] for block in summary["variants"].values())
    assert len(run.gaps) >= 7 * ok
    page = (tmp_path / done.run / "report.html").read_text()
    assert "Tokens of streamed answers" in page
    failures = [json.loads(line) for line in (tmp_path / done.run / "failures" / "w0.jsonl").read_text().splitlines()]
    assert any("CUDA out of memory" in kind["reason"] for kind in failures)
    assert any("events" in kind["reason"] for kind in failures if kind["cause"] == "cut")


@pytest.mark.quiet
def test_one_millisecond_more_to_the_first_token_is_found(tmp_path: Path) -> None:
    """Of a chat deployment behind a key and one behind an aad_token: WORSE, and the gaps are as they were."""
    (tmp_path / "chats.jsonl").write_text(CHATS)
    done = bench(
        *("compare", "--emulator", "--auth-mode", "key,aad_token", "--chat", "chats.jsonl"),
        *("--path", "/v1/chat/completions", "--arrival-rate", "400", "--users", "300"),
        *("--warm-up", "2s", "--duration", "30s", "--gate", "time_to_first_token_overhead.p50 < 0.5ms"),
        "--emulator-options=--first-token-exponential 5ms --token-validation-delay 1ms",
        cwd=tmp_path,
        timeout_s=200,
    )
    assert done.code == 10, done
    found = done.summary_at(tmp_path)["comparison"]
    assert found["time_to_first_token_ms"]["p50"]["verdict"] == "WORSE"
    assert 0.5 < found["time_to_first_token_ms"]["p50"]["low"] < 1.2
    assert found["inter_token_latency_ms"]["p50"]["verdict"] == "EQUIVALENT"
