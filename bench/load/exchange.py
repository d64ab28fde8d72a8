"""One scoring request's life, from due to recorded. The hot path; called by `user`.

    lane      one variant's side of a run in this process: address, credential manager, prepared bytes
    scorer    one user's: a connection per lane, and `score`

It may be ugly where it saves time; what a line saves is said beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from bench.clock import monotonic_ns
from bench.errors import BenchError
from bench.load import outcome
from bench.load.address import Address
from bench.load.deadlines import Deadlines
from bench.load.hub_watch import HubWatch
from bench.load.payload import Payload
from bench.load.recorder import Recorder
from bench.load.wire import Connection
from bench.plan import Variant
from bench.sample import NO_TIME, Freshness, Outcome, Phase

_OK = Outcome.OK.value
_AUTH_FAILURE = Outcome.AUTH_FAILURE.value
_TRANSPORT_ERROR = Outcome.TRANSPORT_ERROR.value
_TIMED_OUT = (Outcome.TIMED_OUT.value, "client")


class LeaseHolder(Protocol):
    """What a lane needs of a credential manager."""

    def lease(self, timeout_s: float = ...) -> Any: ...

    def refused(self, lease: Any, *, status: int, timeout_s: float) -> Any: ...

    def freshness(self, lease: Any, now_ns: int) -> Freshness: ...


class ScoringFailure(Exception):
    """What Locust is told of a request that did not end well; one object a kind, so that it groups them."""


class Lane:
    """One variant in this process. `head` is rebuilt only when the lease changes."""

    def __init__(self, variant: Variant, address: Address, manager: LeaseHolder, *, code: int, deployment: str) -> None:
        self.variant = variant
        self.address = address
        self.manager = manager
        self.code = code
        self.name = f"{address.path} [{variant.name}]"
        self.head = b""
        self._pin = f"azureml-model-deployment: {deployment}\r\n" if deployment else ""
        self._head_of: Any = None

    def head_for(self, lease: Any) -> bytes:
        """Request line and headers up to the body's own, with the secret."""
        if lease is not self._head_of:
            self.head = (
                f"POST {self.address.path} HTTP/1.1\r\nHost: {self.address.authority}\r\n"
                "User-Agent: azureml-endpoint-bench\r\nAccept: */*\r\n"
                f"Authorization: Bearer {lease.secret}\r\n{self._pin}"
            ).encode("ascii")
            self._head_of = lease
        return self.head

    def wipe(self) -> None:
        """Forget the secret."""
        self.head = b""
        self._head_of = None


@dataclass(slots=True)
class Tally:
    """Counters of this process for progress and the web UI."""

    requests: int = 0
    failures: int = 0
    auth_failures: int = 0
    in_flight: int = 0


@dataclass(slots=True, kw_only=True)
class Bench:
    """What all users of this process share in one run."""

    lanes: tuple[Lane, ...]
    recorder: Recorder
    watch: HubWatch
    deadlines: Deadlines
    tally: Tally
    payloads: tuple[Payload, ...]
    timeout_ns: int
    id_prefix: bytes
    fire: Callable[..., None]
    observe: Callable[[int, int], None]
    zero_ns: int = 0
    measure_from_ns: int = 0
    sequence: int = 0


class Scorer:
    """One user's way of sending requests: its own connection to each lane."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._connections = [
            Connection(lane.address, watch=bench.watch, deadlines=bench.deadlines) for lane in bench.lanes
        ]

    def close(self) -> None:
        for connection in self._connections:
            connection.close()
            self._bench.deadlines.leave(connection)

    def score(self, lane_index: int, *, intended_ns: int, number: int) -> bool:
        """Send arrival `number`, due at `intended_ns` (absolute), and replay it once if its lease is refused.

        Returns whether it ended well.
        """
        bench = self._bench
        lane = bench.lanes[lane_index]
        began_ns = monotonic_ns()
        deadline_ns = began_ns + bench.timeout_ns
        bench.tally.in_flight += 1
        try:
            try:
                lease = lane.manager.lease(bench.timeout_ns / 1e9)
            except BenchError as exc:
                self._record_no_lease(lane, intended_ns, began_ns, exc)
                return False
            end = self._send(lane, lane_index, lease, number, (intended_ns, began_ns, deadline_ns, 0))
            if end != 401:
                return end == 200
            try:
                newer = lane.manager.refused(lease, status=401, timeout_s=max((deadline_ns - monotonic_ns()) / 1e9, 0))
            except BenchError:
                return False
            again = self._send(lane, lane_index, newer, number, (intended_ns, began_ns, deadline_ns, 1))
            if again == 401:
                self._refused_again(lane, newer)
            return again == 200
        finally:
            bench.tally.in_flight -= 1

    @staticmethod
    def _refused_again(lane: Lane, lease: Any) -> None:
        """Tell the manager, so that a denial is known as one; this request is not sent a third time."""
        try:
            lane.manager.refused(lease, status=401, timeout_s=0)
        except BenchError:
            return

    def _send(self, lane: Lane, lane_index: int, lease: Any, number: int, times: tuple[int, int, int, int]) -> int:
        """One attempt, recorded. Returns 200 for ok, 401 for a refused lease, 0 for anything else."""
        bench = self._bench
        intended_ns, began_ns, deadline_ns, attempt = times
        bench.sequence = sequence = bench.sequence + 1
        payload = bench.payloads[number % len(bench.payloads)]
        connection = self._connections[lane_index]
        connection.exchange(
            b"%b%b%b%08x%b" % (lane.head_for(lease), payload.head, bench.id_prefix, sequence, payload.tail),
            deadline_ns=deadline_ns,
        )
        answer = connection.answer
        sent_ns, done_ns = connection.sent_ns, connection.done_ns
        failure = connection.failure
        if not failure:
            status = answer.status
            if status == 200:
                kind, cause = outcome.OK
            else:
                kind, cause = outcome.classify(
                    status,
                    reason=answer.reason or answer.body_start,
                    run_failed=answer.run_failed,
                    done_ns=done_ns,
                    expires_at_ns=lease.expires_at,
                )
        else:
            status = answer.status if connection.first_byte_ns != NO_TIME else 0
            kind, cause = _TIMED_OUT if failure == "timeout" else (_TRANSPORT_ERROR, failure)
        self._record(
            lane, lease, kind, cause, connection, (intended_ns, began_ns, sent_ns, done_ns, sequence, status, attempt)
        )
        if kind == _OK:
            return 200
        return 401 if status == 401 and not failure else 0

    def _record(
        self,
        lane: Lane,
        lease: Any,
        kind: str,
        cause: str,
        connection: Connection,
        facts: tuple[int, int, int, int, int, int, int],
    ) -> None:
        bench = self._bench
        recorder = bench.recorder
        zero_ns = bench.zero_ns
        intended_ns, began_ns, sent_ns, done_ns, sequence, status, attempt = facts
        answer = connection.answer
        first_ns = connection.first_byte_ns
        recorder.record(
            intended_ns - zero_ns,
            began_ns - zero_ns,
            sent_ns - zero_ns,
            first_ns - zero_ns if first_ns != NO_TIME else NO_TIME,
            done_ns - zero_ns,
            connection.connect_ns,
            _server_time_ns(answer.server_time_ms) if answer.server_time_ms else NO_TIME,
            sequence & 0xFFFFFFFF,
            answer.response_bytes & 0xFFFFFFFF,
            lease.generation & 0xFFFF if lease is not None else 0,
            status,
            recorder.outcomes.codes[kind],
            recorder.causes.code(cause),
            recorder.phases.codes[Phase.MEASURE.value if intended_ns >= bench.measure_from_ns else Phase.WARM_UP.value],
            lane.code,
            recorder.deployments.code(answer.deployment.decode("latin-1")) if answer.deployment else 0,
            recorder.freshnesses.codes[lane.manager.freshness(lease, sent_ns)] if lease is not None else 2,
            attempt,
        )
        tally = bench.tally
        tally.requests += 1
        error = None
        if kind != _OK:
            tally.failures += 1
            if kind == _AUTH_FAILURE:
                tally.auth_failures += 1
            error = _failure(kind, cause, status)
        bench.observe(intended_ns, done_ns)
        bench.fire(
            request_type="POST",
            name=lane.name,
            response_time=(done_ns - sent_ns) / 1e6,
            response_length=answer.response_bytes,
            exception=error,
            context={},
            response=None,
        )

    def _record_no_lease(self, lane: Lane, intended_ns: int, began_ns: int, exc: BenchError) -> None:
        """A request that could not be sent for want of a credential: an auth failure of its own kind."""
        bench = self._bench
        bench.sequence += 1
        connection = self._connections[0]
        connection.answer.reset()
        connection.connect_ns = 0
        connection.first_byte_ns = NO_TIME
        now = monotonic_ns()
        del exc
        self._record(lane, None, *outcome.NO_LEASE, connection, (intended_ns, began_ns, now, now, bench.sequence, 0, 0))


_failures: dict[tuple[str, str, int], ScoringFailure] = {}


def _failure(kind: str, cause: str, status: int) -> ScoringFailure:
    key = (kind, cause, status)
    if key not in _failures:
        what = f"{kind}: {cause}" if cause else kind
        _failures[key] = ScoringFailure(f"{what} ({status})" if status else what)
    return _failures[key]


def _server_time_ns(text: bytes) -> int:
    """`12.925` (ms) to ns; anything that is not a time is no time."""
    try:
        value = float(text)
    except ValueError:
        return NO_TIME
    return round(value * 1e6) if 0 <= value < 1e9 else NO_TIME
