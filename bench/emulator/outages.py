"""What a fault of the control plane or of identity answers, and how it alters a good answer. Pure.

Bodies: ARM's SubscriptionRequestsThrottled as quoted in MicrosoftDocs/azure-docs#105248; identity's are
Entra's error form (`error`, `error_description`).
"""

from __future__ import annotations

import json
from dataclasses import replace
from math import ceil

from bench.emulator.faults import Fault
from bench.emulator.messages import Ending, Headers, Response, arm_error, as_json
from bench.emulator.refusals import ARM_REFUSALS, ENTRA_ERRORS, arm_refusal

_ARM: dict[str, tuple[str, str]] = {
    "401": ("InvalidAuthenticationToken", "The access token is invalid."),
    "404": ("ResourceNotFound", "The Resource was not found."),
    "409": ("Conflict", "Another operation is in progress on this endpoint."),
    "429": (
        "SubscriptionRequestsThrottled",
        (
            "Number of requests for subscription '{subscription}' and operation '{operation}' exceeded the backend "
            "storage limit. Please try again after '{seconds}' seconds."
        ),
    ),
    "500": ("InternalServerError", "Received an internal server error."),
    "502": ("BadGateway", "The gateway did not receive a response from the resource provider in time."),
    "503": ("ServiceUnavailable", "The service is unavailable. Please try again."),
}
_IDENTITY: dict[str, tuple[str, str]] = {
    "400": ("invalid_request", "AADSTS90014: a required field is missing from the request."),
    "401": ("invalid_client", "AADSTS7000215: Invalid client secret provided."),
    "429": ("too_many_requests", "AADSTS50196: The server terminated the operation because it was asked too often."),
    "500": ("server_error", "AADSTS90033: A transient error has occurred. Please try again."),
    "503": ("temporarily_unavailable", "AADSTS90033: A transient error has occurred. Please try again."),
}


def arm_outage(fault: Fault, *, subscription: str, operation: str, denied: str) -> Response | None:
    """The answer `fault` gives instead of the right one; None when it only slows or alters that.

    `denied` is the message of an AuthorizationFailed.
    """
    if fault.answer == "403":
        response = arm_error(403, "AuthorizationFailed", denied)
    elif fault.answer in ARM_REFUSALS:
        response = arm_refusal(fault.answer)
    elif fault.answer in _ARM:
        code, message = _ARM[fault.answer]
        seconds = ceil(fault.retry_after_s or 6)
        text = message.format(subscription=subscription, operation=operation, seconds=seconds)
        response = arm_error(int(fault.answer), code, text)
        if fault.answer == "401":
            response = response.with_headers(("www-authenticate", 'Bearer error="invalid_token"'))
    else:
        return _network(fault)
    return _timed(response, fault)


def identity_outage(fault: Fault) -> Response | None:
    """The same for the identity endpoints."""
    if (code := fault.answer.removeprefix("AADSTS")) in ENTRA_ERRORS:
        description = f"AADSTS{code}: {ENTRA_ERRORS[code]} Trace ID: 0f0f Correlation ID: 0a0a Timestamp: 2026-01-01"
        return _timed(as_json(400, {"error": "invalid_grant", "error_description": description}), fault)
    if fault.answer not in _IDENTITY:
        return _network(fault)
    error, description = _IDENTITY[fault.answer]
    return _timed(as_json(int(fault.answer), {"error": error, "error_description": description}), fault)


def altered(response: Response, fault: Fault, now_s: float) -> Response:
    """The right answer as `fault` spoils it: slow, cut off, or with times nobody should believe."""
    if response.status != 200:
        return replace(response, delay_s=fault.delay_s)
    body = response.body
    if fault.answer == "malformed":
        body = body[: len(body) // 2] or b"{"
    elif fault.answer.endswith("times") or fault.answer == "refresh_after_expiry":
        body = _absurd_times(body, fault.answer, now_s)
    return replace(response, body=body, delay_s=fault.delay_s)


def _absurd_times(body: bytes, answer: str, now_s: float) -> bytes:
    fields = json.loads(body)
    if "expiryTimeUtc" not in fields:
        return body
    if answer == "missing_times":
        fields.pop("expiryTimeUtc")
        fields.pop("refreshAfterTimeUtc")
    elif answer == "expired_times":
        fields |= {"expiryTimeUtc": int(now_s) - 3600, "refreshAfterTimeUtc": int(now_s) - 7200}
    elif answer == "far_times":
        fields |= {"expiryTimeUtc": 2**53, "refreshAfterTimeUtc": 2**53}
    else:
        fields["refreshAfterTimeUtc"] = fields["expiryTimeUtc"] + 3600
    return json.dumps(fields, separators=(",", ":")).encode()


def _network(fault: Fault) -> Response | None:
    if fault.answer == "hang":
        return Response(status=0, ending=Ending.HANG)
    if fault.answer in ("drop", "refuse"):
        return Response(status=0, ending=Ending.DROP)
    return None


def _timed(response: Response, fault: Fault) -> Response:
    headers: Headers = ()
    if fault.retry_after_s is not None:
        headers = (("retry-after", str(ceil(fault.retry_after_s))),)
    return replace(response.with_headers(*headers), delay_s=fault.delay_s)
