"""Azure Resource Manager's front: who calls, for what, and may they. Pure; `server` carries the bytes.

Paths as azure-ai-ml 1.35 puts them on the wire (onlineEndpoints, api-version 2022-02-01-preview; workspaces,
2024-10-01-preview), matched in any case. Order of judgement: fault, token, api-version, throttling, scope, role;
then `arm_answers` answers.
"""

from __future__ import annotations

import re
import uuid

from bench.emulator import resources
from bench.emulator.arm_answers import Call, answer, not_found
from bench.emulator.messages import Handled, Request, Response, arm_error
from bench.emulator.outages import altered, arm_outage
from bench.emulator.roles import ACTIONS, Principal, denial
from bench.emulator.settings import CLOUDS
from bench.emulator.state import State
from bench.emulator.tokens import TokenKind, TokenRefusedError

_WORKSPACE = (
    r"/subscriptions/(?P<subscription>[^/]+)/resourceGroups/(?P<group>[^/]+)"
    r"/providers/Microsoft\.MachineLearningServices/workspaces/(?P<workspace>[^/]+)"
)
_ENDPOINT = rf"{_WORKSPACE}/onlineEndpoints/(?P<endpoint>[^/]+)"
_SERVERLESS = rf"{_WORKSPACE}/serverlessEndpoints/(?P<endpoint>[^/]+)"
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
        ("GET", _SERVERLESS, "serverless", "serverless/read"),
        ("POST", rf"{_SERVERLESS}/listKeys", "serverless_listkeys", "serverless/listkeys/action"),
        ("GET", rf"{_LOCATION}/mfeOperationsStatus/(?P<id>[^/]+)", "operation_status", ""),
        ("GET", rf"{_LOCATION}/mfeOperationResults/(?P<id>[^/]+)", "operation_result", ""),
    )
)

_TOKEN_ERRORS = {
    "missing": ("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing."),
    "malformed": ("InvalidAuthenticationToken", "The access token is invalid."),
    "signature": ("InvalidAuthenticationToken", "The access token's signature is invalid."),
    "audience": ("InvalidAuthenticationTokenAudience", "The access token has been obtained for a wrong audience."),
    "expired": ("ExpiredAuthenticationToken", "The access token expiry UTC time is in the past."),
    "revoked": ("InvalidAuthenticationToken", "The access token has been revoked."),
}


def route(request: Request, state: State, *, base_url: str, now_s: float) -> Handled:
    """Answer one request to the control plane. `base_url` is where the caller reached it; `now_s` unskewed."""
    operation, action, names = "unknown", "", dict[str, str]()
    for method, pattern, *rest in _ROUTES:
        match = pattern.fullmatch(request.path.rstrip("/"))
        if match and request.method == method:
            (operation, action), names = rest, match.groupdict()
            break
    caller = _authenticate(request, state, base_url, now_s)
    fault = state.conditions.arm_fault(operation)
    outage = None
    if fault is not None:
        known = caller if isinstance(caller, Principal) else state.managed_identity
        full = ACTIONS.get(action, operation)
        denied = denial(known, full, _scope(state, names))
        what = f"{request.method} {full}".upper()
        outage = arm_outage(fault, subscription=state.settings.subscription_id, operation=what, denied=denied)
    if outage is not None:
        response = outage
    elif isinstance(caller, Response):
        response = caller
    else:
        call = Call(request=request, state=state, base_url=base_url, now_s=now_s, principal=caller, names=names)
        response = _judge(call, operation, action)
        if fault is not None:
            response = altered(response, fault, now_s + state.conditions.skew_s)
    if fault is not None:
        state.on_used(fault)
    return Handled(
        response=response.with_headers(("x-ms-request-id", str(uuid.uuid4()))),
        operation=operation,
        endpoint=names.get("endpoint", ""),
        principal=caller.name if isinstance(caller, Principal) else "",
        fault=fault.answer if fault else "",
    )


def _authenticate(request: Request, state: State, base_url: str, now_s: float) -> Principal | Response:
    """Who calls, or the 401."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret:
        return _unauthorized("missing")
    audiences = frozenset(
        audience + slash for audience in (*CLOUDS[state.settings.cloud][0], base_url) for slash in ("", "/")
    )
    try:
        claims = state.authority.verify(secret.strip(), kind=TokenKind.ARM, audiences=audiences, now_s=now_s)
    except TokenRefusedError as exc:
        return _unauthorized(exc.reason)
    return state.principal(claims.client_id)


def _unauthorized(reason: str) -> Response:
    return arm_error(401, *_TOKEN_ERRORS[reason], ("www-authenticate", 'Bearer error="invalid_token"'))


def _judge(call: Call, operation: str, action: str) -> Response:
    if operation == "unknown":
        what = f"{call.request.method} {call.request.path}"
        return arm_error(404, "InvalidResourceType", f"No such resource or action: {what}")
    if "api-version" not in call.request.query:
        return arm_error(400, "MissingApiVersionParameter", "The api-version query parameter is required.")
    remaining, throttled = call.state.throttle.meter(call.principal.name, call.request.method, call.now_s)
    if throttled is not None:
        return throttled
    response = _wrong_scope(call) or _denied(call, action) or answer(call, operation)
    return response.with_headers(remaining)


def _wrong_scope(call: Call) -> Response | None:
    settings, names = call.state.settings, call.names
    if names["subscription"].lower() != settings.subscription_id.lower():
        return arm_error(404, "SubscriptionNotFound", f"The subscription '{names['subscription']}' could not be found.")
    if names.get("group", settings.resource_group).lower() != settings.resource_group.lower():
        return arm_error(404, "ResourceGroupNotFound", f"Resource group '{names['group']}' could not be found.")
    if names.get("workspace", settings.workspace_name).lower() != settings.workspace_name.lower():
        return not_found(settings, f"workspaces/{names['workspace']}")
    return None


def _denied(call: Call, action: str) -> Response | None:
    full = ACTIONS.get(action, "")
    if not full or call.state.allows(call.principal, full):
        return None
    return arm_error(403, "AuthorizationFailed", denial(call.principal, full, _scope(call.state, call.names)))


def _scope(state: State, names: dict[str, str]) -> str:
    if "endpoint" in names:
        return resources.endpoint_id(state.settings, names["endpoint"])
    return resources.workspace_id(state.settings)
