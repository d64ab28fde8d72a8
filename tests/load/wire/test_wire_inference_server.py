"""The wire against Azure ML's real scoring server, and against httpbin."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.load.engine.outcome import classify
from bench.load.engine.payload import Payload
from bench.load.engine.tokens import TokenReader
from tests.load.engine.wiring import Wiring, request_of
from tests.load.wire.gunicorn import RAW_SCORE, httpbin, scoring_server

WORKERS = {"sync": ("-k", "sync"), "gthread": ("-k", "gthread", "--threads", "4")}


@pytest.fixture(scope="module", params=WORKERS)
def scoring(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, bool]]:
    """Scoring URI, and whether this kind of worker keeps connections."""
    with scoring_server(*WORKERS[request.param], folder=tmp_path_factory.mktemp(request.param)) as uri:
        yield uri, request.param != "sync"


def test_scores_and_says_its_time(scoring: tuple[str, bool], wiring: Wiring) -> None:
    """`sync` workers close every connection and `gthread` keeps them; neither is a failure."""
    uri, keeps = scoring
    connection = wiring.connection(uri)
    for turn in range(5):
        seen = wiring.ask(connection, request_of(b'{"data": [1, 2]}', headers="x-ms-client-request-id: 1\r\n"))
        assert (seen.failure, seen.status) == ("", 200), seen.detail
        assert seen.response_bytes == len(json.dumps({"bytes": 16, "big": ""}))
        assert (seen.kept, seen.connected) == (keeps, turn == 0 or not keeps)
        assert float(connection.answer.server_time_ms) >= 0
        assert connection.answer.run_failed is False


def test_a_model_that_raises(scoring: tuple[str, bool], wiring: Wiring) -> None:
    """500 with `x-ms-run-function-failed: True`: the model's error, not the server's."""
    connection = wiring.connection(scoring[0])
    seen = wiring.ask(connection, request_of(b'"raise"'))
    answer = connection.answer
    assert (seen.failure, seen.status, answer.run_failed) == ("", 500, True)
    assert b"scoring script" in answer.body_start
    assert classify(seen.status, reason=answer.reason, run_failed=answer.run_failed)[0] == "model_error"
    assert wiring.ask(connection, request_of(b"{}")).status == 200


def test_a_streamed_answer(scoring: tuple[str, bool], wiring: Wiring) -> None:
    """A scoring script that yields: every event once, each when it came, and not all of them at the end."""
    connection = wiring.connection(scoring[0])
    tokens = connection.answer.sink = TokenReader()
    for _ in range(2):
        seen = wiring.ask(connection, request_of(b'"stream"'))
        assert (seen.failure, seen.status) == ("", 200), seen.detail
        streamed = tokens.take()
        assert streamed is not None
        assert (len(streamed.times_ns), streamed.error, streamed.broken_off) == (6, "", False)
        assert connection.first_byte_ns < streamed.times_ns[0]
        assert streamed.times_ns[-1] - streamed.times_ns[0] > 150_000_000
        assert len(set(streamed.times_ns)) > 2
    assert wiring.ask(connection, request_of(b"{}")).status == 200
    assert tokens.take() is None


def test_big_bodies_both_ways(scoring: tuple[str, bool], wiring: Wiring) -> None:
    """10 MB of input and 10 MB of output."""
    body = json.dumps({"big": 10_000_000, "pad": "x" * 10_000_000}).encode()
    seen = wiring.ask(wiring.connection(scoring[0]), request_of(body))
    assert (seen.failure, seen.status) == ("", 200)
    assert seen.response_bytes == 10_000_000 + len(json.dumps({"bytes": len(body), "big": ""}))


def test_paths_that_are_not_there(scoring: tuple[str, bool], wiring: Wiring) -> None:
    """404 is an answer."""
    assert wiring.ask(wiring.connection(scoring[0]), request_of(path="/nothing")).status == 404


def test_an_image_arrives_as_it_is(tmp_path: Path, wiring: Wiring) -> None:
    """Every byte that there is, framed as `--payload picture.png` frames it, to a script that takes raw HTTP."""
    picture = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 400
    payload = Payload.of(picture, content_type="image/png")
    head = b"POST /score HTTP/1.1\r\nHost: test\r\n" + payload.head + b"1"
    with scoring_server(*WORKERS["gthread"], folder=tmp_path, script=RAW_SCORE) as uri:
        connection = wiring.connection(uri)
        connection.answer.keep_body = True
        for _ in range(2):
            seen = wiring.ask(connection, head + payload.tail)
            assert (seen.failure, seen.status, seen.kept) == ("", 200, True), seen.detail
            received = json.loads(b"".join(connection.answer.pieces))
            assert received == {"kind": "image/png", "sha256": hashlib.sha256(picture).hexdigest()}


@pytest.fixture(scope="module")
def bin_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with httpbin(tmp_path_factory.mktemp("httpbin")) as uri:
        yield uri


@pytest.mark.parametrize("status", [200, 204, 304, 401, 403, 404, 408, 413, 418, 424, 429, 500, 502, 503, 504])
def test_every_status(status: int, bin_uri: str, wiring: Wiring) -> None:
    """With or without a body, twice on one connection."""
    connection = wiring.connection(bin_uri)
    for _ in range(2):
        seen = wiring.ask(connection, request_of(path=f"/status/{status}"))
        assert (seen.failure, seen.status) == ("", status)


def test_httpbin_echoes_what_was_sent(bin_uri: str, wiring: Wiring) -> None:
    """A body of 1 MB comes back, quoted in JSON."""
    seen = wiring.ask(wiring.connection(bin_uri), request_of(b"x" * 1_000_000, path="/post"))
    assert (seen.failure, seen.status) == ("", 200)
    assert seen.response_bytes > 1_000_000


def test_httpbin_delays(bin_uri: str, wiring: Wiring) -> None:
    """A slow answer within the deadline is fine, one beyond it is a timeout."""
    connection = wiring.connection(bin_uri)
    assert wiring.ask(connection, request_of(path="/delay/0.2"), timeout_s=10).status == 200
    seen = wiring.ask(connection, request_of(path="/delay/1"), timeout_s=0.2)
    assert (seen.failure, seen.first_byte) == ("timeout", False)
