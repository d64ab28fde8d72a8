"""What went wrong at Azure, in one clear line. The only place that knows the SDK's exceptions.

Who calls it: the agent process. It does no IO. Messages are made
here from status codes and error codes; of a server's own words only what cannot hold a secret is kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from azure.core.exceptions import (
    AzureError,
    HttpResponseError,
    ServiceRequestError,
    ServiceRequestTimeoutError,
    ServiceResponseTimeoutError,
)

from bench.credentials.failure import Failure, FailureKind
from bench.credentials.lease import NoLifeLeft
from bench.endpoint import READ_ACTION, Workspace, role_advice

_ACTION = re.compile(r"perform action '([^']+)'")
_TRY_AGAIN = re.compile(r"again after '(\d+)' seconds")
_TRIED = re.compile(r"^\s*(\w+Credential): (.+)$", re.MULTILINE)
_ENTRA_CODE = re.compile(r"AADSTS\d+")
_LONG_WORD = re.compile(r"[\w+/=.~-]{40,}")
_LONGEST_LINE = 300
_OUR_FAULT = (400, 401, 403)
_TROUBLE = re.compile(r"connection|timed out|JSON", re.IGNORECASE)
_LOG_IN = "log in with `az login`, or give the host a managed identity or AZURE_TENANT_ID, _CLIENT_ID, _CLIENT_SECRET"
_WAIT = "the identity service is in trouble; it is asked again"


@dataclass(frozen=True, slots=True)
class IdentityAnswer:
    """The last thing the identity service answered."""

    status: int
    headers: Mapping[str, str]


class IdentityFailed(Exception):
    """azure-identity gave no token; `__cause__` says why. Tells the identity service's failures from ARM's."""

    def __init__(self, answer: IdentityAnswer | None) -> None:
        super().__init__("no token")
        self.answer = answer


class Unusable(Exception):
    """An answer that parses and is of no use; the message says what it lacks."""


def explain(exc: Exception, *, endpoint: str, workspace: Workspace) -> Failure:
    """The failure `exc` amounts to, for a call that concerned `endpoint`."""
    if isinstance(exc, IdentityFailed):
        return _no_identity(exc.__cause__ or exc, exc.answer)
    if isinstance(exc, ServiceRequestTimeoutError | ServiceResponseTimeoutError):
        return Failure(kind=FailureKind.TIMED_OUT, message="the Azure control plane did not answer in time")
    if isinstance(exc, HttpResponseError) and exc.response is not None and exc.status_code is not None:
        return _http(exc, exc.status_code, endpoint=endpoint, workspace=workspace)
    if isinstance(exc, ServiceRequestError):
        return Failure(
            kind=FailureKind.UNAVAILABLE,
            message=f"cannot reach the Azure control plane: {safe_line(str(exc))}",
            hint="check the network, proxy and cloud settings",
        )
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


def _http(exc: HttpResponseError, status: int, *, endpoint: str, workspace: Workspace) -> Failure:
    code = str(getattr(exc.error, "code", "") or "")
    text = str(getattr(exc.error, "message", "") or "")
    answer = f"ARM answered {status} {code}".strip()
    retry_after_s = _retry_after_s(exc.response.headers, text)
    if status == 403:
        found = _ACTION.search(text)
        action = found.group(1) if found else READ_ACTION
        return Failure(
            kind=FailureKind.PERMISSION,
            message=f"the principal lacks {action} on endpoint {endpoint!r} ({answer})",
            hint=role_advice(action),
            action=action,
        )
    if status == 404:
        place = f"workspace {workspace.workspace_name!r}, resource group {workspace.resource_group!r}"
        return Failure(
            kind=FailureKind.NOT_FOUND,
            message=f"no online endpoint {endpoint!r} in {place} ({answer})",
            hint="check the name, the workspace and the subscription",
        )
    if status == 401:
        return Failure(kind=FailureKind.IDENTITY, message=f"ARM refused the principal's token ({answer})", hint=_LOG_IN)
    if status == 429:
        return Failure(
            kind=FailureKind.THROTTLED, message=f"the control plane throttles ({answer})", retry_after_s=retry_after_s
        )
    if status < 400:
        return Failure(kind=FailureKind.MALFORMED, message=f"the control plane's answer cannot be read ({answer})")
    return Failure(
        kind=FailureKind.UNAVAILABLE, message=f"the control plane failed ({answer})", retry_after_s=retry_after_s
    )


def _no_identity(cause: BaseException, answer: IdentityAnswer | None) -> Failure:
    text = str(cause)
    tried = _TRIED.findall(text)
    code = _ENTRA_CODE.search(text)
    if answer is not None and answer.status >= 400:
        reason = f"the identity service answered {answer.status} {code.group(0) if code else ''}".strip()
        theirs = answer.status not in _OUR_FAULT
    elif len(tried) > 1:
        reason, theirs = f"none of {', '.join(name for name, _ in tried)} gave one", False
    else:
        reason = " ".join(tried[0]) if tried else text.partition("\n")[0] or type(cause).__name__
        theirs = _TROUBLE.search(reason) is not None
    return Failure(
        kind=FailureKind.IDENTITY,
        message=f"no Entra token for this principal: {safe_line(reason)}",
        hint=_WAIT if theirs else _LOG_IN,
        retry_after_s=None if answer is None else _retry_after_s(answer.headers, ""),
    )


def _retry_after_s(headers: Mapping[str, Any], text: str) -> float | None:
    """What the server asks for: Retry-After in seconds, Azure's two in milliseconds, or ARM's sentence about it."""
    for name, unit_s in (("retry-after-ms", 0.001), ("x-ms-retry-after-ms", 0.001), ("Retry-After", 1.0)):
        try:
            return float(headers[name]) * unit_s
        except (KeyError, ValueError):
            continue
    found = _TRY_AGAIN.search(text)
    return float(found.group(1)) if found else None


def safe_line(text: str) -> str:
    """Foreign text on one short line, with whatever could be a key or token blotted out."""
    return _LONG_WORD.sub("***", " ".join(text.split()))[:_LONGEST_LINE]
