"""How an answer is classified. Pure: bytes and times in, an `Outcome` and a cause out.

Azure's 401 does not say why (azure-contract: "token expired / wrong format" share one code), so the
lease that was sent distinguishes expired from refused. Status codes: Microsoft Learn, "Troubleshoot online
endpoints", section "HTTP status codes".
"""

from __future__ import annotations

import re

from bench.sample import Cause, Outcome

EXPIRY_TOLERANCE_NS = 1_000_000_000
"""Azure states expiry in whole seconds, so a 401 within one second of it is put down to expiry."""

_TOO_MANY_PENDING = b"too_many_pending"
_OF_TOKENS = re.compile(rb"tokens?[ _]rate[ _]limit|tokens?[ _](?:per|a)[ _]min|\btpm\b", re.IGNORECASE)
_OF_REQUESTS = re.compile(rb"call[ _]rate[ _]limit|requests?[ _](?:per|a)[ _](?:min|sec)|\brpm\b", re.IGNORECASE)
"""As Azure OpenAI and OpenAI say in a 429's body which of the two budgets is spent."""
_NO_TOKEN_LEFT = re.compile(rb"^x-ratelimit-remaining-tokens:[ \t]*(?:0|-\d+)[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)

Verdict = tuple[str, str]
OK: Verdict = (Outcome.OK.value, Cause.NONE.value)
TIMED_OUT: Verdict = (Outcome.TIMED_OUT.value, "client")
IDLE: Verdict = (Outcome.TIMED_OUT.value, "idle")
CUT: Verdict = (Outcome.TRANSPORT_ERROR.value, "cut")
ERROR_IN_STREAM: Verdict = (Outcome.MODEL_ERROR.value, "stream")
NO_LEASE: Verdict = (Outcome.AUTH_FAILURE.value, Cause.NO_LEASE.value)

_BY_STATUS: dict[int, Verdict] = {
    403: (Outcome.AUTH_FAILURE.value, Cause.FORBIDDEN.value),
    408: (Outcome.TIMED_OUT.value, "server"),
    424: (Outcome.MODEL_ERROR.value, Cause.NONE.value),
    504: (Outcome.TIMED_OUT.value, "server"),
    **dict.fromkeys((300, 301, 302, 303, 307, 308), (Outcome.UNEXPECTED.value, "redirect")),
    400: (Outcome.UNEXPECTED.value, "bad_request"),
    404: (Outcome.UNEXPECTED.value, "not_found"),
    405: (Outcome.UNEXPECTED.value, "method"),
    411: (Outcome.UNEXPECTED.value, "length_required"),
    413: (Outcome.UNEXPECTED.value, "too_large"),
    414: (Outcome.UNEXPECTED.value, "uri_too_long"),
    415: (Outcome.UNEXPECTED.value, "media_type"),
    422: (Outcome.UNEXPECTED.value, "unprocessable"),
    431: (Outcome.UNEXPECTED.value, "headers_too_large"),
}
_SERVER_CAUSES = {502: "bad_gateway", 503: "unavailable"}
"""A 502 is a proxy's, or on Kubernetes a model's that crashed: only `run_failed` shows which."""


def of_failure(word: str) -> Verdict:
    """Outcome and cause of an exchange that came to no whole answer, by the connection's word for it."""
    if word == "timeout":
        return TIMED_OUT
    return IDLE if word == "idle" else (Outcome.TRANSPORT_ERROR.value, word)


def classify(
    status: int,
    *,
    reason: bytes = b"",
    head: bytes = b"",
    run_failed: bool = False,
    done_ns: int = 0,
    expires_at_ns: int | None = None,
) -> Verdict:
    """Outcome and cause of a complete answer.

    `reason` is `ms-azureml-model-error-reason`, or the start of the body where that header is missing; `head` are the
    answer's headers as they came, for what a budget says of itself; `run_failed` is the inference server's
    `x-ms-run-function-failed`. `done_ns` and `expires_at_ns` (None: never) are on the same clock.
    """
    if 200 <= status < 300:
        return OK
    if status == 401:
        expired = expires_at_ns is not None and done_ns >= expires_at_ns - EXPIRY_TOLERANCE_NS
        return (Outcome.AUTH_FAILURE.value, Cause.EXPIRED.value if expired else Cause.REFUSED.value)
    if status == 429:
        return (Outcome.THROTTLED.value, _throttled_by(reason, head).value)
    known = _BY_STATUS.get(status)
    if known is not None:
        return known
    if status >= 500:
        if run_failed:
            return (Outcome.MODEL_ERROR.value, Cause.NONE.value)
        return (Outcome.SERVER_ERROR.value, _SERVER_CAUSES.get(status, Cause.NONE.value))
    return (Outcome.UNEXPECTED.value, f"http_{status}")


def _throttled_by(reason: bytes, head: bytes) -> Cause:
    """What there was too much of: by what the answer says, else by what it says is left of the tokens."""
    if _TOO_MANY_PENDING in reason or b"pending" in reason.lower():
        return Cause.PENDING
    if _OF_TOKENS.search(reason):
        return Cause.TOKENS
    return Cause.TOKENS if _NO_TOKEN_LEFT.search(head) and not _OF_REQUESTS.search(reason) else Cause.RATE
