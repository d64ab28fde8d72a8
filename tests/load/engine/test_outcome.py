"""How answers are classified: every status code of Azure's tables, and what tells expired from refused."""

from __future__ import annotations

import pytest

from bench.load.engine.outcome import EXPIRY_TOLERANCE_NS, classify
from bench.sample import Cause, Outcome

S = 1_000_000_000


@pytest.mark.parametrize(
    ("status", "outcome", "cause"),
    [
        # happy
        (200, Outcome.OK, ""),
        (201, Outcome.OK, ""),
        (204, Outcome.OK, ""),
        # managed endpoints
        (401, Outcome.AUTH_FAILURE, Cause.REFUSED),
        (403, Outcome.AUTH_FAILURE, Cause.FORBIDDEN),
        (404, Outcome.UNEXPECTED, "not_found"),
        (408, Outcome.TIMED_OUT, "server"),
        (413, Outcome.UNEXPECTED, "too_large"),
        (424, Outcome.MODEL_ERROR, ""),
        (429, Outcome.THROTTLED, Cause.RATE),
        (499, Outcome.UNEXPECTED, "http_499"),
        (500, Outcome.SERVER_ERROR, ""),
        # Kubernetes
        (409, Outcome.UNEXPECTED, "http_409"),
        (502, Outcome.SERVER_ERROR, "bad_gateway"),
        (503, Outcome.SERVER_ERROR, "unavailable"),
        (504, Outcome.TIMED_OUT, "server"),
        # what nobody documents
        (301, Outcome.UNEXPECTED, "redirect"),
        (307, Outcome.UNEXPECTED, "redirect"),
        (308, Outcome.UNEXPECTED, "redirect"),
        (304, Outcome.UNEXPECTED, "http_304"),
        (400, Outcome.UNEXPECTED, "bad_request"),
        (415, Outcome.UNEXPECTED, "media_type"),
        (422, Outcome.UNEXPECTED, "unprocessable"),
        (418, Outcome.UNEXPECTED, "http_418"),
        (501, Outcome.SERVER_ERROR, ""),
        (599, Outcome.SERVER_ERROR, ""),
        (999, Outcome.SERVER_ERROR, ""),
    ],
)
def test_every_status(status: int, outcome: Outcome, cause: str) -> None:
    """An answer that says no more than its status."""
    assert classify(status) == (outcome.value, str(cause))


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        (b"too_many_pending_request", Cause.PENDING),
        (b"too_many_pending_requests", Cause.PENDING),
        (b'{"error": "Too many pending requests"}', Cause.PENDING),
        (b"", Cause.RATE),
        (b"rate limited", Cause.RATE),
        (b"\xff\xfe", Cause.RATE),
        (b'{"error": {"message": "... have exceeded token rate limit of your current pricing tier."}}', Cause.TOKENS),
        (b"Rate limit reached for gpt on tokens per min (TPM): Limit 10000, Used 9990", Cause.TOKENS),
        (b"... have exceeded call rate limit of your current pricing tier.", Cause.RATE),
        (b"invalid token, too many requests", Cause.RATE),
    ],
)
def test_why_it_was_throttled(reason: bytes, cause: Cause) -> None:
    """Too many requests under way is the deployment's limit, anything else the endpoint's rate."""
    assert classify(429, reason=reason) == (Outcome.THROTTLED.value, cause.value)


@pytest.mark.parametrize(
    ("left", "reason", "cause"),
    [
        (b"0", b"", Cause.TOKENS),
        (b"-12", b"Too Many Requests", Cause.TOKENS),
        (b"0", b"exceeded call rate limit", Cause.RATE),
        (b"0", b"too_many_pending_request", Cause.PENDING),
        (b"07", b"", Cause.RATE),
        (b"5000", b"", Cause.RATE),
        (b"none", b"", Cause.RATE),
        (b"", b"", Cause.RATE),
    ],
)
def test_a_budget_without_a_token_left_was_one_of_tokens(left: bytes, reason: bytes, cause: Cause) -> None:
    """Where the answer does not say which of its budgets is spent, what is left of the tokens does."""
    head = b"HTTP/1.1 429 Too Many\r\nX-RateLimit-Remaining-Tokens: %b\r\nRetry-After: 7\r\n\r\n" % left
    assert classify(429, reason=reason, head=head) == (Outcome.THROTTLED.value, cause.value)


@pytest.mark.parametrize(
    ("status", "run_failed", "outcome"),
    [
        (500, True, Outcome.MODEL_ERROR),
        (500, False, Outcome.SERVER_ERROR),
        (502, True, Outcome.MODEL_ERROR),
        (503, True, Outcome.MODEL_ERROR),
        (504, True, Outcome.TIMED_OUT),
        (200, True, Outcome.OK),
    ],
)
def test_the_inference_server_owns_up(status: int, run_failed: bool, outcome: Outcome) -> None:
    """`x-ms-run-function-failed: True` on an error tells the model's error from the platform's."""
    assert classify(status, run_failed=run_failed)[0] == outcome.value


@pytest.mark.parametrize(
    ("done_ns", "expires_at_ns", "cause"),
    [
        (100 * S, 200 * S, Cause.REFUSED),
        (100 * S, 100 * S + EXPIRY_TOLERANCE_NS + 1, Cause.REFUSED),
        (100 * S, 100 * S + EXPIRY_TOLERANCE_NS, Cause.EXPIRED),
        (100 * S, 100 * S, Cause.EXPIRED),
        (100 * S, 50 * S, Cause.EXPIRED),
        (100 * S, None, Cause.REFUSED),
        (0, None, Cause.REFUSED),
    ],
)
def test_expired_or_refused(done_ns: int, expires_at_ns: int | None, cause: Cause) -> None:
    """Azure's 401 is the same for both: the lease's own expiry, known to the second, tells. A key never expires."""
    expected = (Outcome.AUTH_FAILURE.value, cause.value)
    assert classify(401, done_ns=done_ns, expires_at_ns=expires_at_ns) == expected


@pytest.mark.parametrize("status", [200, 403, 404, 429, 500])
def test_only_a_401_looks_at_the_lease(status: int) -> None:
    """An expired lease does not make an auth failure of anything else."""
    assert classify(status, done_ns=100 * S, expires_at_ns=1) == classify(status)


def test_every_status_has_an_outcome() -> None:
    """Whatever three digits a server thinks of, the words are those of the data format."""
    for status in range(200, 1000):
        outcome, cause = classify(status)
        assert outcome in list(Outcome)
        assert len(cause) < 20
