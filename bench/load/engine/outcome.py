"""How an answer is classified. Pure: bytes and times in, an `Outcome` and a cause out.

Azure's 401 does not say why (azure-contract: "token expired / wrong format" share one code), so the
lease that was sent tells expired from refused. Status codes: Microsoft Learn, "Troubleshoot online
endpoints", section "HTTP status codes".
"""

from __future__ import annotations

from bench.sample import Cause, Outcome

EXPIRY_TOLERANCE_NS = 1_000_000_000
"""Azure tells expiry in whole seconds, so a 401 within one second of it is put down to expiry."""

_TOO_MANY_PENDING = b"too_many_pending"

Verdict = tuple[str, str]
OK: Verdict = (Outcome.OK.value, Cause.NONE.value)
NO_LEASE: Verdict = (Outcome.AUTH_FAILURE.value, Cause.NO_LEASE.value)

_BY_STATUS: dict[int, Verdict] = {
    403: (Outcome.AUTH_FAILURE.value, Cause.FORBIDDEN.value),
    408: (Outcome.TIMED_OUT.value, "model"),
    424: (Outcome.MODEL_ERROR.value, Cause.NONE.value),
    504: (Outcome.TIMED_OUT.value, "gateway"),
}


def classify(
    status: int,
    *,
    reason: bytes = b"",
    run_failed: bool = False,
    done_ns: int = 0,
    expires_at_ns: int | None = None,
) -> Verdict:
    """Outcome and cause of a complete answer.

    `reason` is `ms-azureml-model-error-reason`, or the start of the body where that header is missing;
    `run_failed` is the inference server's `x-ms-run-function-failed`. `done_ns` and `expires_at_ns` (None:
    never) are on the same clock.
    """
    if 200 <= status < 300:
        return OK
    if status == 401:
        expired = expires_at_ns is not None and done_ns >= expires_at_ns - EXPIRY_TOLERANCE_NS
        return (Outcome.AUTH_FAILURE.value, Cause.EXPIRED.value if expired else Cause.REFUSED.value)
    if status == 429:
        pending = _TOO_MANY_PENDING in reason or b"pending" in reason.lower()
        return (Outcome.THROTTLED.value, Cause.PENDING.value if pending else Cause.RATE.value)
    known = _BY_STATUS.get(status)
    if known is not None:
        return known
    if status >= 500:
        failed = run_failed or status == 502
        return ((Outcome.MODEL_ERROR if failed else Outcome.SERVER_ERROR).value, Cause.NONE.value)
    return (Outcome.UNEXPECTED.value, f"http_{status}")
