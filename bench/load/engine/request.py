"""One scoring request's life, from due to recorded. The hot path.

It may be ugly where it saves time; what a line saves is said beside it.
"""

from __future__ import annotations

import contextlib
from typing import Any

from bench.clock import monotonic_ns
from bench.credentials import Denied
from bench.errors import BenchError
from bench.failure_sample import AnswerDetails
from bench.load.engine.attempt import OK, REFUSED, End, end_of, forbidden, was_refused, without_lease
from bench.load.engine.blot import blot
from bench.load.engine.lane import Lane
from bench.load.engine.payload import Payload
from bench.load.engine.recording import Recording
from bench.load.engine.shared import Engine, Tally
from bench.load.engine.tokens import TokenReader
from bench.load.wire.answer import Answer
from bench.load.wire.connection import Connection
from bench.sample import NO_TIME, Outcome


class Scorer:
    """One user's way of sending requests: its own connection to each lane.

    What it sends before the user serves does not count (`counts`): it is of no figure, whenever it was.
    """

    def __init__(self, bench: Engine, *, counts: bool = True) -> None:
        self._bench = bench
        self._add = Recording(bench, counts=counts).add
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
        """From now on `reader` receives the events of streamed answers."""
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
        if self._held is None or self._held[2][0] != OK:
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
            self._add(*held)

    def _conclude(self, *record: Any) -> None:
        if self._holds:
            self._held = record
        else:
            self._add(*record)

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
                end = without_lease(bench, lane, exc)
                self._conclude(lane, None, end, self._payload.request_class, intended_ns, began_ns, 0, late_cause)
                return False
            finally:  # this user may be killed while it waits
                waits.end(began_ns, monotonic_ns())
            end = self._send(lane, lane_index, lease, deadline_ns)
            if was_refused(end):
                times = (intended_ns, began_ns, deadline_ns)
                return self._replay(lane, lane_index, (lease, end), times, late_cause)
            self._conclude(lane, lease, end, self._payload.request_class, intended_ns, began_ns, 0, late_cause)
            return end[0] == OK
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
        """After a 401: once more with the newer lease. Only that shows what the 401 was, so it is recorded afterwards.

        A lease that had scored was refused: rotated, or revoked. An Entra token that never did, while renewing does not
        help either, is a denial: the principal lacks the role, and Azure answers 401 to that too.
        """
        lease, end = refusal
        intended_ns, began_ns, deadline_ns = times
        denied = False
        try:
            newer = self._newer(lane, lease, deadline_ns)
            again = self._send(lane, lane_index, newer, deadline_ns)
            refused_again = was_refused(again)
            denied = refused_again and lane.needs_role and lane.worked != newer.generation
        except BenchError as exc:
            denied = isinstance(exc, Denied) and lane.needs_role and lane.worked != lease.generation
            return False
        finally:  # this user may be killed while it waits
            first = forbidden(end) if denied else end
            self._add(lane, lease, first, self._payload.request_class, intended_ns, began_ns, 0, late_cause)
        last = forbidden(again) if denied else again
        self._conclude(lane, newer, last, self._payload.request_class, intended_ns, began_ns, 1, late_cause)
        if refused_again:
            with contextlib.suppress(BenchError):  # the manager has to know; this request is not sent a third time
                self._newer(lane, newer, 0)
        return again[0] == OK

    @staticmethod
    def _newer(lane: Lane, lease: Any, deadline_ns: int) -> Any:
        """The lease to replay with after `lease` was refused; waits for it until the deadline. Raises BenchError."""
        began_ns = monotonic_ns()
        lane.lease_waits.begin(began_ns)
        try:
            return lane.manager.refused(
                lease,
                status=REFUSED,
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
        streamed = self._tokens.take() if answer.events is not None else None
        return end_of(bench, lane, lease, connection, sequence, streamed)
