"""A streaming deployment of the emulator, from `bench compare` to the report: key against token on the first token."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.runreader import load_run
from tests.e2e.command import bench

CHATS = '{"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 8}\n'


@pytest.mark.slow
def test_what_token_auth_adds_to_the_first_token(tmp_path: Path) -> None:
    """40 ms that only tokens pay; streams that break off or fail are listed, and are in no figure of the tokens."""
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
        failure_kinds = {(kind["outcome"], kind["cause"]) for kind in block["failures"]}
        assert {("transport_error", "cut"), ("model_error", "stream")} <= failure_kinds
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


@pytest.mark.slow
def test_conversations_of_made_prompts(tmp_path: Path) -> None:
    """Two workers: the server counts every turn with all that was said before it; a stream that breaks off ends one."""
    words = (
        "--prompt-tokens",
        "20",
        "--output-tokens",
        "4",
        "--shared-prefix",
        "30",
        "--turns",
        "3",
        "--prompts",
        "40",
    )
    done = bench(
        *("run", "--emulator", *words, "--think-time", "10ms", "--users", "6", "--duration", "3s", "--warm-up", "0"),
        *("--processes", "2", "--seed", "7", "--gate", 'error_rate{class="turn 3"} < 90%'),
        "--emulator-options=--stream-fault cut=10 --first-token-base 5ms --first-token-exponential 1ms",
        cwd=tmp_path,
    )
    assert done.code in {0, 4}, done  # the latter on a machine this busy
    summary = done.summary_at(tmp_path)
    block = summary["variants"]["key"]
    for turn in (1, 2, 3):
        lengths = block["classes"][f"turn {turn}"]["streams"]["lengths"]
        prompt = 30 + 20 * turn + 4 * (turn - 1)
        assert (lengths["prompt_tokens"]["least"], lengths["prompt_tokens"]["most"]) == (prompt, prompt)
        assert (lengths["output_tokens"]["least"], lengths["output_tokens"]["most"]) == (4, 4)
    ended = block["conversations"]["ended"]
    assert ended["whole"] > 0
    assert ended["turn_failed"] == block["requests"] - block["outcomes"]["ok"] == block["outcomes"]["transport_error"]
    assert block["conversations"]["count"] == sum(ended.values()) == block["classes"]["turn 1"]["requests"]
    assert ended.keys() <= {"whole", "turn_failed", "run_ended"}
    assert summary["prompts"]["prompt_tokens"] == {"least": 20, "p50": 20, "mean": 30, "p99": 50, "most": 50}
    plan = json.loads((tmp_path / done.run / "manifest.json").read_text())["plan"]["request"]
    assert (plan["prompts"]["turns"], plan["think_s"]) == ("3", 0.01)


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
