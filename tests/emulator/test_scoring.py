"""The data plane over real sockets: statuses, headers, and HTTP as clients really speak it."""

from __future__ import annotations

import http.client
import json
import re
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.emulator.process import BODY, Answer, EmulatorProcess, emulator, pending, read_truth, until

MODES = ("key", "aml_token", "aad_token")
GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def raw(running: EmulatorProcess, sent: bytes, *, stop_sending: bool = False) -> bytes:
    """What comes back for these bytes, until the server closes or a second passes without any."""
    address = urlsplit(running.said["scoring_uri"]["key"])
    with socket.create_connection((address.hostname, address.port), timeout=1) as client:
        client.sendall(sent)
        if stop_sending:
            client.shutdown(socket.SHUT_WR)
        received = b""
        try:
            while chunk := client.recv(65536):
                received += chunk
        except TimeoutError:
            pass
        return received


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("tls", [False, True])
def test_every_auth_mode_scores_over_http_and_tls(healthy: EmulatorProcess, mode: str, tls: bool):
    """The right credential gets the prediction, with the headers of a managed endpoint."""
    answer = healthy.score(mode, healthy.secret(mode), tls=tls, x_ms_client_request_id="run-1-7")
    assert (answer.status, answer.json) == (200, {"predictions": [0.5]})
    headers = answer.headers
    assert headers["server"] == "azureml-frontdoor"
    assert headers["azureml-model-deployment"] == "blue"
    assert headers["x-ms-run-function-failed"] == "False"
    assert float(headers["x-ms-run-fn-exec-ms"]) >= 0
    assert GUID.fullmatch(headers["x-request-id"])
    assert headers["x-ms-client-request-id"] == "run-1-7"


@pytest.mark.parametrize(
    ("secret", "text"), [("wrong", "key_auth_access_denied"), (None, "key_auth_bad_header_forbidden")]
)
def test_a_wrong_or_missing_key_is_401_in_plain_text(healthy: EmulatorProcess, secret: str | None, text: str):
    """The body is no JSON, and tells no more than Azure's does."""
    answer = healthy.score("key", secret)
    assert (answer.status, answer.headers["content-type"], answer.body.decode()) == (401, "text/plain", text)


def test_a_credential_of_another_mode_is_refused_with_the_reason_in_the_log(healthy: EmulatorProcess):
    """The client hears 401; the refusal log names the request and why."""
    tried = {
        "a": ("key", healthy.secret("aml_token"), "unknown_key"),
        "b": ("aml_token", healthy.secret("aad_token"), "audience"),
        "c": ("aad_token", healthy.msi_token("https://management.azure.com"), "audience"),
        "d": ("aml_token", "nonsense", "malformed"),
        "e": ("aad_token", None, "missing_header"),
    }
    for request_id, (mode, secret, _) in tried.items():
        assert healthy.score(mode, secret, x_ms_client_request_id=request_id).status == 401
    log = healthy.admin("GET", "refusals")
    reasons = {record["x-ms-client-request-id"]: record["reason"] for record in log}
    assert {request_id: reasons[request_id] for request_id in tried} == {key: it[2] for key, it in tried.items()}


@pytest.mark.parametrize(
    ("sent", "echoed"), [("a" * 50, "a" * 40), ("ok-_1", "ok-_1"), ("not allowed", None), ("a/b", None)]
)
def test_client_request_ids_are_cut_at_40_and_checked(healthy: EmulatorProcess, sent: str, echoed: str | None):
    """Only letters, digits, hyphen and underscore count."""
    answer = healthy.score("key", healthy.secret("key"), x_ms_client_request_id=sent)
    assert answer.headers.get("x-ms-client-request-id") == echoed


def test_a_deployment_is_pinned_by_header(healthy: EmulatorProcess):
    """The answer names the deployment; one that does not exist is 404, as is a path that is not /score."""
    secret = healthy.secret("key")
    assert healthy.score("key", secret).headers["azureml-model-deployment"] == "blue"
    pinned = healthy.score("key", secret, azureml_model_deployment="green")
    assert pinned.headers["azureml-model-deployment"] == "green"
    assert healthy.score("key", secret, azureml_model_deployment="red").status == 404
    headers = {"Authorization": f"Bearer {secret}"}
    elsewhere = healthy.said["scoring_uri"]["key"].replace("/score", "/elsewhere")
    assert healthy.call(elsewhere, method="POST", headers=headers, body=BODY).status == 404
    assert healthy.call(healthy.said["scoring_uri"]["key"], method="PUT", headers=headers, body=BODY).status == 405


def test_limits_are_answered_as_azure_answers_them():
    """No traffic 404; too long 408; more than twice the slots in flight 429; all with counts that add up."""
    with emulator("--traffic", "blue=0", "--service-zero") as running:
        answer = running.score("key", running.secret("key"))
        assert (answer.status, "positive traffic weight" in answer.body.decode()) == (404, True)
    options = ("--service-base", "8s", "--service-exponential", "0", "--request-timeout", "4s")
    with emulator(*options, "--instances", "2", "--max-concurrent-requests", "1") as running:
        secret = running.secret("key")
        with ThreadPoolExecutor(8) as pool:
            answers: list[Answer] = list(pool.map(lambda _: running.score("key", secret), range(8)))
        statuses = sorted(answer.status for answer in answers)
        assert statuses == [408] * 4 + [429] * 4
        timed_out = next(answer for answer in answers if answer.status == 408)
        assert timed_out.body == b"upstream request timeout"
        refused = next(answer for answer in answers if answer.status == 429)
        assert refused.headers["ms-azureml-model-error-reason"] == "too_many_pending_request"
        assert running.admin("GET", "stats")["endpoints"]["ep-key"]["answers"] == {"408": 4, "429": 4}


def test_slots_bound_what_runs_at_once(tmp_path: Path):
    """With two slots and 50 ms of service a third answer comes 100 ms after the first arrival at the soonest."""
    options = ("--service-base", "50ms", "--service-exponential", "0", "--instances", "2")
    truth = tmp_path / "truth"
    with emulator(*options, "--max-concurrent-requests", "1", "--truth", str(truth)) as running:
        secret = running.secret("key")
        with ThreadPoolExecutor(4) as pool:
            assert {answer.status for answer in pool.map(lambda _: running.score("key", secret), range(4))} == {200}
    records = read_truth(truth)
    answered_ns = sorted(record.answered_ns for record in records)
    assert answered_ns[2] - min(record.received_ns for record in records) >= 100_000_000


def test_a_rate_limit_is_429_without_pending():
    """Beyond the endpoint's requests a second the answer is 429 and another reason."""
    with emulator("--service-zero", "--rate-limit", "5") as running:
        secret = running.secret("key")
        answers = [running.score("key", secret) for _ in range(20)]
        refused = [answer for answer in answers if answer.status == 429]
        assert refused
        assert refused[0].headers["ms-azureml-model-error-reason"] == "rate_limited"


def test_a_deployment_can_be_slower_than_another():
    """A known difference between deployments, for comparisons whose answer is known."""
    with emulator("--service-zero", "--traffic", "blue=50", "green=50", "--slow-deployment", "green=50ms") as running:
        secret = running.secret("key")
        took_ms = {
            name: float(running.score("key", secret, azureml_model_deployment=name).headers["x-ms-run-fn-exec-ms"])
            for name in ("blue", "green")
        }
        assert took_ms["green"] >= 50
        assert took_ms["green"] - took_ms["blue"] > 40


def request(secret: str, *lines: str, version: str = "1.1", body: bytes = BODY) -> bytes:
    length = f"Content-Length: {len(body)}"
    head = [f"POST /score HTTP/{version}", "Host: x", f"Authorization: Bearer {secret}", length, *lines]
    return ("\r\n".join(head) + "\r\n\r\n").encode() + body


def test_pipelined_requests_are_answered_in_order(healthy: EmulatorProcess):
    """Two thousand requests in one go get two thousand answers, each its own id in turn."""
    secret = healthy.secret("key")
    count = 2000
    sent = b"".join(request(secret, f"x-ms-client-request-id: n{number}") for number in range(count))
    answered = re.findall(rb"x-ms-client-request-id: n(\d+)", raw(healthy, sent))
    assert [int(number) for number in answered] == list(range(count))


def test_http_as_clients_speak_it(healthy: EmulatorProcess):
    """Chunked bodies, 100-continue, HTTP/1.0, an empty header, and nonsense."""
    secret = healthy.secret("key")
    head = f"POST /score HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {secret}\r\n".encode()
    chunked = raw(healthy, head + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
    assert chunked.startswith(b"HTTP/1.1 200 OK")
    assert b"connection: close" in chunked
    expecting = raw(healthy, request(secret, "Expect: 100-continue", "Connection: close"))
    assert expecting.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")
    assert b"connection: close" in raw(healthy, request(secret, version="1.0"))
    assert raw(healthy, b"nonsense\r\n\r\n").startswith(b"HTTP/1.1 400")
    assert raw(healthy, request(secret).replace(secret.encode(), b"")).startswith(b"HTTP/1.1 401")


def test_a_client_that_only_stopped_sending_gets_its_answer():
    """It closes its half while the request is in service, and is answered when that is over."""
    with emulator("--service-base", "50ms") as running:
        assert raw(running, request(running.secret("key")), stop_sending=True).startswith(b"HTTP/1.1 200 OK")


def test_a_client_that_went_away_harms_nobody():
    """Its slot is free again when its service is over, and the next client is served."""
    with emulator("--service-base", "50ms", "--instances", "1", "--max-concurrent-requests", "1") as running:
        secret = running.secret("key")
        address = urlsplit(running.said["scoring_uri"]["key"])
        with socket.create_connection((address.hostname, address.port)) as client:
            client.sendall(request(secret))
        assert running.score("key", secret).status == 200
        until(lambda: pending(running) == 0)


def test_a_connection_is_kept_open(healthy: EmulatorProcess):
    """Ten requests go through one connection."""
    address = urlsplit(healthy.said["scoring_uri"]["key"])
    connection = http.client.HTTPConnection(address.netloc, timeout=20)
    headers = {"Authorization": f"Bearer {healthy.secret('key')}"}
    connection.connect()
    local = connection.sock.getsockname()
    for _ in range(10):
        connection.request("POST", "/score", body=BODY, headers=headers)
        assert connection.getresponse().read()
        assert connection.sock.getsockname() == local
    connection.close()


def test_big_bodies_go_both_ways():
    """Ten megabytes each way arrive whole."""
    size = 10_000_000
    with emulator("--service-zero", "--response-bytes", str(size)) as running:
        headers = {"Authorization": f"Bearer {running.secret('key')}"}
        answer = running.call(
            running.said["scoring_uri"]["key"], method="POST", headers=headers, body=b"[" + b"1," * (size // 2) + b"1]"
        )
        assert answer.status == 200
        assert len(json.loads(answer.body)["padding"]) == size


def test_curl_scores_with_the_ca(healthy: EmulatorProcess):
    """curl verifies the certificate against the CA made on the fly, and refuses it without."""
    command = [
        "curl",
        "-sS",
        "--noproxy",
        "*",
        "-d",
        BODY.decode(),
        "-H",
        f"Authorization: Bearer {healthy.secret('key')}",
    ]
    uri = healthy.said["scoring_uri_tls"]["key"]
    done = subprocess.run([*command, "--cacert", healthy.said["ca_file"], uri], capture_output=True, check=True)
    assert json.loads(done.stdout) == {"predictions": [0.5]}
    assert subprocess.run([*command, uri], capture_output=True, check=False).returncode == 60
