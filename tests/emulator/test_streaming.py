"""Streamed answers: in OpenAI's form, on a known schedule, true to the token, and broken where that was asked for."""

from __future__ import annotations

import http.client
import itertools
import json
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.emulator.process import emulator, pending, read_true_streams, until

SCHEDULE = (
    *("--first-token-base", "20ms", "--first-token-exponential", "0"),
    *("--token-gap-base", "4ms", "--token-gap-exponential", "1ms"),
)
CHAT: dict[str, Any] = {"messages": [{"role": "user", "content": "four words are here"}], "stream": True}


def events_of(body: bytes) -> list[Any]:
    """The data of each event; `[DONE]` as it is."""
    assert body.endswith(b"\n\n")
    texts = [block.removeprefix(b"data: ") for block in body.split(b"\n\n")[:-1]]
    return [text.decode() if text == b"[DONE]" else json.loads(text) for text in texts]


def tokens_of(events: list[Any]) -> int:
    return sum(
        bool(choice["delta"].get("content"))
        for event in events
        if event != "[DONE]"
        for choice in event.get("choices", ())
    )


def test_a_stream_and_its_truth(tmp_path: Path):
    """As many tokens as were asked for, usage where it was; every token's time is in the truth, on its schedule."""
    truth = tmp_path / "truth"
    with emulator(*SCHEDULE, "--stream-tokens", "5", "--truth", str(truth)) as running:
        secret = running.secret("key")
        plain = running.chat(secret, CHAT | {"stream": False})
        default = running.chat(secret, CHAT, request_id="default")
        asked = CHAT | {"max_tokens": 8, "stream_options": {"include_usage": True}}
        longer = running.chat(secret, asked, request_id="longer", path="/score")
        refused = [running.chat(secret, CHAT | {name: 100_001}) for name in ("max_tokens", "max_completion_tokens")]
        assert pending(running) == 0
        kept = running.admin("GET", "stats")["endpoints"]["ep-key"]
    assert plain.headers["content-type"] == "application/json"
    assert default.headers["content-type"].startswith("text/event-stream")
    events = events_of(default.body)
    assert (tokens_of(events), events[-1]) == (5, "[DONE]")
    assert [event["choices"][0]["finish_reason"] for event in events[:-1]] == [None] * 6 + ["stop"]
    longer_events = events_of(longer.body)
    assert tokens_of(longer_events) == 8
    assert longer_events[-2]["usage"] == {"prompt_tokens": 4, "completion_tokens": 8, "total_tokens": 12}
    streams = {stream.request_id: stream for stream in read_true_streams(truth)}
    assert {name: len(stream.tokens) for name, stream in streams.items()} == {"default": 5, "longer": 8}
    for stream in streams.values():
        dues = [due for due, _ in stream.tokens]
        assert dues[0] == stream.received_ns + 20_000_000
        assert all(later - sooner >= 4_000_000 for sooner, later in itertools.pairwise(dues))
        assert all(sent >= due for due, sent in stream.tokens)
    assert kept["deployments"]["blue"]["scored"] == 3
    assert [(answer.status, answer.json["error"]["param"]) for answer in refused] == [
        (400, "max_tokens"),
        (400, "max_completion_tokens"),
    ]


@pytest.mark.parametrize("fault", ["cut", "error", "hang"])
def test_streams_that_end_badly(fault: str):
    """Cut off, with an error in the midst, or never; the slot is free again."""
    with emulator(*SCHEDULE, "--stream-fault", f"{fault}=100") as running:
        secret = running.secret("key")
        if fault == "error":
            events = events_of(running.chat(secret, CHAT).body)
            assert "error" in events[-2]
            assert 1 <= tokens_of(events) <= 64
        elif fault == "cut":
            with pytest.raises(http.client.IncompleteRead):
                running.chat(secret, CHAT)
        else:
            running_out = http.client.HTTPConnection(running.said["scoring_uri"]["key"].split("/")[2], timeout=1.5)
            head = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
            running_out.request("POST", "/score", body=json.dumps(CHAT), headers=head)
            with pytest.raises(TimeoutError):
                running_out.getresponse().read()
            running_out.close()
        until(lambda: pending(running) == 0)


def test_a_client_that_leaves_frees_its_slot():
    """Nobody generates for it."""
    with emulator(*SCHEDULE, "--stream-tokens", "100000") as running:
        secret = running.secret("key")
        client = http.client.HTTPConnection(running.said["scoring_uri"]["key"].split("/")[2], timeout=10)
        head = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
        client.request("POST", "/score", body=json.dumps(CHAT), headers=head)
        assert client.getresponse().read(10)
        client.close()
        until(lambda: pending(running) == 0)


@pytest.mark.parametrize(
    "words", [("--stream-fault", "nap=1"), ("--stream-fault", "cut=101"), ("--stream-tokens", "0")]
)
def test_options_that_cannot_be(words: tuple[str, str]):
    """One line, exit 2."""
    from bench.emulator.options import parse

    with pytest.raises(SystemExit) as ended:
        parse(words)
    assert ended.value.code == 2


def test_a_client_that_does_not_read_holds_nobody_up():
    """The others' tokens come meanwhile, and it has all of its own when it reads at last."""
    tokens = 40_000  # more than a socket holds
    body = json.dumps(CHAT | {"max_tokens": tokens}).encode()
    with emulator("--first-token-base", "0", "--token-gap-base", "0", "--token-gap-exponential", "0") as running:
        secret = running.secret("key")
        where = urlsplit(running.said["scoring_uri"]["key"])
        with socket.create_connection((where.hostname, where.port)) as slow:
            head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {secret}\r\n"
            slow.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            until(lambda: running.admin("GET", "stats")["endpoints"]["ep-key"]["deployments"]["blue"]["scored"] == 1)
            assert tokens_of(events_of(running.chat(secret, CHAT | {"max_tokens": 8}).body)) == 8
            answer = http.client.HTTPResponse(slow)
            answer.begin()
            assert answer.read().count(b'" token"') == tokens
