"""One scoring request's life, from due to recorded. The hot path.

It may be ugly where it saves time; what a line saves is said beside it.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import Any, Protocol

from bench.clock import monotonic_ns
from bench.credentials import Denied
from bench.errors import BenchError
from bench.failure_sample import NO_DETAILS, AnswerDetails
from bench.load.engine import outcome
from bench.load.engine.answer_checks import ITSELF, AnswerChecks
from bench.load.engine.blot import blot
from bench.load.engine.failure_samples import FailureSamples, details_of
from bench.load.engine.feeder import Feeder
from bench.load.engine.lane import Lane, milliseconds
from bench.load.engine.payload import Payload
from bench.load.engine.tokens import Streamed, TokenReader
from bench.load.wire.answer import Answer
from bench.load.wire.connection import Connection
from bench.load.wire.deadlines import NEVER, Deadlines
from bench.load.wire.hub_watch import HubWatch
from bench.plan.expectation import CAUSE
from bench.sample import NO_TIME, Cause, Outcome, Phase
from bench.samples.chunks import ChunkRecorder
from bench.samples.recorder import Recorder
from bench.trace_context import TraceContext

_OK = Outcome.OK.value
_AUTH_FAILURE = Outcome.AUTH_FAILURE.value
_REFUSED = 401
_NOT_STREAMED = (NO_TIME, NO_TIME, 0, 0, 0, 0)

End = tuple[str, str, int, int, int, int, int, int, bytes, int, bytes, int, Streamed | None, int, AnswerDetails]
"""How one attempt ended: outcome, cause, status, sequence, sent_ns, first_byte_ns, done_ns, connect_ns, server time (as
the server wrote it), response_bytes, deployment, replays, what was streamed, for how many answers it stands where not
all bodies are checked, details of the first failure of its kind.
The connection is used again before a refused attempt is recorded."""


class Listeners(Protocol):
    """Who hears of each request beside the recorder. `wanted` is asked first: an event costs more than a sample."""

    @property
    def wanted(self) -> bool: ...

    def fire(self, **request: Any) -> None: ...

    def failed(self, name: str, error: BaseException) -> None: ...


class ScoringFailure(Exception):
    """What Locust is told of a request that did not end well; one object a kind, so that it groups them."""


@dataclass(slots=True)
class Tally:
    """Counters of this process for progress and the web UI. `between_turns` are users that will go on with a
    conversation; `conversations` are how many of each variant ended how."""

    requests: int = 0
    failures: int = 0
    auth_failures: int = 0
    in_flight: int = 0
    between_turns: int = 0
    conversations: dict[str, dict[str, int]] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Engine:
    """What all users of this process share in one run."""

    lanes: tuple[Lane, ...]
    recorder: Recorder
    watch: HubWatch
    deadlines: Deadlines
    tally: Tally
    feeder: Feeder
    timeout_ns: int
    id_prefix: bytes
    events: Listeners
    failures: FailureSamples
    chunks: ChunkRecorder
    idle_ns: int = 0
    checks: AnswerChecks | None = None
    trace: TraceContext | None = None
    zero_ns: int = 0
    measure_from_ns: int = 0
    sequence: int = 0
    errors: dict[tuple[str, str, str, int], ScoringFailure] = field(default_factory=dict)


class Scorer:
    """One user's way of sending requests: its own connection to each lane.

    What it sends before the user serves does not count (`counts`): it is of no figure, whenever it was.
    """

    def __init__(self, bench: Engine, *, counts: bool = True) -> None:
        self._bench = bench
        self._measure_from_ns = 0 if counts else NEVER
        self._payload = bench.feeder.at(0)
        self._holds = False
        self._held: tuple[Any, ...] | None = None
        keep_body = bench.checks is not None
        self._connections = [
            Connection(
                lane.address, watch=bench.watch, deadlines=bench.deadlines, ways=lane.ways, idle_ns=bench.idle_ns
            )
            for lane in bench.lanes
        ]
        self._tokens = TokenReader()
        for connection in self._connections:
            connection.answer.keep_body = keep_body
            connection.answer.sink = self._tokens

    @property
    def tally(self) -> Tally:
        return self._bench.tally

    def read_with(self, reader: TokenReader) -> None:
        """From now on `reader` is told of the events of streamed answers."""
        self._tokens = reader
        for connection in self._connections:
            connection.answer.sink = reader

    def hold_records(self) -> None:
        """From now on the last attempt of a request is recorded by `record_held`, and bodies are kept."""
        self._holds = True
        for connection in self._connections:
            connection.answer.keep_body = True

    def answer_of(self, lane_index: int) -> Answer | None:
        """The held request's answer, if one came."""
        return self._connections[lane_index].answer if self._held is not None and self._held[2][5] != NO_TIME else None

    def fail_held(self, reason: str) -> None:
        """Whoever asked for it says that the answer is no good."""
        if self._held is None or self._held[2][0] != _OK:
            return
        lane, lease, end, *rest = self._held
        details = AnswerDetails(reason=blot(reason, lease.secret if lease is not None else "", most=200))
        for secret in lane.secrets:
            details.reason = blot(details.reason, secret, most=200)
        self._held = (lane, lease, (Outcome.UNEXPECTED.value, "task", *end[2:-1], details), *rest)

    def record_held(self) -> None:
        """Safe to call twice."""
        held, self._held = self._held, None
        if held is not None:
            self._record(*held)

    def _conclude(self, *record: Any) -> None:
        if self._holds:
            self._held = record
        else:
            self._record(*record)

    def close(self) -> None:
        self.record_held()
        for connection in self._connections:
            connection.close()
            self._bench.deadlines.leave(connection)

    def score(
        self, lane_index: int, *, intended_ns: int, number: int, late_cause: str = "", payload: Payload | None = None
    ) -> bool:
        """Send arrival `number`, due at `intended_ns` (absolute), and replay it once if its lease is refused.

        `payload` is what is sent where an author's task made it. `late_cause` says why it is begun late, if it is.
        Returns whether it ended well.
        """
        bench = self._bench
        lane = bench.lanes[lane_index]
        self._payload = payload or bench.feeder.at(
            number
        )  # a body on disk is read here: the harness's own time, schedule_lag
        began_ns = monotonic_ns()
        deadline_ns = began_ns + bench.timeout_ns
        bench.tally.in_flight += 1
        try:
            waits = lane.lease_waits
            waits.begin(began_ns)
            try:
                lease = lane.manager.lease(bench.timeout_ns / 1e9)
            except BenchError as exc:
                self._record_no_lease(lane, intended_ns, began_ns, late_cause, why=exc)
                return False
            finally:  # this user may be killed while it waits
                waits.end(began_ns, monotonic_ns())
            end = self._send(lane, lane_index, lease, deadline_ns)
            if end[0] == _AUTH_FAILURE and end[2] == _REFUSED:
                times = (intended_ns, began_ns, deadline_ns)
                return self._replay(lane, lane_index, (lease, end), times, late_cause)
            self._conclude(lane, lease, end, intended_ns, began_ns, 0, late_cause)
            return end[0] == _OK
        finally:
            bench.tally.in_flight -= 1

    def _replay(
        self,
        lane: Lane,
        lane_index: int,
        refusal: tuple[Any, End],
        times: tuple[int, int, int],
        late_cause: str,
    ) -> bool:
        """After a 401: once more with the newer lease. Only that tells what the 401 was, so it is recorded afterwards.

        A lease that had scored was refused: rotated, or revoked. An Entra token that never did, while renewing does not
        help either, is a denial: the principal lacks the role, and Azure answers 401 to that too.
        """
        lease, end = refusal
        intended_ns, began_ns, deadline_ns = times
        denied = False
        try:
            newer = self._newer(lane, lease, deadline_ns)
            again = self._send(lane, lane_index, newer, deadline_ns)
            refused_again = again[0] == _AUTH_FAILURE and again[2] == _REFUSED
            denied = refused_again and lane.needs_role and lane.worked != newer.generation
        except BenchError as exc:
            denied = isinstance(exc, Denied) and lane.needs_role and lane.worked != lease.generation
            return False
        finally:  # this user may be killed while it waits
            self._record(lane, lease, _forbidden(end) if denied else end, intended_ns, began_ns, 0, late_cause)
        self._conclude(lane, newer, _forbidden(again) if denied else again, intended_ns, began_ns, 1, late_cause)
        if refused_again:
            with contextlib.suppress(BenchError):  # the manager has to know; this request is not sent a third time
                self._newer(lane, newer, 0)
        return again[0] == _OK

    @staticmethod
    def _newer(lane: Lane, lease: Any, deadline_ns: int) -> Any:
        """The lease to replay with after `lease` was refused; waits for it until the deadline. Raises BenchError."""
        began_ns = monotonic_ns()
        lane.lease_waits.begin(began_ns)
        try:
            return lane.manager.refused(
                lease,
                status=_REFUSED,
                worked=lane.worked == lease.generation,
                timeout_s=max((deadline_ns - began_ns) / 1e9, 0),
            )
        finally:
            lane.lease_waits.end(began_ns, monotonic_ns())

    def _send(self, lane: Lane, lane_index: int, lease: Any, deadline_ns: int) -> End:
        """One attempt and how it ended."""
        bench = self._bench
        bench.sequence = sequence = bench.sequence + 1
        payload = self._payload
        head = lane.head_for(lease) if payload.route is None else lane.head_on(payload.route, lease)
        trace = bench.trace.line(sequence) if bench.trace is not None else b""
        connection = self._connections[lane_index]
        connection.exchange(
            b"%b%b%b%b%08x%b" % (head, trace, payload.head, bench.id_prefix, sequence, payload.tail),
            deadline_ns=deadline_ns,
        )
        answer = connection.answer
        if answer.request_held_ms or answer.response_held_ms:
            lane.held_back.add(answer.request_held_ms, answer.response_held_ms)
        first_byte_ns, done_ns = connection.first_byte_ns, connection.done_ns
        failure, why, stands_for = connection.failure, "", ITSELF
        streamed = self._tokens.take() if answer.events is not None else None
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
        if kind != _OK and not bench.failures.knows(lane.variant.name, kind, cause, status):
            details = details_of(
                answer, detail=why or connection.detail, secret=lease.secret, more_secrets=lane.secrets
            )
        return (
            *(kind, cause, status, sequence, connection.sent_ns, first_byte_ns, done_ns, connection.connect_ns),
            *(answer.server_time_ms, answer.response_bytes, answer.deployment, connection.replays),
            *(streamed, stands_for, details),
        )

    def _record(
        self, lane: Lane, lease: Any, end: End, intended_ns: int, began_ns: int, attempt: int, late_cause: str
    ) -> None:
        bench = self._bench
        recorder = bench.recorder
        zero_ns = bench.zero_ns
        measure_from_ns = self._measure_from_ns or bench.measure_from_ns
        kind, cause, status, sequence, sent_ns, first_ns, done_ns, connect_ns, server_time_ms, size = end[:10]
        deployment, replays, streamed, stands_for, details = end[10:]
        recorder.record(
            intended_ns - zero_ns,
            began_ns - zero_ns,
            sent_ns - zero_ns,
            first_ns - zero_ns if first_ns != NO_TIME else NO_TIME,
            done_ns - zero_ns,
            connect_ns,
            _server_time_ns(server_time_ms) if server_time_ms else NO_TIME,
            sequence & 0xFFFFFFFF,
            size & 0xFFFFFFFF,
            lease.generation & 0xFFFF if lease is not None else 0,
            status,
            recorder.outcomes.codes[kind],
            recorder.causes.code(cause),
            recorder.phases.codes[Phase.MEASURE.value if intended_ns >= measure_from_ns else Phase.WARM_UP.value],
            lane.code,
            recorder.deployments.code(deployment.decode("latin-1")) if deployment else 0,
            recorder.freshnesses.codes[lane.manager.freshness(lease, sent_ns)] if lease is not None else 2,
            attempt,
            replays,
            recorder.late_causes.codes[late_cause],
            recorder.request_classes.code(self._payload.request_class),
            *(_NOT_STREAMED if streamed is None else self._keep(streamed, sequence)),
            stands_for,
        )
        tally = bench.tally
        tally.requests += 1
        error = None
        if kind != _OK:
            tally.failures += 1
            if kind == _AUTH_FAILURE:
                tally.auth_failures += 1
            error = self._failure(lane.variant.name, (kind, cause, status), done_ns - zero_ns, details)
        events = bench.events
        name = lane.name_of(self._payload.request_class)
        if error is not None:
            events.failed(name, error)
        if events.wanted:
            events.fire(
                request_type=lane.method,
                name=name,
                response_time=(done_ns - intended_ns) / 1e6,
                response_length=size,
                exception=error,
                context={"service_time": (done_ns - sent_ns) / 1e6},
                response=None,
            )

    def _keep(self, streamed: Streamed, sequence: int) -> tuple[int, ...]:
        """Every gap to the file of gaps; the columns of the sample."""
        bench = self._bench
        times_ns = streamed.times_ns
        bench.chunks.add(sequence & 0xFFFFFFFF, times_ns)
        return (
            *((times_ns[0] - bench.zero_ns, times_ns[-1] - bench.zero_ns) if times_ns else (NO_TIME, NO_TIME)),
            *(len(times_ns), streamed.output_tokens, streamed.prompt_tokens),
            bench.recorder.tokens_from.codes[streamed.tokens_from],
        )

    def _failure(
        self, variant: str, verdict: tuple[str, str, int], at_ns: int, details: AnswerDetails
    ) -> ScoringFailure:
        """Count it among its kind; Locust is given one object a kind."""
        bench = self._bench
        sample = bench.failures.add(variant, verdict, at_ns=at_ns, details=details)
        error = bench.errors.get((variant, *verdict))
        if error is None:
            outcome_word, cause, status = verdict
            text = f"{outcome_word}: {cause}" if cause else outcome_word
            if status:
                text += f" ({status})"
            more = sample and (sample.model_reason or sample.location)
            error = bench.errors[(variant, *verdict)] = ScoringFailure(f"{text}: {more}" if more else text)
        return error

    def _record_no_lease(
        self, lane: Lane, intended_ns: int, began_ns: int, late_cause: str, *, why: BenchError
    ) -> None:
        """A request that could not be sent for want of a credential: an auth failure of its own kind."""
        bench = self._bench
        bench.sequence += 1
        details = NO_DETAILS
        if not bench.failures.knows(lane.variant.name, *outcome.NO_LEASE, 0):
            details = AnswerDetails(reason=blot(why.describe(), "", most=200))
        now = monotonic_ns()
        end = (*outcome.NO_LEASE, 0, bench.sequence, now, NO_TIME, now, 0, b"", 0, b"", 0, None, ITSELF, details)
        self._conclude(lane, None, end, intended_ns, began_ns, 0, late_cause)


def _forbidden(end: End) -> End:
    """A refusal that was a denial; one put down to expiry stays that."""
    return (end[0], Cause.FORBIDDEN.value, *end[2:]) if end[1] == Cause.REFUSED.value else end


def _ended_badly(streamed: Streamed) -> tuple[outcome.Verdict, str]:
    """Of a whole answer with status 200: what the server said in its midst, or did not say at its end."""
    if streamed.error:
        return outcome.ERROR_IN_STREAM, streamed.error
    return outcome.CUT, f"the stream ended without [DONE] or a finish reason, after {len(streamed.times_ns)} with text"


def _server_time_ns(text: bytes) -> int:
    value = milliseconds(text)
    return NO_TIME if value is None else round(value * 1e6)
