"""Every fault, done to the running emulator over its admin interface, and what a client then meets."""

from __future__ import annotations

import json
import socket
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest

from tests.emulator.process import Answer, EmulatorProcess, emulator, pending, read_truth, until


def msi(running: EmulatorProcess) -> Answer:
    env = running.said["env"]
    url = f"{env['IDENTITY_ENDPOINT']}?api-version=2019-08-01&resource=https://ml.azure.com"
    return running.call(url, headers={"X-IDENTITY-HEADER": env["IDENTITY_HEADER"]})


def last_reason(running: EmulatorProcess) -> str:
    return str(running.admin("GET", "refusals")[-1]["reason"])


def test_a_rotated_key_is_refused(healthy: EmulatorProcess):
    """Primary, secondary, both: the replaced ones are 401 with the reason `rotated`, the listed ones score."""

    def keys() -> tuple[str, str]:
        listed = healthy.arm("POST", "/onlineEndpoints/ep-key/listKeys").json
        return listed["primaryKey"], listed["secondaryKey"]

    for which, kept in (("primary", [False, True]), ("secondary", [True, False]), ("both", [False, False])):
        before = keys()
        healthy.fault(do="rotate_key", key=which)
        assert [healthy.score("key", key).status == 200 for key in before] == kept
        assert [healthy.score("key", key).status for key in keys()] == [200, 200]
        refused = [record["reason"] for record in healthy.admin("GET", "refusals")[-kept.count(False) :]]
        assert refused == ["rotated"] * kept.count(False)


@pytest.mark.parametrize(
    ("tokens", "good"),
    [
        ("aml_token", (False, True, True)),
        ("aad_token", (True, False, True)),
        ("arm", (True, True, False)),
        ("all", (False, False, False)),
    ],
)
def test_revoked_tokens_are_refused_early(healthy: EmulatorProcess, tokens: str, good: tuple[bool, bool, bool]):
    """Tokens of that kind stop working at once, others go on, and new ones are good."""
    aml, aad, arm = (
        healthy.secret("aml_token"),
        healthy.secret("aad_token"),
        healthy.msi_token("https://management.azure.com"),
    )
    healthy.fault(do="revoke_tokens", tokens=tokens)
    statuses = (
        healthy.score("aml_token", aml).status,
        healthy.score("aad_token", aad).status,
        healthy.arm("GET", "/onlineEndpoints/ep-key", token=arm).status,
    )
    assert statuses == tuple(200 if ok else 401 for ok in good)
    if not good[0]:
        assert healthy.admin("GET", "stats")["endpoints"]["ep-aml-token"]["refusals"]["revoked"] >= 1
    assert healthy.score("aml_token", healthy.secret("aml_token")).status == 200
    assert healthy.score("aad_token", healthy.secret("aad_token")).status == 200


def test_a_role_is_removed_and_given_back(healthy: EmulatorProcess):
    """While it lasts the action is 403, other actions are not."""
    healthy.fault(do="deny", action="listkeys/action")
    assert healthy.arm("POST", "/onlineEndpoints/ep-key/listKeys").status == 403
    assert healthy.arm("GET", "/onlineEndpoints/ep-key").status == 200
    healthy.admin("DELETE", "faults")
    assert healthy.arm("POST", "/onlineEndpoints/ep-key/listKeys").status == 200


def test_scoring_with_entra_needs_the_score_action(healthy: EmulatorProcess):
    """Without it the Entra token is refused as forbidden (401 by Azure's table, 403 by option); keys do not need it."""
    healthy.fault(do="deny", action="score/action")
    assert healthy.score("aad_token", healthy.secret("aad_token")).status == 401
    assert last_reason(healthy) == "forbidden"
    assert healthy.score("key", healthy.secret("key")).status == 200
    with emulator("--deny", "score/action", "--denied-score-status", "403") as running:
        assert running.score("aad_token", running.secret("aad_token")).status == 403


def test_the_auth_mode_is_switched_on_the_live_endpoint(healthy: EmulatorProcess):
    """The key endpoint turns to aml_token: keys are refused, ARM says so, and a token of that endpoint scores."""
    key = healthy.secret("key")
    healthy.fault(do="auth_mode", endpoint="key", to="aml_token")
    assert healthy.arm("GET", "/onlineEndpoints/ep-key").json["properties"]["authMode"] == "AMLToken"
    assert healthy.score("key", key).status == 401
    token = healthy.arm("POST", "/onlineEndpoints/ep-key/token").json["accessToken"]
    assert healthy.score("key", token).status == 200
    healthy.admin("DELETE", "faults")
    assert healthy.score("key", key).status == 200


@pytest.mark.parametrize("by_s", [-600, 600])
def test_a_skewed_clock_shows_in_date_and_token_times(healthy: EmulatorProcess, by_s: int):
    """Both are shifted by the same ten minutes, and the tokens are as good as ever."""
    before = healthy.secret("aml_token")
    healthy.fault(do="clock_skew", by=f"{by_s}s")
    answer = healthy.arm("POST", "/onlineEndpoints/ep-aml-token/token")
    said_s = parsedate_to_datetime(answer.headers["date"]).timestamp()
    assert said_s - time.time() == pytest.approx(by_s, abs=10)
    assert answer.json["expiryTimeUtc"] - said_s == pytest.approx(3600, abs=10)
    scored = healthy.score("aml_token", answer.json["accessToken"])
    assert scored.status == 200
    assert parsedate_to_datetime(scored.headers["date"]).timestamp() - time.time() == pytest.approx(by_s, abs=10)
    assert healthy.score("aml_token", before).status == 200
    healthy.admin("DELETE", "faults")
    assert healthy.score("aml_token", answer.json["accessToken"]).status == 200


@pytest.mark.parametrize("answer", [400, 401, 429, 500, 503])
def test_identity_fails_with_a_status(healthy: EmulatorProcess, answer: int):
    """The status, Entra's error form, and Retry-After where it was scripted."""
    healthy.fault(do="identity", answer=answer, retry_after=2)
    refused = msi(healthy)
    assert (refused.status, refused.headers["retry-after"]) == (answer, "2")
    assert {"error", "error_description"} <= set(refused.json)
    healthy.admin("DELETE", "faults")
    assert msi(healthy).status == 200


def test_identity_answers_nonsense_or_late(healthy: EmulatorProcess):
    """A cut-off body is no JSON; a slow answer is right and takes its delay."""
    healthy.fault(do="identity", answer="malformed")
    with pytest.raises(ValueError):
        _ = msi(healthy).json
    healthy.admin("DELETE", "faults")
    healthy.fault(do="identity", answer="slow", delay="200ms")
    began = time.monotonic()
    assert msi(healthy).status == 200
    assert time.monotonic() - began >= 0.2


@pytest.mark.parametrize("plane", ["identity", "arm"])
def test_connections_are_dropped_refused_or_left_hanging(healthy: EmulatorProcess, plane: str):
    """Each network fault looks as it does in the wild, and ends with the fault."""
    token = healthy.msi_token("https://management.azure.com")

    def ask() -> int:
        if plane == "identity":
            return msi(healthy).status
        return healthy.arm("GET", "/onlineEndpoints/ep-key", token=token).status

    healthy.fault(do=plane, answer="drop")
    with pytest.raises(ConnectionError):
        ask()
    healthy.admin("DELETE", "faults")
    healthy.fault(do=plane, answer="refuse")
    with pytest.raises(ConnectionRefusedError):
        ask()
    healthy.admin("DELETE", "faults")
    until(lambda: _connects(healthy, plane))
    healthy.fault(do=plane, answer="hang")
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(ask)
        until(lambda: healthy.admin("GET", "log")[-1]["fault"] == "hang")
        assert not hanging.done()
        healthy.admin("DELETE", "faults")
        assert isinstance(hanging.exception(timeout=10), ConnectionError)
    assert ask() == 200


def _connects(running: EmulatorProcess, plane: str) -> bool:
    name = running.said["env"]["IDENTITY_ENDPOINT" if plane == "identity" else "AZUREML_DEV_URL_MFE"]
    port = int(name.split(":")[2].split("/")[0])
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (401, "InvalidAuthenticationToken"),
        (403, "AuthorizationFailed"),
        (404, "ResourceNotFound"),
        (409, "Conflict"),
        (429, "SubscriptionRequestsThrottled"),
        (500, "InternalServerError"),
        (503, "ServiceUnavailable"),
    ],
)
def test_arm_fails_with_a_status(healthy: EmulatorProcess, answer: int, code: str):
    """Only the scripted operation fails; Retry-After comes when it was scripted and not otherwise."""
    token = healthy.msi_token("https://management.azure.com")
    healthy.fault(do="arm", answer=answer, operation="token")
    refused = healthy.arm("POST", "/onlineEndpoints/ep-aml-token/token", token=token)
    assert (refused.status, refused.json["error"]["code"]) == (answer, code)
    assert "retry-after" not in refused.headers
    assert healthy.arm("POST", "/onlineEndpoints/ep-key/listKeys", token=token).status == 200
    healthy.fault(do="arm", answer=answer, retry_after=3)
    assert healthy.arm("POST", "/onlineEndpoints/ep-key/listKeys", token=token).headers["retry-after"] == "3"


def test_arm_answers_late_or_nonsense(healthy: EmulatorProcess):
    """Slow: right after its delay. Malformed: a body that is no JSON."""
    token = healthy.msi_token("https://management.azure.com")
    healthy.fault(do="arm", answer="malformed", operation="listkeys")
    answer = healthy.arm("POST", "/onlineEndpoints/ep-key/listKeys", token=token)
    assert answer.status == 200
    with pytest.raises(ValueError):
        _ = answer.json
    healthy.admin("DELETE", "faults")
    healthy.fault(do="arm", answer="slow", delay="200ms")
    began = time.monotonic()
    assert healthy.arm("POST", "/onlineEndpoints/ep-key/listKeys", token=token).status == 200
    assert time.monotonic() - began >= 0.2


def test_arm_sends_times_that_nobody_should_believe(healthy: EmulatorProcess):
    """Missing, past, after the expiry, absurdly far: the token itself is good all the same."""

    def times(answer: str) -> dict[str, Any]:
        healthy.admin("DELETE", "faults")
        healthy.fault(do="arm", answer=answer, operation="token")
        token = healthy.arm("POST", "/onlineEndpoints/ep-aml-token/token").json
        assert healthy.score("aml_token", token["accessToken"]).status == 200
        return dict(token)

    assert not {"expiryTimeUtc", "refreshAfterTimeUtc"} & set(times("missing_times"))
    assert times("expired_times")["expiryTimeUtc"] < time.time()
    upside_down = times("refresh_after_expiry")
    assert upside_down["refreshAfterTimeUtc"] > upside_down["expiryTimeUtc"] > time.time()
    assert times("far_times")["expiryTimeUtc"] > time.time() + 1e12


def test_nothing_is_answered_in_a_stall(healthy: EmulatorProcess):
    """A request that comes in a stall, good or refused, is answered when it is over."""
    secret = healthy.secret("key")
    healthy.fault(do="stall", lasts="400ms", for_="1m")
    began = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda given: healthy.score("key", given), (secret, "wrong")))
    assert [answer.status for answer in answers] == [200, 401]
    took_s = time.monotonic() - began
    assert took_s > 0.2, "the stall had 0.4 s to go when it was posted"


def test_a_stall_posted_meanwhile_holds_what_is_in_service():
    """A request of 300 ms that meets a stall of 500 ms takes 800."""
    with emulator("--service-base", "300ms", "--service-exponential", "0") as running:
        secret = running.secret("key")
        with ThreadPoolExecutor(1) as pool:
            scoring = pool.submit(running.score, "key", secret)
            until(lambda: pending(running) == 1)
            running.fault(do="stall", lasts="500ms")
            answer = scoring.result()
        assert float(answer.headers["x-ms-run-fn-exec-ms"]) >= 795


def test_validation_delay_is_paid_by_tokens_only(tmp_path: Path):
    """50 ms more for both token modes, by option or fault, outside the service time; nothing for keys."""
    truth = tmp_path / "truth"
    with emulator("--service-zero", "--token-validation-delay", "50ms", "--truth", str(truth)) as running:
        for mode in ("key", "aml_token", "aad_token"):
            secret = running.secret(mode)
            answers = [running.score(mode, secret, x_ms_client_request_id=mode) for _ in range(5)]
            assert min(float(answer.headers["x-ms-run-fn-exec-ms"]) for answer in answers) < 50
        running.fault(do="validation_delay", by="100ms")
        running.score("aml_token", running.secret("aml_token"), x_ms_client_request_id="fault")
    took_ms: dict[str, list[float]] = {}
    for record in read_truth(truth):
        took_ms.setdefault(record.request_id, []).append((record.answered_ns - record.received_ns) / 1e6)
    assert min(took_ms["key"]) < 50 <= min(took_ms["aml_token"] + took_ms["aad_token"])
    assert took_ms["fault"][0] >= 100


def test_a_failing_model_is_424_with_two_headers(healthy: EmulatorProcess):
    """The container's status and a word for it; only for the deployment named, and for the share named."""
    secret = healthy.secret("key")
    healthy.fault(do="model", answer=500, deployment="green")
    assert healthy.score("key", secret).status == 200
    answer = healthy.score("key", secret, azureml_model_deployment="green")
    assert answer.status == 424
    assert answer.headers["ms-azureml-model-error-statuscode"] == "500"
    assert answer.headers["ms-azureml-model-error-reason"] == "model_error"
    healthy.admin("DELETE", "faults")
    healthy.fault(do="model", answer=503, share=0.5)
    statuses = [healthy.score("key", secret).status for _ in range(60)]
    assert 10 < statuses.count(424) < 50
    healthy.admin("DELETE", "faults")
    healthy.fault(do="model", answer="slow", delay="10ms")
    assert float(healthy.score("key", secret).headers["x-ms-run-fn-exec-ms"]) >= 10


def test_a_script_runs_from_its_file_and_anew_from_every_start(tmp_path: Path):
    """Its zero is the emulator's start; POST /admin/start makes it happen again from then."""
    script = tmp_path / "faults.yaml"
    script.write_text(
        "faults:\n"
        "  - {at: 0.1, do: rotate_key, key: primary}\n"
        "  - {at: 0.2, for: 0.2, do: arm, answer: 503, operation: listkeys}\n"
        "  - {at: 1h, do: revoke_tokens}\n"
    )
    with emulator("--faults", str(script)) as running:
        token = running.msi_token("https://management.azure.com")

        def phases() -> list[str]:
            return [row["phase"] for row in running.admin("GET", "faults")["faults"]]

        until(lambda: phases() == ["over", "over", "waiting"])
        before = running.arm("POST", "/onlineEndpoints/ep-key/listKeys", token=token).json["primaryKey"]
        zero_ns = running.admin("POST", "start")["zero_ns"]
        assert 0 <= time.monotonic_ns() - zero_ns < 60e9
        assert phases()[0] == "waiting"
        until(lambda: running.arm("POST", "/onlineEndpoints/ep-key/listKeys", token=token).status == 503)
        until(lambda: phases() == ["over", "over", "waiting"])
        after = running.arm("POST", "/onlineEndpoints/ep-key/listKeys", token=token).json["primaryKey"]
        assert after != before


def test_a_bad_fault_is_refused_over_http(healthy: EmulatorProcess):
    """400 with the reason, and nothing is changed."""
    request = urllib.request.Request(f"{healthy.said['admin']}/faults", data=b'{"do": "explode"}', method="POST")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=20)
    assert caught.value.code == 400
    assert "unknown `do: explode`" in json.load(caught.value)["error"]
    assert healthy.admin("GET", "faults") == {"faults": []}


def test_it_fails_twice_and_recovers(healthy: EmulatorProcess):
    """ARM, identity and the model: the first answers are spoilt, the next is good."""

    def keys() -> int:
        return healthy.arm("POST", "/onlineEndpoints/ep-key/listKeys").status

    token, key = healthy.msi_token("https://management.azure.com"), healthy.secret("key")
    healthy.fault(do="arm", answer="503", operation="listkeys", times=2)
    assert healthy.arm("GET", "/onlineEndpoints/ep-key", token=token).status == 200
    assert [keys() for _ in range(3)] == [503, 503, 200]
    healthy.fault(do="identity", answer="429", times=1)
    assert [msi(healthy).status for _ in range(2)] == [429, 200]
    healthy.fault(do="model", answer="500", times=2)
    assert [healthy.score("key", key).status for _ in range(3)] == [424, 424, 200]
    assert {fault["phase"] for fault in healthy.admin("GET", "faults")["faults"]} == {"over"}
