"""How one attempt at a request ended: what its answer, or the lack of one, amounts to. The hot path.

The words are those of `outcome`; what a model, a stream or a check of bodies says of an answer is put together here.
"""

from __future__ import annotations

from typing import Any

from bench.clock import monotonic_ns
from bench.errors import BenchError
from bench.failure_sample import NO_DETAILS, AnswerDetails
from bench.load.engine import outcome
from bench.load.engine.answer_checks import ITSELF
from bench.load.engine.blot import blot
from bench.load.engine.failure_samples import details_of
from bench.load.engine.lane import Lane
from bench.load.engine.shared import Engine
from bench.load.engine.tokens import Streamed
from bench.load.wire.connection import Connection
from bench.plan.expectation import CAUSE
from bench.sample import NO_TIME, Cause, Outcome

OK = Outcome.OK.value
_AUTH_FAILURE = Outcome.AUTH_FAILURE.value
REFUSED = 401

End = tuple[str, str, int, int, int, int, int, int, bytes, int, bytes, int, Streamed | None, int, AnswerDetails]
"""How one attempt ended: outcome, cause, status, sequence, sent_ns, first_byte_ns, done_ns, connect_ns, server time (as
the server wrote it), response_bytes, deployment, replays, what was streamed, for how many answers it stands where not
all bodies are checked, details of the first failure of its kind.
The connection is used again before a refused attempt is recorded."""


def end_of(
    bench: Engine, lane: Lane, lease: Any, connection: Connection, sequence: int, streamed: Streamed | None
) -> End:
    """What came of request `sequence`, sent on `connection` with `lease`."""
    answer = connection.answer
    first_byte_ns, done_ns = connection.first_byte_ns, connection.done_ns
    failure, why, stands_for = connection.failure, "", ITSELF
    if not failure:
        status = answer.status
        if 200 <= status < 300:
            kind, cause = outcome.OK
            lane.worked = lease.generation
            if streamed is not None and (streamed.error or streamed.broken_off):
                (kind, cause), why = _ended_badly(streamed)
            elif bench.checks is not None:
                why, stands_for = bench.checks.failure(answer)
                if why:
                    kind, cause = Outcome.UNEXPECTED.value, CAUSE
        else:
            kind, cause = outcome.classify(
                status,
                reason=answer.reason or answer.body_start,
                head=answer.head,
                run_failed=answer.run_failed,
                done_ns=done_ns,
                expires_at_ns=lease.expires_at,
            )
    else:
        status = answer.status if first_byte_ns != NO_TIME else 0
        kind, cause = outcome.of_failure(failure)
    details = NO_DETAILS
    if kind != OK and not bench.failures.knows(lane.variant.name, kind, cause, status):
        details = details_of(answer, detail=why or connection.detail, secret=lease.secret, more_secrets=lane.secrets)
    return (
        *(kind, cause, status, sequence, connection.sent_ns, first_byte_ns, done_ns, connection.connect_ns),
        *(answer.server_time_ms, answer.response_bytes, answer.deployment, connection.replays),
        *(streamed, stands_for, details),
    )


def was_refused(end: End) -> bool:
    """Whether it is worth a second attempt, with a newer lease."""
    return end[0] == _AUTH_FAILURE and end[2] == REFUSED


def forbidden(end: End) -> End:
    """A refusal that was a denial; one put down to expiry stays that."""
    return (end[0], Cause.FORBIDDEN.value, *end[2:]) if end[1] == Cause.REFUSED.value else end


def without_lease(bench: Engine, lane: Lane, why: BenchError) -> End:
    """A request that could not be sent for want of a credential: an auth failure of its own kind."""
    bench.sequence += 1
    details = NO_DETAILS
    if not bench.failures.knows(lane.variant.name, *outcome.NO_LEASE, 0):
        details = AnswerDetails(reason=blot(why.describe(), "", most=200))
    now = monotonic_ns()
    return (*outcome.NO_LEASE, 0, bench.sequence, now, NO_TIME, now, 0, b"", 0, b"", 0, None, ITSELF, details)


def _ended_badly(streamed: Streamed) -> tuple[outcome.Verdict, str]:
    """Of a whole answer with status 200: what the server said in its midst, or did not say at its end."""
    if streamed.error:
        return outcome.ERROR_IN_STREAM, streamed.error
    return outcome.CUT, f"the stream ended without [DONE] or a finish reason, after {len(streamed.times_ns)} with text"
