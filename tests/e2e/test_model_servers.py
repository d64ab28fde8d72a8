"""Whole runs against MLflow's scoring server, MLServer and LLM Katan: their routes, their bodies, what they refuse."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.command import Done, bench
from tests.e2e.model_servers import llm_katan, mlflow, mlserver

pytestmark = pytest.mark.slow
REQUESTS = 20
INFER = "/v2/models/m/infer"
TENSOR = '{"inputs": [{"name": "x", "shape": [1, 2], "datatype": "INT64", "data": [1, 2]}]}'


@pytest.fixture(scope="module")
def mlflow_base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with mlflow(tmp_path_factory.mktemp("mlflow")) as base:
        yield base


@pytest.fixture(scope="module")
def mlserver_base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with mlserver(tmp_path_factory.mktemp("mlserver")) as base:
        yield base


def _run(base: str, *words: str, body: str, cwd: Path) -> tuple[Done, dict[str, Any]]:
    """A run of `REQUESTS` requests with `body`; what it said, and the figures of its only variant."""
    (cwd / "body.json").write_text(body)
    load = ("--arrival-rate", "10", "--duration", f"{REQUESTS // 10}s", "--warm-up", "0", "--payload", "body.json")
    done = bench("run", "--scoring-uri", f"{base}/score", *load, *words, cwd=cwd, BENCH_KEY="k")
    assert "report: " in done.out + done.err, done
    return done, done.summary_at(cwd)["variants"]["key"]


def _frame(*columns: str) -> str:
    return json.dumps({"dataframe_split": {"columns": columns, "data": [[1, 2][: len(columns)]]}})


def _was_refused(done: Done, figures: dict[str, Any], *, status: int, cause: str, words: str) -> None:
    """Every request, and nobody could take the run for a measurement."""
    assert done.code == 4, done
    assert f"100 % failed: {status} " in done.out
    assert words in done.out
    (failure,) = figures["failures"]
    assert (failure["status"], failure["cause"], failure["count"]) == (status, cause, REQUESTS)
    assert words in failure["body"]


@pytest.mark.parametrize(
    ("words", "body"),
    [
        ([], _frame("a", "b")),
        (["--content-type", "text/csv"], "a,b\n1,2\n"),
    ],
    ids=["dataframe_split", "csv"],
)
def test_mlflow_scores(words: list[str], body: str, mlflow_base: str, tmp_path: Path) -> None:
    """A frame as JSON and as CSV; the sum in every answer shows that it arrived as it was meant."""
    expected = ("--path", "/invocations", "--expect-body", r'"predictions": \[3\]')
    _, figures = _run(mlflow_base, *expected, *words, body=body, cwd=tmp_path)
    assert figures["outcomes"] == {"ok": REQUESTS}


def test_mlflow_refuses_a_wrong_frame(mlflow_base: str, tmp_path: Path) -> None:
    """400 for a column that is missing: no request is ok, and both summary and terminal tell the server's words."""
    done, figures = _run(mlflow_base, "--path", "/invocations", body=_frame("a"), cwd=tmp_path)
    _was_refused(done, figures, status=400, cause="bad_request", words="INVALID_PARAMETER_VALUE")


def test_mlserver_infers(mlserver_base: str, tmp_path: Path) -> None:
    """The V2 protocol at the route that it prescribes."""
    expected = ("--path", INFER, "--expect-body", r'"data":\[3\]')
    _, figures = _run(mlserver_base, *expected, body=TENSOR, cwd=tmp_path)
    assert figures["outcomes"] == {"ok": REQUESTS}


def test_mlserver_refuses_a_wrong_input(mlserver_base: str, tmp_path: Path) -> None:
    """422 for an input without shape, type and data."""
    done, figures = _run(mlserver_base, "--path", INFER, body='{"inputs": [{"name": "x"}]}', cwd=tmp_path)
    _was_refused(done, figures, status=422, cause="unprocessable", words="Field required")


def test_llm_katan_converses(tmp_path: Path) -> None:
    """It counts the words of all messages: each turn came with every answer before it, and some turns fail."""
    (tmp_path / "server").mkdir()
    asked = ("--prompt-tokens", "10", "--turns", "3", "--chat-fields", '{"model": "m"}', "--prompts", "40")
    with llm_katan(tmp_path / "server", "--ttft-ms", "20", "--itl-ms", "1", "--error-rate", "0.1") as base:
        load = ("--users", "4", "--duration", "5s", "--warm-up", "0")
        uri = ("--scoring-uri", f"{base}/v1/chat/completions")
        done = bench("run", *uri, *asked, *load, cwd=tmp_path, BENCH_KEY="k")
    assert done.code in {0, 4}, done
    figures = done.summary_at(tmp_path)["variants"]["key"]
    lengths = [figures["classes"][f"turn {turn}"]["streams"]["lengths"] for turn in (1, 2, 3)]
    answer = lengths[0]["output_tokens"]["most"]
    assert [one["prompt_tokens"]["most"] for one in lengths] == [10, 20 + answer, 30 + 2 * answer]
    assert [one["prompt_tokens"]["least"] for one in lengths] == [10, 20 + answer, 30 + 2 * answer]
    ended = figures["conversations"]["ended"]
    assert ended["whole"] > 0
    assert ended["turn_failed"] == figures["requests"] - figures["outcomes"]["ok"] > 0
    assert figures["service_time_to_first_token_ms"]["p50"] >= 20
