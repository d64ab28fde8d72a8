"""What went wrong at Azure, in one clear line. The only place that knows the SDK's exceptions.

It does no IO. What ARM's codes mean stands in `arm_errors`, what the credentials of the chain say in `sign_in`; of a
server's own words only what cannot hold a secret is kept.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from azure.core.exceptions import (
    AzureError,
    HttpResponseError,
    ServiceRequestError,
    ServiceRequestTimeoutError,
    ServiceResponseTimeoutError,
)

from bench.credentials.agent.arm_errors import CODES, is_about_the_workspace, meaning_of, wanted_tenant
from bench.credentials.agent.sign_in import Attempt, half_of_a_service_principal, no_sign_in
from bench.credentials.failure import Failure, FailureKind, retry_after_s, safe_line
from bench.credentials.lease import NoLifeLeft
from bench.endpoint import READ_ACTION, SERVERLESS, Workspace, role_advice

_ACTION = re.compile(r"perform action '([^']+)'")
_LOG_IN = "sign in again: `az login`"
_PROXY = "a proxy or firewall stands in the way: set HTTPS_PROXY or NO_PROXY, or have Azure's hosts allowed there"
_WEB_PAGE = (403, 407, 511)


class IdentityFailed(Exception):
    """azure-identity gave no token; `attempts` are what its credentials said."""

    def __init__(self, attempts: Sequence[Attempt]) -> None:
        super().__init__("no token")
        self.attempts = tuple(attempts)


class Unusable(Exception):
    """An answer that parses and is of no use; the message says what it lacks."""


def explain(exc: Exception, *, endpoint: str, workspace: Workspace, tenant: str = "") -> Failure:
    """The failure `exc` amounts to, for a call that concerned `endpoint`. `tenant` is the one that was asked for."""
    if isinstance(exc, IdentityFailed):
        pinned = os.environ.get("AZURE_TOKEN_CREDENTIALS", "").lower() not in ("", "dev", "prod")
        return no_sign_in(exc.attempts, pinned=pinned, half_set=half_of_a_service_principal(os.environ), tenant=tenant)
    if isinstance(exc, ServiceRequestTimeoutError | ServiceResponseTimeoutError):
        return Failure(kind=FailureKind.TIMED_OUT, message="the Azure control plane did not answer in time")
    if isinstance(exc, HttpResponseError) and exc.response is not None and exc.status_code is not None:
        return _http(exc, exc.status_code, endpoint=endpoint, workspace=workspace)
    if isinstance(exc, ServiceRequestError):
        return _unreachable(str(exc))
    if isinstance(exc, Unusable | NoLifeLeft):
        lack = str(exc) or "the token has no life left"
        return Failure(
            kind=FailureKind.MALFORMED, message=f"what Azure granted for endpoint {endpoint!r} is no use: {lack}"
        )
    if isinstance(exc, AzureError):
        return Failure(
            kind=FailureKind.UNAVAILABLE, message=f"the Azure control plane broke off ({type(exc).__name__})"
        )
    return Failure(
        kind=FailureKind.MALFORMED,
        message=f"the Azure control plane's answer about endpoint {endpoint!r} is malformed ({type(exc).__name__})",
    )


def _unreachable(said: str) -> Failure:
    if "CERTIFICATE_VERIFY_FAILED" in said:
        return Failure(
            kind=FailureKind.NETWORK,
            message=f"the certificate of the Azure control plane cannot be verified: {safe_line(said)}",
            hint="give the authority of your company's proxy with --ca-file; it is trusted beside the system's",
        )
    return Failure(
        kind=FailureKind.UNAVAILABLE,
        message=f"cannot reach the Azure control plane: {safe_line(said)}",
        hint="check the network, HTTPS_PROXY and NO_PROXY, and --cloud",
    )


def _http(exc: HttpResponseError, status: int, *, endpoint: str, workspace: Workspace) -> Failure:
    code = str(getattr(exc.error, "code", "") or "")
    text = str(getattr(exc.error, "message", "") or "")
    headers = exc.response.headers
    answer = f"ARM answered {status} {code}".strip()
    if status in _WEB_PAGE and not text and "json" not in str(headers.get("content-type", "")):
        said = f"{status} with a page of its own ({headers.get('server', 'server not named')})"
        return Failure(
            kind=FailureKind.NETWORK, message=f"not ARM but something before it answered {said}", hint=_PROXY
        )
    if code == "AuthorizationFailed" or (status == 403 and _ACTION.search(text) and code not in CODES):
        return _not_allowed(text, answer, endpoint)
    meaning = meaning_of(code, text)
    if meaning is not None:
        tenant = wanted_tenant(str(headers.get("WWW-Authenticate", "")), text) or "T"
        return Failure(
            kind=meaning.kind,
            message=f"{meaning.says}: {safe_line(text) or 'no message'} ({answer})",
            hint=meaning.cure.replace("{tenant}", tenant),
        )
    if status == 404:
        return _not_found(text, answer, endpoint=endpoint, workspace=workspace)
    if status == 401:
        return Failure(kind=FailureKind.IDENTITY, message=f"ARM refused the principal's token ({answer})", hint=_LOG_IN)
    if status == 403:
        return Failure(kind=FailureKind.FORBIDDEN, message=f"ARM refuses: {safe_line(text) or 'no reason'} ({answer})")
    if status < 400:
        return Failure(kind=FailureKind.MALFORMED, message=f"the control plane's answer cannot be read ({answer})")
    kind, word = (FailureKind.THROTTLED, "throttles") if status == 429 else (FailureKind.UNAVAILABLE, "failed")
    return Failure(
        kind=kind, message=f"the control plane {word} ({answer})", retry_after_s=retry_after_s(headers, text)
    )


def _not_allowed(text: str, answer: str, endpoint: str) -> Failure:
    """The one refusal that a role cures."""
    found = _ACTION.search(text)
    action = found.group(1) if found else READ_ACTION
    return Failure(
        kind=FailureKind.PERMISSION,
        message=f"the principal lacks {action} on endpoint {endpoint!r} ({answer})",
        hint=role_advice(action),
        action=action,
    )


def _not_found(text: str, answer: str, *, endpoint: str, workspace: Workspace) -> Failure:
    """Workspace or endpoint; subscription and resource group have codes of their own."""
    group = f"resource group {workspace.resource_group!r}"
    if is_about_the_workspace(text):
        return Failure(
            kind=FailureKind.NOT_FOUND,
            message=f"no workspace {workspace.workspace_name!r} in {group} ({answer})",
            hint="check --workspace and --resource-group",
        )
    place = f"workspace {workspace.workspace_name!r}, {group}"
    kind, name = (
        ("serverless", endpoint.removeprefix(SERVERLESS)) if endpoint.startswith(SERVERLESS) else ("online", endpoint)
    )
    return Failure(
        kind=FailureKind.NOT_FOUND,
        message=f"no {kind} endpoint {name!r} in {place} ({answer})",
        hint="check the name, the workspace and the subscription"
        + ("" if kind == "serverless" else "; a serverless endpoint is written serverless/NAME"),
    )
