"""Azure Resource Manager by hand: paths, refusals, long-running operations, the log."""

from __future__ import annotations

import json
import subprocess
import time
from itertools import pairwise
from pathlib import Path

import pytest

from tests.emulator.process import EmulatorProcess, emulator, until


def test_paths_are_matched_in_any_case(healthy: EmulatorProcess):
    """The SDK writes listKeys, the documentation's curl listkeys; resource names have no case either."""
    token = healthy.msi_token("https://management.azure.com")
    url = healthy.arm_url("/onlineEndpoints/ep-key/listkeys").replace("resourceGroups", "RESOURCEGROUPS")
    for spelled in (url, url.replace("ep-key", "EP-KEY"), url.replace("workspaces/emulator", "Workspaces/Emulator")):
        command = ["curl", "-sS", "--noproxy", "*", "-X", "POST", "-H", f"Authorization: Bearer {token}", spelled]
        keys = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
        assert set(keys) == {"primaryKey", "secondaryKey"}


def test_without_a_good_token_there_is_no_answer(healthy: EmulatorProcess):
    """No token, nonsense, and a token for scoring: 401, JSON, and a challenge."""
    url = healthy.arm_url("/onlineEndpoints/ep-key")
    codes = []
    for secret in ("", "nonsense", healthy.msi_token("https://ml.azure.com")):
        answer = healthy.call(url, headers={"Authorization": f"Bearer {secret}"} if secret else {})
        assert answer.status == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        codes.append(answer.json["error"]["code"])
    assert codes == ["AuthenticationFailed", "InvalidAuthenticationToken", "InvalidAuthenticationTokenAudience"]


def test_what_does_not_exist_is_404_with_azures_codes(healthy: EmulatorProcess):
    """Subscription, resource group, workspace, endpoint, deployment and action each have their own."""
    token = healthy.msi_token("https://management.azure.com")

    def code(url: str) -> tuple[int, str]:
        answer = healthy.call(url, headers={"Authorization": f"Bearer {token}"})
        return answer.status, answer.json["error"]["code"]

    workspace = healthy.said["workspace"]
    endpoint = healthy.arm_url("/onlineEndpoints/ep-key")
    assert code(endpoint.replace(workspace["subscription_id"], "other")) == (404, "SubscriptionNotFound")
    assert code(endpoint.replace("/bench/", "/other/")) == (404, "ResourceGroupNotFound")
    assert code(endpoint.replace("workspaces/emulator", "workspaces/other")) == (404, "ResourceNotFound")
    assert code(healthy.arm_url("/onlineEndpoints/nobody")) == (404, "ResourceNotFound")
    assert code(healthy.arm_url("/onlineEndpoints/ep-key/deployments/red")) == (404, "ResourceNotFound")
    assert code(healthy.arm_url("/onlineEndpoints/ep-key/fly")) == (404, "InvalidResourceType")
    assert code(endpoint.partition("?")[0]) == (400, "MissingApiVersionParameter")


def test_deployments_are_listed_and_shown(healthy: EmulatorProcess):
    """Both deployments, with or without traffic, and one by name; also the endpoints themselves."""
    listed = healthy.arm("GET", "/onlineEndpoints/ep-key/deployments").json["value"]
    assert [one["name"] for one in listed] == ["blue", "green"]
    assert healthy.arm("GET", "/onlineEndpoints/ep-key/deployments/green").json == listed[1]
    assert [one["name"] for one in healthy.arm("GET", "/onlineEndpoints").json["value"]] == list(
        healthy.said["endpoints"].values()
    )


@pytest.mark.parametrize(
    ("endpoint", "action", "status"),
    [
        ("ep-key", "listKeys", 200),
        ("ep-key", "token", 400),
        ("ep-aml-token", "token", 200),
        ("ep-aml-token", "listKeys", 400),
        ("ep-aad-token", "token", 400),
        ("ep-aml-token", "regenerateKeys", 400),
    ],
)
def test_an_endpoint_gives_only_what_its_auth_mode_has(
    healthy: EmulatorProcess, endpoint: str, action: str, status: int
):
    """Keys for a key endpoint, tokens for an aml_token endpoint."""
    assert healthy.arm("POST", f"/onlineEndpoints/{endpoint}/{action}").status == status


def test_regenerating_a_key_is_a_long_running_operation(healthy: EmulatorProcess):
    """202, where to look, a Retry-After that is not 0; then done. The old key is refused, the other still good."""
    path = "/onlineEndpoints/ep-key"
    before = healthy.arm("POST", f"{path}/listKeys").json
    body = json.dumps({"keyType": "Primary", "keyValue": before["primaryKey"]}).encode()
    accepted = healthy.arm("POST", f"{path}/regenerateKeys", body=body)
    assert (accepted.status, accepted.headers["retry-after"]) == (202, "1")
    bearer = {"Authorization": f"Bearer {healthy.msi_token('https://management.azure.com')}"}
    first = healthy.call(accepted.headers["azure-asyncoperation"], headers=bearer)
    assert first.json["status"] == "InProgress"
    assert healthy.call(accepted.headers["location"], headers=bearer).status == 202

    def done() -> bool:
        return bool(
            healthy.call(accepted.headers["azure-asyncoperation"], headers=bearer).json["status"] == "Succeeded"
        )

    until(done)
    assert healthy.call(accepted.headers["location"], headers=bearer).status == 200
    after = healthy.arm("POST", f"{path}/listKeys").json
    assert after["primaryKey"] != before["primaryKey"]
    assert after["secondaryKey"] == before["secondaryKey"]
    assert healthy.score("key", before["primaryKey"]).status == 401
    assert healthy.score("key", after["primaryKey"]).status == 200


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"keyType": "Third"}'])
def test_a_bad_regenerate_body_is_400(healthy: EmulatorProcess, body: bytes):
    """It names what was expected, and rotates nothing."""
    before = healthy.arm("POST", "/onlineEndpoints/ep-key/listKeys").json
    answer = healthy.arm("POST", "/onlineEndpoints/ep-key/regenerateKeys", body=body)
    assert (answer.status, answer.json["error"]["code"]) == (400, "InvalidRequestContent")
    assert healthy.arm("POST", "/onlineEndpoints/ep-key/listKeys").json == before


def test_token_lives_are_options():
    """Life and refresh-after of an aml_token, and the lives of both Entra tokens, are what was asked for."""
    options = ("--token-life", "90s", "--refresh-after", "40s", "--aad-token-life", "20m", "--arm-token-life", "30m")
    with emulator(*options) as running:
        token = running.arm("POST", "/onlineEndpoints/ep-aml-token/token").json
        now_s = time.time()
        assert token["expiryTimeUtc"] - token["refreshAfterTimeUtc"] == 50
        assert token["expiryTimeUtc"] == pytest.approx(now_s + 90, abs=10)
        env = running.said["env"]
        for resource, life_s in (("https://ml.azure.com", 1200), ("https://management.azure.com", 1800)):
            url = f"{env['IDENTITY_ENDPOINT']}?api-version=2019-08-01&resource={resource}"
            answer = running.call(url, headers={"X-IDENTITY-HEADER": env["IDENTITY_HEADER"]})
            assert int(answer.json["expires_on"]) == pytest.approx(now_s + life_s, abs=10)


def test_an_expired_aml_token_is_refused_as_expired():
    """A token that lives a second scores, and then does not."""
    with emulator("--service-zero", "--token-life", "2s", "--refresh-after", "1s") as running:
        secret = running.secret("aml_token")
        assert running.score("aml_token", secret).status == 200
        until(lambda: running.score("aml_token", secret).status == 401)
        assert running.admin("GET", "stats")["endpoints"]["ep-aml-token"]["refusals"] == {"expired": 1}


def test_the_control_plane_can_throttle_like_azure():
    """With its limits on, a storm of 210 writes meets 429 and a Retry-After; without, only a header counts down."""
    with emulator("--arm-throttling") as running:
        token = running.msi_token("https://management.azure.com")
        answers = [running.arm("POST", "/onlineEndpoints/ep-key/listKeys", token=token) for _ in range(230)]
        refused = [answer for answer in answers if answer.status == 429]
        assert answers[0].headers["x-ms-ratelimit-remaining-subscription-writes"] == "199"
        assert refused
        assert int(refused[0].headers["retry-after"]) >= 1
        assert refused[0].json["error"]["code"] == "SubscriptionRequestsThrottled"


def test_every_control_plane_request_is_logged_without_secrets(tmp_path: Path):
    """One JSON line a request: what, for which endpoint, by whom, with which answer; no key, no token."""
    log = tmp_path / "requests.jsonl"
    with emulator("--log", str(log)) as running:
        assert running.said["log"] == str(log)
        secrets = [running.secret(mode) for mode in running.said["endpoints"]]
        secrets += [running.said["env"]["IDENTITY_HEADER"], running.msi_token("https://management.azure.com")]
        text = log.read_text()
        records = [json.loads(line) for line in text.splitlines()]
        assert records == running.admin("GET", "log")
        assert [record["operation"] for record in records] == [
            "msi_token",
            "listkeys",
            "msi_token",
            "token",
            "msi_token",
            "msi_token",
        ]
        listed = records[1]
        assert (listed["plane"], listed["endpoint"], listed["status"]) == ("arm", "ep-key", 200)
        assert listed["principal"] == "managed_identity"
        assert all(earlier["at_ns"] <= later["at_ns"] for earlier, later in pairwise(records))
        assert not [secret for secret in secrets if secret in text]
        assert "eyJ" not in text, "every JWT begins so"
        assert running.admin("GET", "stats")["control_plane"] == {"msi_token": 4, "listkeys": 1, "token": 1}
