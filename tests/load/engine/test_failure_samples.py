"""The first failure of each kind: what is kept of it, and what never is."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from urllib.parse import quote

import pytest

from bench.failure_sample import AnswerDetails
from bench.load.engine.blot import blot, blot_location
from bench.load.engine.failure_samples import MOST_KINDS, FailureSamples, details_of
from bench.load.wire.answer import Answer
from bench.report.words import failure_detail

SECRET = "k3y-Of The/endpoint+42"
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJlLXdpdGgtbG90cw"
HEX = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


def answer_of(raw: bytes) -> Answer:
    answer = Answer()
    answer.feed(raw)
    return answer


@pytest.mark.parametrize(
    "text",
    [
        f"bad key {SECRET}",
        f"bad key {quote(SECRET, safe='')}",
        f"you sent {SECRET[:-3]}",  # only the start of a body is kept
        f"Authorization: Bearer {SECRET}",
        "Authorization: bearer abc",
        f"token {JWT} is not for us",
        f"cut off: {JWT[:60]}",
        f"signature {HEX}",
        "key " + base64.b64encode(hashlib.sha512(b"1").digest()).decode(),
        "key " + base64.b64encode(hashlib.sha512(b"2").digest()).decode().replace("/", "7").replace("+", "x"),
        '{"password": "hunter2"}',
        '{"client_secret":"hunter2", "x": 1}',
        "callback?sig=hunter2&x=1",
        "api_key=hunter2",
    ],
)
def test_no_secret_is_kept(text: str) -> None:
    """The one that was sent, in every form; and whatever looks like somebody else's."""
    shown = blot(text, SECRET, most=200)
    assert "***" in shown
    for hidden in (SECRET, SECRET[:8], quote(SECRET, safe=""), JWT[:20], HEX[:20], "hunter2", "bearer abc"):
        assert hidden not in shown
    assert not any(len(word) >= 30 for word in shown.split())


@pytest.mark.parametrize(
    "text",
    [
        "no such deployment: blue-deployment-of-the-west-europe-endpoint",
        "request 1b4e28ba-2fa1-11d2-883f-0016d3cca427 failed",
        "upstream connect error or disconnect/reset before headers. reset reason: connection timeout",
        "ImportError: cannot import name 'DecisionTreeClassifier' from sklearn.tree._classes",
        "/subscriptions/1b4e28ba-2fa1-11d2-883f-0016d3cca427/resourceGroups/rg/onlineEndpoints/my-endpoint",
    ],
)
def test_what_explains_a_failure_is_kept(text: str) -> None:
    """Words, names and GUIDs are no secrets."""
    assert blot(text, SECRET, most=200) == text


def test_a_line_for_a_terminal() -> None:
    """No colour, no new line, no CI command at a line's start, and no more than asked for."""
    shown = blot("\x1b[31mred\x1b[0m\r\n::error::no\x00\u202e" + "x" * 500, "", most=200)
    assert shown.isprintable()
    assert len(shown) == 200
    assert not shown.startswith("::")


def test_a_redirect_keeps_host_and_path() -> None:
    """Its query and its password may be secrets."""
    assert blot_location("https://me:pw@host:8443/score?code=abc", "", most=200) == "https://host:8443/score?***"
    assert blot_location("/elsewhere", "", most=200) == "/elsewhere"


def test_an_answer_in_full() -> None:
    """Everything a person would look for first."""
    answer = answer_of(
        b"HTTP/1.1 100 Continue\r\nserver: no\r\n\r\n"
        b"HTTP/1.1 424 Failed Dependency\r\nServer: azureml-frontdoor\r\nx-request-id: 1b4e28ba-2fa1\r\n"
        b"ms-azureml-model-error-statuscode: 500\r\nms-azureml-model-error-reason: model_error\r\n"
        b"Location: https://host/x?y=z\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\nNameError"
    )
    details = details_of(answer, detail="", secret=SECRET)
    assert details == AnswerDetails(
        reason="Failed Dependency",
        location="https://host/x?***",
        model_status="500",
        model_reason="model_error",
        server="azureml-frontdoor",
        request_id="1b4e28ba-2fa1",
        content_type="text/plain",
        body="NameError",
    )


def test_what_a_budget_says_of_itself() -> None:
    """How long to wait and what is left; a server that repeats the secret there, or says too much, does not get far."""
    many = b"".join(b"x-ratelimit-more-%b: 1\r\n" % bytes([letter]) for letter in range(97, 117))
    answer = answer_of(
        b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nX-RateLimit-Remaining-Tokens: 0\r\n"
        b"x-ratelimit-limit-tokens: "
        + SECRET.encode()
        + b"\r\nx-ratelimit-!|odd: 1\r\n"
        + many
        + b"Content-Length: 0\r\n\r\n"
    )
    details = details_of(answer, detail="", secret=SECRET)
    assert details.retry_after == "7"
    assert details.limits.startswith("remaining-tokens 0, limit-tokens ***, more-a 1, ")
    assert details.limits.count(",") == 7
    assert failure_detail({"outcome": "throttled", "cause": "rate", "status": 429, **asdict(details)}).startswith(
        "asks to wait 7 s, remaining-tokens 0, "
    )


@pytest.mark.parametrize(
    ("status_line", "body", "said"),
    [
        (b"422 Unprocessable Entity", b"", '"Unprocessable Entity"'),  # as it was called until RFC 9110
        (b"503 The model warms up", b"", '"The model warms up"'),
        (b"503 Service unavailable", b"", ""),
        (b"422 Unprocessable Entity", b"no field x", '"no field x"'),
    ],
)
def test_a_phrase_of_the_server_s_own(status_line: bytes, body: bytes, said: str) -> None:
    """It is shown where it says more than the status does, and nothing else says more than it."""
    answer = answer_of(b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status_line, len(body), body))
    details = details_of(answer, detail="", secret=SECRET)
    status = int(status_line[:3])
    kind = {"outcome": "unexpected", "cause": "", "status": status, **asdict(details)}
    assert failure_detail(kind) == said


def test_an_answer_in_pieces() -> None:
    """A head that comes byte by byte is the same head."""
    answer = Answer()
    for byte in b"HTTP/1.1 404 Not Found\r\nserver: s\r\nContent-Length: 2\r\n\r\nno":
        answer.feed(bytes([byte]))
    details = details_of(answer, detail="", secret="")
    assert (details.reason, details.server, details.body) == ("Not Found", "s", "no")


def test_no_answer_at_all() -> None:
    """What the system said; and of what was no HTTP, its start."""
    assert details_of(Answer(), detail="Connection refused", secret="").reason == "Connection refused"
    answer = Answer()
    with pytest.raises(Exception, match="Expected HTTP"):
        answer.feed(b"SSH-2.0-OpenSSH_9.6\r\n")
    details = details_of(answer, detail="Expected HTTP/", secret="")
    assert (details.reason, details.body) == ("Expected HTTP/", "SSH-2.0-OpenSSH_9.6")


def test_the_first_of_a_kind_is_kept_and_all_are_counted(tmp_path: Path) -> None:
    """The file has a line a kind, is written when there is a new one, and has all counts in the end."""
    path = tmp_path / "failures" / "w0.jsonl"
    samples = FailureSamples(path, whose={"run_id": "r", "worker": "w0"})
    samples.write(all_counts=True)
    assert not path.exists()
    for number in range(3):
        samples.add("key", ("unexpected", "http_404", 404), at_ns=10 + number, details=AnswerDetails(body=str(number)))
    samples.write()
    samples.add("key", ("unexpected", "http_404", 404), at_ns=20, details=AnswerDetails())
    samples.write()
    (line,) = (json.loads(text) for text in path.read_text().splitlines())
    assert (line["count"], line["first_ns"], line["last_ns"], line["body"]) == (3, 10, 12, "0")
    samples.add("aml_token", ("unexpected", "http_404", 404), at_ns=20, details=AnswerDetails())
    samples.write(all_counts=True)
    lines = [json.loads(text) for text in path.read_text().splitlines()]
    assert [(line["variant"], line["count"]) for line in lines] == [("key", 4), ("aml_token", 1)]
    assert lines == samples.rows()
    assert {(line["run_id"], line["worker"]) for line in lines} == {("r", "w0")}


def test_a_server_that_makes_up_statuses_fills_no_memory(tmp_path: Path) -> None:
    """Kinds beyond the limit are not kept; those that are go on counting."""
    samples = FailureSamples(tmp_path / "w0.jsonl")
    for status in [*range(400, 400 + 2 * MOST_KINDS), 400]:
        samples.add("key", ("unexpected", "", status), at_ns=1, details=AnswerDetails())
    assert len(samples.rows()) == MOST_KINDS
    assert samples.rows()[0]["count"] == 2


def test_a_full_disk_ends_nothing() -> None:
    """The explanation is lost, and nothing else."""
    samples = FailureSamples(Path("/dev/full/w0.jsonl"))
    samples.add("key", ("unexpected", "", 404), at_ns=1, details=AnswerDetails())
    samples.write()
    assert len(samples.rows()) == 1
