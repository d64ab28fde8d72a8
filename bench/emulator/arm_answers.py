"""What the control plane answers to a caller who may ask. Pure; `routes` calls `answer` when all else is settled.

Shapes: azure-ai-ml's models of api-version 2022-02-01-preview. Times of a token are whole epoch seconds.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass

from bench.emulator import resources
from bench.emulator.messages import Request, Response, arm_error, as_json
from bench.emulator.roles import Principal
from bench.emulator.settings import ENDPOINT_NAMES, SERVERLESS_NAME, Settings
from bench.emulator.state import EndpointState, State
from bench.emulator.tokens import TokenKind

_POLL_AGAIN = ("retry-after", "1")
"""Never 0: azure-core takes that for no header at all and waits 30 s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request whose caller is known. `names` holds the parts of its path, `now_s` the unskewed time."""

    request: Request
    state: State
    base_url: str
    now_s: float
    principal: Principal
    names: dict[str, str]


def answer(call: Call, operation: str) -> Response:
    """The answer to `operation`, one of the route table's."""
    settings = call.state.settings
    match operation:
        case "workspace":
            return as_json(200, resources.workspace(settings, f"{call.base_url}/discovery"))
        case "endpoints":
            every = [resources.endpoint(settings, one) for one in call.state.endpoints.values()]
            return as_json(200, {"value": every, "nextLink": None})
        case "operation_status" | "operation_result":
            return _operation(call, operation)
    if operation.startswith("serverless"):
        return _serverless(call, operation)
    endpoint = call.state.endpoints.get(call.names["endpoint"].lower())
    if endpoint is None:
        return not_found(settings, f"workspaces/{settings.workspace_name}/onlineEndpoints/{call.names['endpoint']}")
    answers = {
        "endpoint": _endpoint,
        "deployments": _deployments,
        "deployment": _deployment,
        "listkeys": _list_keys,
        "token": _token,
        "regeneratekeys": _regenerate_keys,
    }
    return answers[operation](call, endpoint)


def not_found(settings: Settings, what: str) -> Response:
    """ARM's 404 for a resource below the provider."""
    message = (
        f"The Resource 'Microsoft.MachineLearningServices/{what}' under resource group '{settings.resource_group}' "
        "was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix"
    )
    return arm_error(404, "ResourceNotFound", message)


def _endpoint(call: Call, endpoint: EndpointState) -> Response:
    return as_json(200, resources.endpoint(call.state.settings, endpoint))


def _deployments(call: Call, endpoint: EndpointState) -> Response:
    every = [resources.deployment(call.state.settings, endpoint, name) for name in endpoint.traffic]
    return as_json(200, {"value": every, "nextLink": None})


def _deployment(call: Call, endpoint: EndpointState) -> Response:
    settings = call.state.settings
    for name in endpoint.traffic:
        if name.lower() == call.names["deployment"].lower():
            return as_json(200, resources.deployment(settings, endpoint, name))
    above = f"workspaces/{settings.workspace_name}/onlineEndpoints/{endpoint.name}"
    return not_found(settings, f"{above}/deployments/{call.names['deployment']}")


def _list_keys(_call: Call, endpoint: EndpointState) -> Response:
    if endpoint.auth_mode != "key":
        return _wrong_mode(endpoint, "keys")
    return as_json(200, {"primaryKey": endpoint.primary_key, "secondaryKey": endpoint.secondary_key})


def _serverless(call: Call, operation: str) -> Response:
    """A serverless endpoint is a second name of the one with keys: its URI, its keys, its states."""
    settings, name = call.state.settings, call.names["endpoint"]
    if name.lower() != SERVERLESS_NAME:
        return not_found(settings, f"workspaces/{settings.workspace_name}/serverlessEndpoints/{name}")
    endpoint = call.state.endpoints[ENDPOINT_NAMES["key"]]
    if operation == "serverless":
        return as_json(200, resources.serverless(settings, endpoint))
    return as_json(200, {"primaryKey": endpoint.primary_key, "secondaryKey": endpoint.secondary_key})


def _token(call: Call, endpoint: EndpointState) -> Response:
    if endpoint.auth_mode != "aml_token":
        return _wrong_mode(endpoint, "tokens")
    settings = call.state.settings
    token = call.state.authority.issue(
        TokenKind.AML_TOKEN,
        audience=resources.endpoint_id(settings, endpoint.name),
        client_id=call.principal.client_id,
        object_id=call.principal.object_id,
        tenant_id=settings.tenant_id,
        now_s=call.now_s,
        life_s=settings.tokens.aml_life_s,
        refresh_after_s=settings.tokens.aml_refresh_after_s,
        skew_s=call.state.conditions.skew_s,
    )
    body = {
        "accessToken": token.secret,
        "tokenType": "Bearer",
        "expiryTimeUtc": token.expires_s,
        "refreshAfterTimeUtc": token.refresh_after_s,
    }
    return as_json(200, body)


def _wrong_mode(endpoint: EndpointState, what: str) -> Response:
    return arm_error(400, "BadArgument", f"Endpoint {endpoint.name} has auth mode {endpoint.auth_mode}: no {what}.")


def _regenerate_keys(call: Call, endpoint: EndpointState) -> Response:
    if endpoint.auth_mode != "key":
        return _wrong_mode(endpoint, "keys")
    try:
        asked = json.loads(call.request.body)
        which = {"primary": "primary", "secondary": "secondary"}[str(asked["keyType"]).lower()]
        value = str(asked.get("keyValue") or "")
    except (ValueError, KeyError, TypeError, AttributeError):
        return arm_error(400, "InvalidRequestContent", "keyType must be Primary or Secondary.")
    call.state.rotate_key(endpoint, which, value)
    operation_id = f"oe:{uuid.uuid4()}"
    call.state.begin_operation(operation_id, call.now_s)
    settings = call.state.settings
    place = (
        f"{call.base_url}/subscriptions/{settings.subscription_id}/providers/Microsoft.MachineLearningServices"
        f"/locations/{settings.location}"
    )
    query = f"api-version={call.request.query['api-version']}"
    return Response(
        status=202,
        headers=(
            ("location", f"{place}/mfeOperationResults/{operation_id}?{query}"),
            ("azure-asyncoperation", f"{place}/mfeOperationsStatus/{operation_id}?{query}"),
            _POLL_AGAIN,
        ),
    )


def _operation(call: Call, operation: str) -> Response:
    done_s = call.state.operations.get(call.names["id"])
    if done_s is None:
        return arm_error(404, "OperationNotFound", f"No operation {call.names['id']}.")
    done = call.now_s >= done_s
    if operation == "operation_result":
        return Response(status=200) if done else Response(status=202, headers=(_POLL_AGAIN,))
    status = {"id": call.request.path, "name": call.names["id"], "status": "Succeeded" if done else "InProgress"}
    return as_json(200, status, *(() if done else (_POLL_AGAIN,)))
