"""Azure resources as JSON values: endpoint, deployment, workspace. Pure; `routes` answers with them.

Shapes: Azure/azure-rest-api-specs, machinelearningservices 2022-02-01-preview, examples/OnlineEndpoint/get.json.
`systemData` needs both times, and `properties.properties` must then be an object, or azure-ai-ml fails to read it.
"""

from __future__ import annotations

from typing import Any

from bench.emulator.settings import SERVERLESS_NAME, Settings
from bench.emulator.state import EndpointState

_PROVIDER = "Microsoft.MachineLearningServices"
_AUTH_MODES = {"key": "Key", "aml_token": "AMLToken", "aad_token": "AADToken"}
_SYSTEM_DATA = {
    "createdBy": "bench",
    "createdByType": "Application",
    "createdAt": "2026-01-01T00:00:00.12Z",
    "lastModifiedBy": "bench",
    "lastModifiedByType": "Application",
    "lastModifiedAt": "2026-01-01T00:00:00.12Z",
}


def workspace_id(settings: Settings) -> str:
    """The workspace's ARM id, which every scope below it begins with."""
    return (
        f"/subscriptions/{settings.subscription_id}/resourceGroups/{settings.resource_group}"
        f"/providers/{_PROVIDER}/workspaces/{settings.workspace_name}"
    )


def endpoint_id(settings: Settings, name: str) -> str:
    """An endpoint's ARM id; also the audience of its aml_tokens."""
    return f"{workspace_id(settings)}/onlineEndpoints/{name}"


def workspace(settings: Settings, discovery_url: str) -> dict[str, Any]:
    """`GET` of the workspace."""
    return {
        "id": workspace_id(settings),
        "name": settings.workspace_name,
        "type": f"{_PROVIDER}/workspaces",
        "location": settings.location,
        "kind": "Default",
        "tags": {},
        "sku": {"name": "Basic", "tier": "Basic"},
        "identity": {"type": "SystemAssigned", "tenantId": settings.tenant_id},
        "systemData": _SYSTEM_DATA,
        "properties": {
            "friendlyName": settings.workspace_name,
            "description": "emulated by azureml-endpoint-bench",
            "provisioningState": "Succeeded",
            "discoveryUrl": discovery_url,
            "mlFlowTrackingUri": "",
            "publicNetworkAccess": "Enabled",
            "hbiWorkspace": False,
            "workspaceId": "33333333-0000-4000-8000-000000000003",
            "tenantId": settings.tenant_id,
        },
    }


def endpoint(settings: Settings, state: EndpointState) -> dict[str, Any]:
    """`GET` of an online endpoint. `keys` is always null: they are only ever listed. A new one has no URI yet."""
    made_up = state.provisioning == "Creating"
    return {
        "id": endpoint_id(settings, state.name),
        "name": state.name,
        "type": f"{_PROVIDER}/workspaces/onlineEndpoints",
        "location": settings.location,
        "kind": "Managed",
        "tags": {},
        "identity": {
            "type": "SystemAssigned",
            "principalId": "44444444-0000-4000-8000-000000000004",
            "tenantId": settings.tenant_id,
        },
        "systemData": _SYSTEM_DATA,
        "properties": {
            "authMode": _AUTH_MODES[state.auth_mode],
            "scoringUri": None if made_up else state.scoring_uri,
            "swaggerUri": None if made_up else state.scoring_uri.replace("/score", "/swagger.json"),
            "provisioningState": state.provisioning,
            "traffic": state.traffic,
            "mirrorTraffic": {},
            "publicNetworkAccess": state.network_access,
            "compute": None,
            "description": "",
            "properties": {"azureml.onlineendpointid": endpoint_id(settings, state.name).lower()},
            "keys": None,
        },
    }


def serverless(settings: Settings, state: EndpointState) -> dict[str, Any]:
    """`GET` of the serverless endpoint, which is served by the online one with keys."""
    return {
        "id": f"{workspace_id(settings)}/serverlessEndpoints/{SERVERLESS_NAME}",
        "name": SERVERLESS_NAME,
        "type": f"{_PROVIDER}/workspaces/serverlessEndpoints",
        "location": settings.location,
        "kind": "ServerlessEndpoint",
        "tags": {},
        "sku": {"name": "Consumption"},
        "systemData": _SYSTEM_DATA,
        "properties": {
            "authMode": "Key",
            "modelSettings": {"modelId": "azureml://registries/azureml/models/emulated"},
            "inferenceEndpoint": {"uri": state.scoring_uri, "headers": {}},
            "contentSafety": {"contentSafetyStatus": "Disabled"},
            "provisioningState": state.provisioning,
            "endpointState": "Online",
        },
    }


def deployment(settings: Settings, endpoint: EndpointState, name: str) -> dict[str, Any]:
    """`GET` of one deployment, and an entry of the list."""
    model, endpoint_name = settings.model, endpoint.name
    return {
        "id": f"{endpoint_id(settings, endpoint_name)}/deployments/{name}",
        "name": name,
        "type": f"{_PROVIDER}/workspaces/onlineEndpoints/deployments",
        "location": settings.location,
        "kind": "Managed",
        "tags": {},
        "sku": {"name": "Default", "capacity": model.instances},
        "systemData": _SYSTEM_DATA,
        "properties": {
            "endpointComputeType": "Managed",
            "provisioningState": endpoint.deployment_states.get(name, "Succeeded"),
            "instanceType": "Standard_DS3_v2",
            "requestSettings": {
                "requestTimeout": f"PT{model.request_timeout_ns / 1e9:g}S",
                "maxConcurrentRequestsPerInstance": model.max_concurrent_requests,
                "maxQueueWait": "PT0.5S",
            },
            "scaleSettings": {"scaleType": "Default"},
            "properties": {},
        },
    }
