"""Azure Resource Manager as azure-ai-ml calls it: request -> answer. Pure; `controlplane` carries the bytes.

Source: what azure-ai-ml 1.35 puts on the wire (onlineEndpoints, api-version 2022-02-01-preview; workspaces,
2024-10-01-preview) and Azure/azure-rest-api-specs. Paths are matched in any case.
Order of judgement: fault, token, api-version, scope, role, existence.
"""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass

from bench.emulator import resources
from bench.emulator.messages import Handled, Request, Response, arm_error, as_json
from bench.emulator.outages import arm_outage, twisted
from bench.emulator.roles import ACTIONS, Principal, denial
from bench.emulator.state import EndpointState, State
from bench.emulator.tokens import TokenKind, TokenRefusedError

_WORKSPACE = (
    r"/subscriptions/(?P<subscription>[^/]+)/resourceGroups/(?P<group>[^/]+)"
    r"/providers/Microsoft\.MachineLearningServices/workspaces/(?P<workspace>[^/]+)"
)
_ENDPOINT = rf"{_WORKSPACE}/onlineEndpoints/(?P<endpoint>[^/]+)"
_LOCATION = r"/subscriptions/(?P<subscription>[^/]+)/providers/Microsoft\.MachineLearningServices/locations/[^/]+"

_ROUTES: tuple[tuple[str, re.Pattern[str], str, str], ...] = tuple(
    (method, re.compile(pattern, re.IGNORECASE), operation, action)
    for method, pattern, operation, action in (
        ("GET", _WORKSPACE, "workspace", "workspace/read"),
        ("GET", rf"{_WORKSPACE}/onlineEndpoints", "endpoints", "read"),
        ("GET", _ENDPOINT, "endpoint", "read"),
        ("GET", rf"{_ENDPOINT}/deployments", "deployments", "deployments/read"),
        ("GET", rf"{_ENDPOINT}/deployments/(?P<deployment>[^/]+)", "deployment", "deployments/read"),
        ("POST", rf"{_ENDPOINT}/listKeys", "listkeys", "listkeys/action"),
        ("POST", rf"{_ENDPOINT}/token", "token", "token/action"),
        ("POST", rf"{_ENDPOINT}/regenerateKeys", "regeneratekeys", "regeneratekeys/action"),
        ("GET", rf"{_LOCATION}/mfeOperation(?P<kind>sStatus|Results)/(?P<id>[^/]+)", "operation", ""),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """A request whose caller is known and allowed. `said_now_s` is the service's own clock."""

    request: Request
    state: State
    base_url: str
    now_s: float
    principal: Principal
    names: dict[str, str]

    @property
    def said_now_s(self) -> float:
        return self.now_s + self.state.conditions.skew_s


def route(request: Request, state: State, *, base_url: str, now_s: float) -> Handled:
    """Answer one request to the control plane. `base_url` is where the caller reached it; `now_s` unskewed."""
    for method, pattern, operation, action in _ROUTES:
        match = pattern.fullmatch(request.path.rstrip("/"))
        if match and request.method == method:
            return _judge(request, state, base_url, now_s, operation, action, match.groupdict())
    error = arm_error(404, "InvalidResourceType", f"No such resource or action: {request.method} {request.path}")
    return Handled(response=error, operation="unknown")


def _judge(
    request: Request, state: State, base_url: str, now_s: float, operation: str, action: str, names: dict[str, str]
) -> Handled:
    principal = _principal(request, state, base_url, now_s)
    known = principal if isinstance(principal, Principal) else state.managed_identity
    scope = _scope(state, names)
    full = ACTIONS.get(action, "")
    fault = state.conditions.arm_fault(operation)
    outage = fault and arm_outage(
        fault,
        subscription=state.settings.subscription_id,
        operation=f"{request.method} {full}".upper(),
        denied=denial(known, full, scope),
    )
    if outage:
        response = outage
    elif isinstance(principal, Response):
        response = principal
    elif "api-version" not in request.query:
        response = arm_error(400, "MissingApiVersionParameter", "The api-version query parameter is required.")
    else:
        call = _Call(request=request, state=state, base_url=base_url, now_s=now_s, principal=principal, names=names)
        response = (
            _throttled(call, full)
            or _missing_scope(call)
            or _denied(call, full, scope)
            or _answer(call, operation).with_headers(_remaining(call))
        )
        if fault:
            response = twisted(response, fault, call.said_now_s)
    return Handled(
        response=response,
        operation=operation,
        endpoint=names.get("endpoint") or "",
        principal=principal.name if isinstance(principal, Principal) else "",
        fault=fault.answer if fault else "",
    )


def _principal(request: Request, state: State, base_url: str, now_s: float) -> Principal | Response:
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret:
        return _unauthorized("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
    audiences = frozenset(
        audience + slash
        for audience in ("https://management.azure.com", "https://management.core.windows.net", base_url)
        for slash in ("", "/")
    )
    try:
        claims = state.authority.verify(secret.strip(), kind=TokenKind.ARM, audiences=audiences, now_s=now_s)
    except TokenRefusedError as exc:
        code, message = _TOKEN_ERRORS[exc.reason]
        return _unauthorized(code, message)
    principal = state.principal(claims.client_id)
    return principal or _unauthorized(*_TOKEN_ERRORS["malformed"])


_TOKEN_ERRORS = {
    "malformed": ("InvalidAuthenticationToken", "The access token is invalid."),
    "signature": ("InvalidAuthenticationToken", "The access token's signature is invalid."),
    "audience": ("InvalidAuthenticationTokenAudience", "The access token has been obtained for a wrong audience."),
    "expired": ("ExpiredAuthenticationToken", "The access token expiry UTC time is in the past."),
    "revoked": ("InvalidAuthenticationToken", "The access token has been revoked."),
}


def _unauthorized(code: str, message: str) -> Response:
    return arm_error(401, code, message, ("www-authenticate", 'Bearer error="invalid_token"'))


def _scope(state: State, names: dict[str, str]) -> str:
    if "endpoint" in names:
        return resources.endpoint_id(state.settings, names["endpoint"])
    return resources.workspace_id(state.settings)


def _missing_scope(call: _Call) -> Response | None:
    settings, names = call.state.settings, call.names
    if names["subscription"].lower() != settings.subscription_id.lower():
        return arm_error(404, "SubscriptionNotFound", f"The subscription '{names['subscription']}' could not be found.")
    if names.get("group", settings.resource_group).lower() != settings.resource_group.lower():
        return arm_error(404, "ResourceGroupNotFound", f"Resource group '{names['group']}' could not be found.")
    if names.get("workspace", settings.workspace_name).lower() != settings.workspace_name.lower():
        return _not_found(f"workspaces/{names['workspace']}", settings.resource_group)
    return None


def _denied(call: _Call, action: str, scope: str) -> Response | None:
    if not action or call.state.allows(call.principal, action):
        return None
    return arm_error(403, "AuthorizationFailed", denial(call.principal, action, scope))


def _not_found(what: str, group: str) -> Response:
    message = (
        f"The Resource 'Microsoft.MachineLearningServices/{what}' under resource group '{group}' was not found. "
        "For more details please go to https://aka.ms/ARMResourceNotFoundFix"
    )
    return arm_error(404, "ResourceNotFound", message)


def _answer(call: _Call, operation: str) -> Response:
    settings = call.state.settings
    if operation == "workspace":
        return as_json(200, resources.workspace(settings, f"{call.base_url}/discovery"))
    if operation == "endpoints":
        every = [resources.endpoint(settings, one) for one in call.state.endpoints.values()]
        return as_json(200, {"value": every, "nextLink": None})
    if operation == "operation":
        return _operation(call)
    endpoint = call.state.endpoints.get(call.names["endpoint"].lower())
    if endpoint is None:
        return _not_found(
            f"workspaces/{settings.workspace_name}/onlineEndpoints/{call.names['endpoint']}", settings.resource_group
        )
    answers = {
        "endpoint": _endpoint,
        "deployments": _deployments,
        "deployment": _deployment,
        "listkeys": _list_keys,
        "token": _token,
        "regeneratekeys": _regenerate_keys,
    }
    return answers[operation](call, endpoint)


def _endpoint(call: _Call, endpoint: EndpointState) -> Response:
    return as_json(200, resources.endpoint(call.state.settings, endpoint))


def _deployments(call: _Call, endpoint: EndpointState) -> Response:
    every = [resources.deployment(call.state.settings, endpoint.name, name) for name in endpoint.traffic]
    return as_json(200, {"value": every, "nextLink": None})


def _deployment(call: _Call, endpoint: EndpointState) -> Response:
    for name in endpoint.traffic:
        if name.lower() == call.names["deployment"].lower():
            return as_json(200, resources.deployment(call.state.settings, endpoint.name, name))
    what = f"workspaces/{call.state.settings.workspace_name}/onlineEndpoints/{endpoint.name}/deployments"
    return _not_found(f"{what}/{call.names['deployment']}", call.state.settings.resource_group)


def _list_keys(_call: _Call, endpoint: EndpointState) -> Response:
    if endpoint.auth_mode != "key":
        return _wrong_mode(endpoint, "keys")
    return as_json(200, {"primaryKey": endpoint.primary_key, "secondaryKey": endpoint.secondary_key})


def _token(call: _Call, endpoint: EndpointState) -> Response:
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
    told = {
        "accessToken": token.secret,
        "tokenType": "Bearer",
        "expiryTimeUtc": token.expires_s,
        "refreshAfterTimeUtc": token.refresh_after_s,
    }
    return as_json(200, told)


def _wrong_mode(endpoint: EndpointState, what: str) -> Response:
    return arm_error(400, "BadArgument", f"Endpoint {endpoint.name} has auth mode {endpoint.auth_mode}: no {what}.")


def _regenerate_keys(call: _Call, endpoint: EndpointState) -> Response:
    if endpoint.auth_mode != "key":
        return _wrong_mode(endpoint, "keys")
    try:
        asked = json.loads(call.request.body or b"{}")
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
            ("retry-after", "1"),
        ),
    )


def _operation(call: _Call) -> Response:
    done_s = call.state.operations.get(call.names["id"])
    if done_s is None:
        return arm_error(404, "OperationNotFound", f"No operation {call.names['id']}.")
    done = call.now_s >= done_s
    if call.names["kind"].lower() == "results":
        return Response(status=200) if done else Response(status=202, headers=(("retry-after", "1"),))
    status = {"id": call.request.path, "name": call.names["id"], "status": "Succeeded" if done else "InProgress"}
    return as_json(200, status, *(() if done else (("retry-after", "1"),)))
