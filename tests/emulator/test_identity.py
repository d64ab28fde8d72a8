"""Where tokens come from: managed identity and Entra, asked by hand and by azure-identity."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from urllib.parse import urlencode

import jwt
import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ClientSecretCredential, DefaultAzureCredential, ManagedIdentityCredential

from tests.emulator.process import Answer, EmulatorProcess

SCOPE = "https://ml.azure.com/.default"


@pytest.fixture
def environment(healthy: EmulatorProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmulatorProcess]:
    for name, value in healthy.said["env"].items():
        monkeypatch.setenv(name, value)
    return healthy


def entra(running: EmulatorProcess, **changes: str) -> Answer:
    """A client-credentials request by hand, right but for `changes`."""
    said = running.said["entra"]
    form = {
        "grant_type": "client_credentials",
        "client_id": said["client_id"],
        "client_secret": said["client_secret"],
        "scope": SCOPE,
    } | changes
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    url = f"{said['authority']}/{said['tenant_id']}/oauth2/v2.0/token"
    return running.call(url, method="POST", headers=headers, body=urlencode(form).encode())


@pytest.mark.parametrize("credential", [ManagedIdentityCredential, DefaultAzureCredential])
def test_azure_identity_gets_a_token_that_scores(environment: EmulatorProcess, credential: type):
    """Microsoft's own clients are content with the environment that the emulator prints."""
    with credential() as source:
        token = source.get_token(SCOPE)
    assert environment.score("aad_token", token.token).status == 200
    claims = jwt.decode(token.token, options={"verify_signature": False})
    assert claims["aud"] == "https://ml.azure.com"
    assert claims["exp"] == token.expires_on


def test_a_service_principal_gets_a_token_over_verified_tls(healthy: EmulatorProcess):
    """ClientSecretCredential discovers, authenticates and is served, with the CA made on the fly."""
    said = healthy.said["entra"]
    with ClientSecretCredential(
        said["tenant_id"],
        said["client_id"],
        said["client_secret"],
        authority=said["authority"],
        disable_instance_discovery=True,
        connection_verify=said["ca_file"],
    ) as source:
        token = source.get_token(SCOPE)
    assert healthy.score("aad_token", token.token).status == 200
    operations = [record["operation"] for record in healthy.admin("GET", "log")]
    assert {"entra_discovery", "entra_token"} <= set(operations)


def test_a_wrong_client_secret_is_refused_as_entra_refuses_it(healthy: EmulatorProcess):
    """azure-identity reports the AADSTS code."""
    said = healthy.said["entra"]
    with (
        ClientSecretCredential(
            said["tenant_id"],
            said["client_id"],
            "wrong",
            authority=said["authority"],
            disable_instance_discovery=True,
            connection_verify=said["ca_file"],
        ) as source,
        pytest.raises(ClientAuthenticationError, match="AADSTS7000215"),
    ):
        source.get_token(SCOPE)


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({}, 200, ""),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"client_id": "nobody"}, 400, "unauthorized_client"),
        ({"client_secret": ""}, 401, "invalid_client"),
        ({"scope": "https://ml.azure.com"}, 400, "invalid_scope"),
    ],
)
def test_entra_checks_every_field(healthy: EmulatorProcess, changes: dict[str, str], status: int, error: str):
    """Each mistake has its own status and error."""
    answer = entra(healthy, **changes)
    assert answer.status == status
    assert answer.json.get("error", "") == error


def test_entra_publishes_the_key_its_tokens_are_signed_with(healthy: EmulatorProcess):
    """Discovery leads to a key set that verifies what it issues."""
    said = healthy.said["entra"]
    document = healthy.call(f"{said['authority']}/{said['tenant_id']}/v2.0/.well-known/openid-configuration").json
    keys = jwt.PyJWKSet.from_dict(healthy.call(document["jwks_uri"]).json)
    token = entra(healthy).json["access_token"]
    claims = jwt.decode(
        token, keys[jwt.get_unverified_header(token)["kid"]], ["RS256"], audience="https://ml.azure.com"
    )
    assert claims["appid"] == said["client_id"]


def test_entra_is_not_served_without_tls(healthy: EmulatorProcess):
    """Over plain http there is no token for a client secret."""
    said = healthy.said["entra"]
    plain = healthy.said["env"]["IDENTITY_ENDPOINT"].replace("/msi/token", "")
    answer = healthy.call(f"{plain}/{said['tenant_id']}/oauth2/v2.0/token", method="POST", body=b"")
    assert answer.status == 404


@pytest.mark.parametrize(
    ("header", "query", "status"),
    [
        ("right", "api-version=2019-08-01&resource=https://ml.azure.com", 200),
        ("wrong", "api-version=2019-08-01&resource=https://ml.azure.com", 401),
        ("right", "api-version=2019-08-01", 400),
        ("right", "resource=https://ml.azure.com", 400),
        ("right", "api-version=2019-08-01&resource=https://ml.azure.com&client_id=nobody", 400),
    ],
)
def test_managed_identity_checks_the_header_and_the_query(
    healthy: EmulatorProcess, header: str, query: str, status: int
):
    """Without the secret header, resource or api-version there is no token."""
    env = healthy.said["env"]
    secret = env["IDENTITY_HEADER"] if header == "right" else header
    answer = healthy.call(f"{env['IDENTITY_ENDPOINT']}?{query}", headers={"X-IDENTITY-HEADER": secret})
    assert answer.status == status


def test_curl_gets_a_token(healthy: EmulatorProcess):
    """The App Service form, as its documentation shows it."""
    env = healthy.said["env"]
    url = f"{env['IDENTITY_ENDPOINT']}?resource=https://ml.azure.com&api-version=2019-08-01"
    command = ["curl", "-sS", "--noproxy", "*", "-H", f"X-IDENTITY-HEADER: {env['IDENTITY_HEADER']}", url]
    token = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert token["token_type"] == "Bearer"
    assert int(token["expires_on"]) > 0
