"""The emulator against azure-ai-ml, which nobody here wrote."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import ClientSecretCredential, ManagedIdentityCredential

from tests.emulator.process import BODY, EmulatorProcess, emulator


def ml_client(running: EmulatorProcess, credential: Any) -> Any:
    from azure.ai.ml import MLClient  # takes seconds; only whoever needs it pays

    workspace = running.said["workspace"]
    where = (workspace["subscription_id"], workspace["resource_group"], workspace["workspace_name"])
    return MLClient(credential, *where, enable_telemetry=False, show_progress=False)


@pytest.fixture
def environment(healthy: EmulatorProcess, monkeypatch: pytest.MonkeyPatch) -> EmulatorProcess:
    for name, value in healthy.said["env"].items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AZUREML_CURRENT_CLOUD", "AzureCloud")
    return healthy


@pytest.fixture
def client(environment: EmulatorProcess) -> Iterator[Any]:
    with ManagedIdentityCredential() as credential:
        yield ml_client(environment, credential)


@pytest.mark.parametrize("mode", ["key", "aml_token", "aad_token"])
def test_get_tells_mode_uri_and_traffic(environment: EmulatorProcess, client: Any, mode: str):
    """The endpoint as the SDK sees it; a deployment without traffic counts as 0."""
    endpoint = client.online_endpoints.get(environment.said["endpoints"][mode])
    assert endpoint.auth_mode == mode
    assert endpoint.scoring_uri == environment.said["scoring_uri"][mode]
    assert endpoint.traffic == {"blue": 100, "green": 0}
    assert endpoint.provisioning_state == "Succeeded"
    assert type(endpoint).__name__ == "ManagedOnlineEndpoint"


def test_get_keys_gives_what_scores(environment: EmulatorProcess, client: Any):
    """Keys, an aml_token with its times in epoch seconds, an Entra token: each opens its own endpoint."""
    names = environment.said["endpoints"]
    keys = client.online_endpoints.get_keys(names["key"])
    assert environment.score("key", keys.primary_key).status == 200
    assert environment.score("key", keys.secondary_key).status == 200
    token = client.online_endpoints.get_keys(names["aml_token"])
    assert environment.score("aml_token", token.access_token).status == 200
    assert time.time() < token.refresh_after_time_utc < token.expiry_time_utc
    entra = client.online_endpoints.get_keys(names["aad_token"])
    assert environment.score("aad_token", entra.access_token).status == 200


@pytest.mark.parametrize("which", ["primary", "secondary"])
def test_begin_regenerate_keys_rotates_one_key(environment: EmulatorProcess, client: Any, which: str):
    """The SDK sends the current key as the wanted value, and still a new one comes."""
    name = environment.said["endpoints"]["key"]
    before = client.online_endpoints.get_keys(name)
    client.online_endpoints.begin_regenerate_keys(name, key_type=which).result()
    after = client.online_endpoints.get_keys(name)
    changed = {key for key in ("primary_key", "secondary_key") if getattr(before, key) != getattr(after, key)}
    assert changed == {f"{which}_key"}
    assert environment.score("key", getattr(before, f"{which}_key")).status == 401


@pytest.mark.parametrize("mode", ["key", "aml_token", "aad_token"])
def test_invoke_scores_in_every_mode(environment: EmulatorProcess, client: Any, tmp_path: Path, mode: str):
    """The SDK's own way to score, pinned to a deployment."""
    request_file = tmp_path / "request.json"
    request_file.write_bytes(BODY)
    name = environment.said["endpoints"][mode]
    answer = client.online_endpoints.invoke(name, request_file=str(request_file), deployment_name="green")
    assert answer == '{"predictions": [0.5]}'
    deployments = client.online_deployments.list(name)
    assert [deployment.name for deployment in deployments] == ["blue", "green"]
    assert client.online_deployments.get("blue", name).instance_count == 2


def test_an_unknown_endpoint_is_resource_not_found(client: Any):
    """The SDK raises its own error for a 404."""
    with pytest.raises(ResourceNotFoundError):
        client.online_endpoints.get("nobody")


def test_everything_works_over_https_too(healthy: EmulatorProcess, monkeypatch: pytest.MonkeyPatch):
    """With a service principal and the CA: the workspace, which the SDK reads over https only, and all credentials."""
    said = healthy.said
    monkeypatch.setenv("AZUREML_CURRENT_CLOUD", "AzureCloud")
    monkeypatch.setenv("AZUREML_DEV_URL_MFE", said["control_plane_tls"])
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", said["ca_file"])
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    entra = said["entra"]
    with ClientSecretCredential(
        entra["tenant_id"],
        entra["client_id"],
        entra["client_secret"],
        authority=entra["authority"],
        disable_instance_discovery=True,
    ) as credential:
        client = ml_client(healthy, credential)
        workspace = client.workspaces.get(said["workspace"]["workspace_name"])
        assert (workspace.name, workspace.location) == ("emulator", "westeurope")
        for name in said["endpoints"].values():
            assert client.online_endpoints.get_keys(name) is not None


@pytest.mark.parametrize(
    ("short", "action", "mode"),
    [("listkeys/action", "listKeys/action", "key"), ("token/action", "token/action", "aml_token")],
)
def test_a_principal_without_the_role_is_refused(monkeypatch: pytest.MonkeyPatch, short: str, action: str, mode: str):
    """AuthorizationFailed names client, action and scope, word for word as Azure does."""
    with emulator("--deny", short) as running:
        for name, value in running.said["env"].items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AZUREML_CURRENT_CLOUD", "AzureCloud")
        with ManagedIdentityCredential() as credential:
            client = ml_client(running, credential)
            endpoint = running.said["endpoints"][mode]
            assert client.online_endpoints.get(endpoint).auth_mode == mode
            with pytest.raises(HttpResponseError) as caught:
                client.online_endpoints.get_keys(endpoint)
    assert caught.value.status_code == 403
    assert caught.value.error.code == "AuthorizationFailed"
    workspace = running.said["workspace"]
    scope = (
        f"/subscriptions/{workspace['subscription_id']}/resourceGroups/{workspace['resource_group']}/providers/"
        f"Microsoft.MachineLearningServices/workspaces/{workspace['workspace_name']}/onlineEndpoints/{endpoint}"
    )
    assert caught.value.error.message == (
        "The client '11111111-0000-4000-8000-000000000001' with object id '11111111-0000-4000-8000-00000000000a' does "
        "not have authorization to perform action 'Microsoft.MachineLearningServices/workspaces/onlineEndpoints/"
        f"{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, please refresh your "
        "credentials."
    )
