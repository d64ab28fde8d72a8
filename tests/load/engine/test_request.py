"""One scoring request's life, as it ends up in the samples and at Locust's listeners."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gevent
import pyarrow as pa
import pytest

from bench.clock import monotonic_ns
from bench.credentials import Denied
from bench.credentials.lease import Lease
from bench.endpoint import AuthMode
from bench.errors import CredentialError
from bench.load.engine.answer_checks import AnswerChecks
from bench.load.engine.failure_samples import FailureSamples
from bench.load.engine.feeder import Feeder
from bench.load.engine.lane import Lane
from bench.load.engine.payload import Payload
from bench.load.engine.request import Scorer
from bench.load.engine.shared import Engine, Tally
from bench.load.wire.address import parse_address
from bench.plan.expectation import expectation_of
from bench.plan.run_plan import Variant
from bench.sample import COLUMNS, NO_TIME, Freshness
from bench.samples import chunks
from bench.samples.chunks import ChunkRecorder
from bench.samples.recorder import Recorder
from bench.trace_context import TraceContext
from tests.load.engine.wiring import Wiring, in_greenlet
from tests.load.wire.scripted import OK, Peer, ScriptedServer, answering, scripted


def checks(expect: tuple[str, ...], expect_json: tuple[str, ...]) -> AnswerChecks:
    expected = expectation_of(expect, expect_json, ())
    assert expected is not None
    return AnswerChecks(expected, seed="1")


FOREVER_NS = 2**63 - 1
NO = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 22\r\n\r\nkey_auth_access_denied"


@dataclass
class Holder:
    """A credential manager as a lane sees it: leases one after the other, or none; `denies` once they have run out."""

    expires_at: int = FOREVER_NS
    generation: int = 1
    renewals: int = 0
    none_left: bool = False
    denies: bool = False
    refusals: list[int] = field(default_factory=list)
    worked: list[bool] = field(default_factory=list)

    def lease(self, timeout_s: float = 0.0) -> Lease:
        if self.none_left:
            raise CredentialError("nobody knows the key")
        return Lease(
            secret=f"secret{self.generation}",
            auth_mode=AuthMode.KEY,
            generation=self.generation,
            issued_at=0,
            refresh_after=FOREVER_NS,
            expires_at=self.expires_at,
        )

    def refused(self, lease: Lease, *, status: int, worked: bool, timeout_s: float) -> Lease:
        self.refusals.append(lease.generation)
        self.worked.append(worked)
        if lease.generation == self.generation:
            if not self.renewals:
                raise Denied("renewing does not help") if self.denies else CredentialError("there is no other")
            self.renewals -= 1
            self.generation += 1
        return self.lease()

    def freshness(self, lease: Lease, now_ns: int) -> Freshness:
        return Freshness.STALE


@dataclass
class Heard:
    """A listener to every request."""

    fired: list[dict[str, Any]]
    wanted: bool = True

    def fire(self, **request: Any) -> None:
        self.fired.append(request)

    def failed(self, name: str, error: BaseException) -> None:
        assert self.wanted


@dataclass
class Rig:
    """A scorer of one lane against a scripted server."""

    bench: Engine
    path: Path
    holder: Holder
    fired: list[dict[str, Any]]

    def samples(self) -> list[dict[str, Any]]:
        self.bench.recorder.close()
        with pa.OSFile(str(self.path)) as source, pa.ipc.open_stream(source) as stream:
            return [row for batch in stream for row in batch.to_pylist()]

    def gaps(self) -> list[tuple[int, int]]:
        self.bench.chunks.close()
        found = chunks.inspect(self.path.parent / "chunks" / "w0.arrows")
        assert not found.fault
        return list(zip(*(column.tolist() for column in chunks.read(found)), strict=True))

    def score(self, *, times: int = 1, lag_ns: int = 5_000_000) -> list[bool]:
        scorer = Scorer(self.bench)

        def job() -> list[bool]:
            return [scorer.score(0, intended_ns=monotonic_ns() - lag_ns, number=number) for number in range(times)]

        try:
            return in_greenlet(job)
        finally:
            scorer.close()


MakeRig = Callable[..., Rig]


@pytest.fixture
def rig(tmp_path: Path, wiring: Wiring) -> MakeRig:
    """Makes a rig for a server."""

    def make(
        server: ScriptedServer,
        *,
        timeout_s: float = 10.0,
        idle_timeout_s: float = 0.0,
        deployment: str = "",
        bodies: tuple[bytes, ...] = (b"{}",),
        auth_mode: AuthMode = AuthMode.KEY,
    ) -> Rig:
        path = tmp_path / "w0.arrows"
        recorder = Recorder(path, metadata={})
        holder = Holder()
        fired: list[dict[str, Any]] = []
        variant = Variant(name="key", auth_mode=auth_mode, scoring_uri=server.uri)
        lane = Lane(
            variant, parse_address(server.uri), holder, code=recorder.variants.code("key"), deployment=deployment
        )
        zero_ns = monotonic_ns() - 1_000_000_000
        bench = Engine(
            lanes=(lane,),
            recorder=recorder,
            chunks=ChunkRecorder(tmp_path / "chunks" / "w0.arrows", metadata={}),
            idle_ns=round(idle_timeout_s * 1e9),
            watch=wiring.watch,
            deadlines=wiring.deadlines,
            tally=Tally(),
            feeder=Feeder([Payload.of(body) for body in bodies], order=range(len(bodies))),
            timeout_ns=round(timeout_s * 1e9),
            id_prefix=b"20261124-081530-123-abcd-w0-",
            events=Heard(fired),
            failures=FailureSamples(),
            zero_ns=zero_ns,
            measure_from_ns=zero_ns,
        )
        return Rig(bench, path, holder, fired)

    return make


def test_a_good_request(rig: MakeRig) -> None:
    """All times are there, in order, relative to the run's zero; the server's own words are kept."""
    answer = (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nx-ms-run-fn-exec-ms: 1.5\r\nazureml-model-deployment: blue\r\n\r\nok"
    )
    with scripted(answering(answer)) as server:
        made = rig(server)
        assert made.score(times=2) == [True, True]
    first, second = made.samples()
    for row in (first, second):
        times = [row[name] for name in ("intended_ns", "began_ns", "sent_ns", "first_byte_ns", "done_ns")]
        assert times == sorted(times)
        assert 0 < times[0] <= times[1] - 5_000_000
        assert (row["outcome"], row["cause"], row["status"], row["attempt"]) == ("ok", "", 200, 0)
        assert (row["variant"], row["deployment"], row["freshness"]) == ("key", "blue", "stale")
        assert (row["server_time_ns"], row["response_bytes"], row["generation"]) == (1_500_000, 2, 1)
    assert first["connect_ns"] > 0
    assert second["connect_ns"] == 0
    assert [first["sequence"], second["sequence"]] == [1, 2]
    assert (made.bench.tally.requests, made.bench.tally.failures, made.bench.tally.in_flight) == (2, 0, 0)


def test_what_is_sent(rig: MakeRig) -> None:
    """The lease's secret, the pinned deployment, the payloads in turn, and an id that is no longer than Azure keeps."""
    got: list[bytes] = []

    def script(peer: Peer) -> None:
        while request := peer.request():
            got.append(request)
            peer.send(OK)

    with scripted(script) as server:
        rig(server, deployment="green", bodies=(b'{"a": 1}', b'{"b": 22}')).score(times=3)
    heads, bodies = zip(*(request.split(b"\r\n\r\n") for request in got), strict=True)
    assert bodies == (b'{"a": 1}', b'{"b": 22}', b'{"a": 1}')
    for number, head in enumerate(heads):
        lines = head.split(b"\r\n")
        assert lines[0] == b"POST /score HTTP/1.1"
        fields = dict(line.lower().split(b": ", 1) for line in lines[1:])
        assert fields[b"host"] == f"127.0.0.1:{server.port}".encode()
        assert fields[b"authorization"] == b"bearer secret1"
        assert fields[b"azureml-model-deployment"] == b"green"
        assert fields[b"content-type"] == b"application/json"
        assert int(fields[b"content-length"]) == len(bodies[number])
        assert fields[b"x-ms-client-request-id"] == f"20261124-081530-123-abcd-w0-{number + 1:08x}".encode()
        assert len(fields[b"x-ms-client-request-id"]) <= 40


def test_a_traceparent_of_each_attempt(rig: MakeRig) -> None:
    """Its ids are worked out again from the sample; a replay has its own, and without the option there is none."""
    got: list[bytes] = []

    def script(peer: Peer) -> None:
        while request := peer.request():
            got.append(request)
            peer.send(NO if len(got) == 1 else OK)

    with scripted(script) as server:
        made = rig(server)
        made.holder.renewals = 1
        trace = made.bench.trace = TraceContext("run", "w0", share=0.5)
        assert made.score() == [True]
        made.bench.trace = None
        assert made.score() == [True]
    rows = sorted(made.samples(), key=lambda row: row["sequence"])
    assert [row["attempt"] for row in rows] == [0, 1, 0]
    assert [trace.line(row["sequence"]) in request for row, request in zip(rows, got, strict=True)] == [
        True,
        True,
        False,
    ]
    assert b"traceparent" not in got[2]
    assert got[0].count(b"traceparent") == 1


def test_warm_up_is_marked_by_when_the_request_was_due(rig: MakeRig) -> None:
    """Not by when it was answered."""
    with scripted(answering(OK)) as server:
        made = rig(server)
        made.bench.measure_from_ns = monotonic_ns() - 10**9
        made.score(lag_ns=10**9 * 5)
        made.score(lag_ns=0)
    assert [row["phase"] for row in made.samples()] == ["warm_up", "measure"]


def test_a_refused_lease_is_replayed_once_with_a_newer_one(rig: MakeRig) -> None:
    """Both attempts are samples with the same due time; the refused one is an auth failure, the replay is not."""
    with scripted(answering(NO, OK)) as server:
        made = rig(server)
        made.holder.renewals = 1
        assert made.score() == [True]
    refused, replay = made.samples()
    assert (refused["outcome"], refused["cause"], refused["status"], refused["attempt"]) == (
        *("auth_failure", "refused", 401),
        0,
    )
    assert (replay["outcome"], replay["status"], replay["attempt"]) == ("ok", 200, 1)
    assert (refused["generation"], replay["generation"]) == (1, 2)
    assert refused["intended_ns"] == replay["intended_ns"]
    assert refused["began_ns"] == replay["began_ns"]
    assert refused["done_ns"] <= replay["sent_ns"]


def test_a_lease_refused_twice_is_not_sent_a_third_time(rig: MakeRig) -> None:
    """Both refusals are reported to the manager."""
    with scripted(answering(NO)) as server:
        made = rig(server)
        made.holder.renewals = 1
        assert made.score() == [False]
    assert [row["outcome"] for row in made.samples()] == ["auth_failure"] * 2
    assert made.holder.refusals == [1, 2]


class TestForbiddenOrRefused:
    """Azure answers 401 to an Entra token without the role as to a revoked one; what follows tells them apart."""

    def causes(self, made: Rig) -> list[str]:
        return [row["cause"] for row in made.samples()]

    def test_a_renewal_that_helps(self, rig: MakeRig) -> None:
        """The old lease was refused: rotated or revoked."""
        with scripted(answering(OK, NO, OK)) as server:
            made = rig(server, auth_mode=AuthMode.AAD_TOKEN)
            made.holder.renewals = 1
            assert made.score(times=2) == [True, True]
        assert self.causes(made) == ["", "refused", ""]
        assert made.holder.worked == [True]

    def test_a_renewal_that_does_not_help(self, rig: MakeRig) -> None:
        """Both leases are forbidden to score, the one that had worked included: the role is gone."""
        with scripted(answering(OK, NO, NO)) as server:
            made = rig(server, auth_mode=AuthMode.AAD_TOKEN)
            made.holder.renewals = 1
            assert made.score(times=2) == [True, False]
        assert self.causes(made) == ["", "forbidden", "forbidden"]
        assert made.holder.worked == [True, False]

    @pytest.mark.parametrize("auth_mode", [AuthMode.KEY, AuthMode.AML_TOKEN])
    def test_without_a_role_to_lack(self, auth_mode: AuthMode, rig: MakeRig) -> None:
        """A key or an aml_token needs none to score: wrong ones are refused, however often."""
        with scripted(answering(NO)) as server:
            made = rig(server, auth_mode=auth_mode)
            made.holder.renewals = 1
            made.holder.denies = True
            assert made.score(times=2) == [False, False]
        assert self.causes(made) == ["refused"] * 3

    def test_a_denial_that_stands(self, rig: MakeRig) -> None:
        """The manager knows already that renewing does not help."""
        with scripted(answering(NO)) as server:
            made = rig(server, auth_mode=AuthMode.AAD_TOKEN)
            made.holder.denies = True
            assert made.score() == [False]
        assert self.causes(made) == ["forbidden"]

    def test_no_newer_lease(self, rig: MakeRig) -> None:
        """Where nothing newer can be had nothing more is known: refused."""
        with scripted(answering(NO)) as server:
            made = rig(server, auth_mode=AuthMode.AAD_TOKEN)
            assert made.score() == [False]
        assert self.causes(made) == ["refused"]

    def test_a_lease_that_worked_for_others(self, rig: MakeRig) -> None:
        """Revoked twice in a row: the second had scored before it was refused, so nothing is forbidden."""
        with scripted(answering(NO, NO)) as server:
            made = rig(server, auth_mode=AuthMode.AAD_TOKEN)
            made.holder.renewals = 1
            made.bench.lanes[0].worked = 2
            assert made.score() == [False]
        assert self.causes(made) == ["refused", "refused"]

    def test_a_user_killed_while_it_waits_for_the_newer_lease(self, rig: MakeRig) -> None:
        """What was refused is a sample all the same."""
        with scripted(answering(NO)) as server:
            made = rig(server, auth_mode=AuthMode.AAD_TOKEN)
            scorer = Scorer(made.bench)

            def waits(lease: Lease, **_: Any) -> Lease:
                gevent.sleep(60)
                return lease

            made.holder.refused = waits  # type: ignore[method-assign]
            user = gevent.spawn(lambda: scorer.score(0, intended_ns=monotonic_ns(), number=0))

            def kill() -> None:
                while not made.bench.tally.in_flight or scorer._connections[0].answer.status != 401:
                    gevent.sleep(0.005)
                user.kill()

            in_greenlet(kill)
            scorer.close()
        assert self.causes(made) == ["refused"]


def test_a_refusal_at_the_lease_s_end_is_put_down_to_expiry(rig: MakeRig) -> None:
    """Its own expiry tells, as Azure does not."""
    with scripted(answering(NO)) as server:
        made = rig(server)
        made.holder.expires_at = monotonic_ns()
        assert made.score() == [False]
    assert [(row["outcome"], row["cause"]) for row in made.samples()] == [("auth_failure", "expired")]


def test_without_a_lease_nothing_is_sent(rig: MakeRig) -> None:
    """An auth failure of its own, with nothing of an earlier answer in it."""
    answer_of_blue = (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nazureml-model-deployment: blue\r\nx-ms-run-fn-exec-ms: 5\r\n\r\nok"
    )
    with scripted(answering(answer_of_blue)) as server:
        made = rig(server)
        scorer = Scorer(made.bench)

        def job() -> None:
            assert scorer.score(0, intended_ns=monotonic_ns(), number=0)
            made.holder.none_left = True
            assert not scorer.score(0, intended_ns=monotonic_ns(), number=1)

        in_greenlet(job)
        scorer.close()
    _, row = made.samples()
    assert (row["outcome"], row["cause"], row["status"], row["generation"]) == ("auth_failure", "no_lease", 0, 0)
    assert (row["sent_ns"], row["first_byte_ns"], row["freshness"]) == (row["done_ns"], NO_TIME, "expired")
    assert (row["response_bytes"], row["deployment"], row["server_time_ns"], row["connect_ns"]) == (0, "", NO_TIME, 0)
    assert made.bench.tally.auth_failures == 1


def test_a_request_never_sent_has_the_time_it_waited(rig: MakeRig) -> None:
    """At 0 ms an outage of the credential would make Locust's charts fall."""
    with scripted(answering(OK)) as server:
        made = rig(server)
        made.holder.none_left = True
        assert made.score(lag_ns=700_000_000) == [False]
    (event,) = made.fired
    assert event["response_time"] >= 700
    assert str(event["exception"]) == "auth_failure: no_lease"
    assert made.bench.failures.rows()[0]["reason"] == "nobody knows the key"


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (
            b"HTTP/1.1 308 P\r\nLocation: https://host/score?k=v\r\n",
            "unexpected: redirect (308): https://host/score?***",
        ),
        (b"HTTP/1.1 424 F\r\nms-azureml-model-error-reason: model_error\r\n", "model_error (424): model_error"),
        (b"HTTP/1.1 502 B\r\n", "server_error: bad_gateway (502)"),
    ],
)
def test_locust_is_given_what_explains_a_failure(answer: bytes, text: str, rig: MakeRig) -> None:
    """Where a redirect points, what the model said; the rest is in the kept failures, without the secret sent."""
    body = b"no access with secret1"
    with scripted(answering(answer + b"Content-Length: %d\r\n\r\n" % len(body) + body)) as server:
        made = rig(server)
        made.score(times=3)
    assert {str(event["exception"]) for event in made.fired} == {text}
    (kept,) = made.bench.failures.rows()
    assert (kept["count"], kept["body"]) == (3, "no access with ***")
    assert kept["first_ns"] < kept["last_ns"]


def leave(peer: Peer) -> None:
    peer.request()


def read_for_ever(peer: Peer) -> None:
    peer.wait_until_closed()


@pytest.mark.parametrize(
    ("answer", "outcome", "cause", "status"),
    [
        (b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", "auth_failure", "forbidden", 403),
        (b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", "unexpected", "not_found", 404),
        (b"HTTP/1.1 408 No\r\nContent-Length: 0\r\n\r\n", "timed_out", "server", 408),
        (b"HTTP/1.1 424 No\r\nContent-Length: 0\r\nms-azureml-model-error-reason: x\r\n\r\n", "model_error", "", 424),
        (
            b"HTTP/1.1 429 No\r\nContent-Length: 0\r\nms-azureml-model-error-reason: too_many_pending_request\r\n\r\n",
            *("throttled", "pending", 429),
        ),
        (b"HTTP/1.1 429 No\r\nContent-Length: 12\r\n\r\nrate limited", "throttled", "rate", 429),
        (
            b"HTTP/1.1 429 No\r\nContent-Length: 0\r\nretry-after: 7\r\nx-ratelimit-remaining-tokens: 0\r\n\r\n",
            *("throttled", "tokens", 429),
        ),
        (b"HTTP/1.1 500 No\r\nContent-Length: 0\r\nx-ms-run-function-failed: True\r\n\r\n", "model_error", "", 500),
        (b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", "server_error", "", 500),
        (b"HTTP/1.1 504 No\r\nContent-Length: 0\r\n\r\n", "timed_out", "server", 504),
        (b"HTTP/1.1 204 No\r\n\r\n", "ok", "", 204),
        (b"no HTTP at all\r\n\r\n", "transport_error", "protocol", 0),
    ],
)
def test_every_end_has_its_outcome(answer: bytes, outcome: str, cause: str, status: int, rig: MakeRig) -> None:
    """Recorded, counted, and reported to Locust under one failure a kind."""
    with scripted(answering(answer)) as server:
        made = rig(server)
        assert made.score(times=2) == [outcome == "ok"] * 2
    for row in made.samples():
        assert (row["outcome"], row["cause"], row["status"]) == (outcome, cause, status)
    first, second = (event["exception"] for event in made.fired)
    assert first is second
    assert (first is None) == (outcome == "ok")
    assert made.bench.tally.failures == (0 if outcome == "ok" else 2)
    assert {event["name"] for event in made.fired} == {"/score [key]"}


def test_ends_of_the_connection(rig: MakeRig) -> None:
    """Closed without an answer is a transport error, on a fresh connection and on a kept one."""

    def once(peer: Peer) -> None:
        peer.request()
        peer.send(OK)
        peer.request()

    with scripted(leave, once, answering(OK)) as server:
        made = rig(server)
        assert made.score(times=4) == [False, True, False, True]
    rows = made.samples()
    assert [(row["outcome"], row["cause"], row["status"]) for row in rows] == [
        ("transport_error", "closed", 0),
        ("ok", "", 200),
        ("transport_error", "closed", 0),
        ("ok", "", 200),
    ]
    assert [row["connect_ns"] > 0 for row in rows] == [True, True, False, True]
    assert [row["replays"] for row in rows] == [0, 0, 0, 0]
    assert rows[0]["first_byte_ns"] == NO_TIME


def test_a_timeout(rig: MakeRig) -> None:
    """The client's own, which is not the model's or the gateway's; service time is about the deadline, not beyond."""
    with scripted(read_for_ever) as server:
        made = rig(server, timeout_s=0.1)
        assert made.score() == [False]
    (row,) = made.samples()
    assert (row["outcome"], row["cause"], row["status"], row["first_byte_ns"]) == ("timed_out", "client", 0, NO_TIME)
    assert row["done_ns"] - row["began_ns"] >= 100_000_000


@pytest.mark.parametrize("text", [b"", b"soon", b"-1", b"nan", b"inf", b"1e99", b"\xff"])
def test_a_server_time_that_is_none(text: bytes, rig: MakeRig) -> None:
    """Whatever a server writes there, the sample is recorded."""
    with scripted(
        answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nx-ms-run-fn-exec-ms: %b\r\n\r\nok" % text)
    ) as server:
        made = rig(server)
        assert made.score() == [True]
    assert made.samples()[0]["server_time_ns"] == NO_TIME


def test_locust_is_given_the_response_time(rig: MakeRig) -> None:
    """From due, as in the sample; the service time goes along."""
    with scripted(answering(OK)) as server:
        made = rig(server)
        made.score(lag_ns=900_000_000)
    (row,) = made.samples()
    (event,) = made.fired
    assert event["response_time"] == (row["done_ns"] - row["intended_ns"]) / 1e6
    assert event["context"] == {"service_time": (row["done_ns"] - row["sent_ns"]) / 1e6}
    assert row["done_ns"] - row["intended_ns"] >= 900_000_000
    assert (event["request_type"], event["response_length"]) == ("POST", 2)


def test_the_secret_is_nowhere_but_on_the_wire(rig: MakeRig) -> None:
    """Not in a repr, not in the file, and gone from memory's reach once wiped."""
    with scripted(answering(OK)) as server:
        made = rig(server)
        made.score()
        lane = made.bench.lanes[0]
        assert b"secret1" in lane.head
        lane.wipe()
        assert lane.head == b""
    made.samples()
    assert b"secret1" not in made.path.read_bytes()
    assert "secret1" not in repr(lane.__dict__)


CHAT = (
    b'data: {"choices":[{"delta":{"role":"assistant"}}]}\n\n'
    b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n'
    b'data: {"choices":[{"delta":{"content":"b"}}]}\n\n'
)
CHAT_END = (
    b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'
    b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":5}}\n\ndata: [DONE]\n\n'
)
ERROR = b'data: {"error":{"message":"out of memory"}}\n\n'
EVENT_STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(body), body)


def test_a_streamed_answer(rig: MakeRig) -> None:
    """Its tokens are in the sample and its gaps in their file; a plain answer after it on the connection has none."""

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(EVENT_STREAM)
        for event in (CHAT + CHAT_END).split(b"\n\n")[:-1]:
            peer.send(chunk(event + b"\n\n"))
        peer.send(b"0\r\n\r\n")
        peer.request()
        peer.send(OK)

    with scripted(script) as server:
        made = rig(server)
        assert made.score(times=2) == [True, True]
    streamed, plain = made.samples()
    assert streamed["first_byte_ns"] <= streamed["first_token_ns"] <= streamed["last_token_ns"] <= streamed["done_ns"]
    assert [streamed[name] for name in ("content_events", "output_tokens", "prompt_tokens", "tokens_from")] == [
        *(2, 5, 3, "usage")
    ]
    assert [plain[name] for name in ("first_token_ns", "last_token_ns", "content_events", "tokens_from")] == [
        *(NO_TIME, NO_TIME, 0, "")
    ]
    (gap,) = made.gaps()
    assert gap[0] == streamed["sequence"]
    assert abs(gap[1] - (streamed["last_token_ns"] - streamed["first_token_ns"])) <= 100


@pytest.mark.parametrize(
    ("body", "outcome", "cause", "said"),
    [
        (CHAT + b"0\r\n\r\n", "transport_error", "protocol", ""),
        (chunk(CHAT), "transport_error", "cut", "after 3 events"),
        (chunk(CHAT) + b"0\r\n\r\n", "transport_error", "cut", "without [DONE]"),
        (chunk(CHAT + ERROR) + b"0\r\n\r\n", "model_error", "stream", "out of memory"),
        (chunk(CHAT + CHAT_END[:-1]), "transport_error", "cut", "after 5 events"),
    ],
)
def test_a_stream_that_ends_badly(body: bytes, outcome: str, cause: str, said: str, rig: MakeRig) -> None:
    """With status 200: what came before is kept, and how far it came is recorded."""
    with scripted(leaving(EVENT_STREAM + body)) as server:
        made = rig(server)
        assert made.score() == [False]
    (row,) = made.samples()
    assert (row["outcome"], row["cause"], row["status"]) == (outcome, cause, 200)
    if cause != "protocol":
        assert (row["content_events"], len(made.gaps())) == (2, 1)
        assert row["first_token_ns"] >= row["first_byte_ns"]
    assert said in made.bench.failures.rows()[0]["reason"]


def leaving(answer: bytes) -> Callable[[Peer], None]:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(answer)

    return script


def test_a_stream_that_stands_still(rig: MakeRig) -> None:
    """`--idle-timeout` is between events, comments are none, and before the first one the whole time-out holds."""

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(EVENT_STREAM + chunk(b": wait\n\n"))
        time.sleep(0.3)
        peer.send(chunk(CHAT))
        while True:
            time.sleep(0.02)
            peer.send(chunk(b": still here\n\n"))

    with scripted(script) as server:
        made = rig(server, idle_timeout_s=0.2)
        assert made.score() == [False]
    (row,) = made.samples()
    assert (row["outcome"], row["cause"], row["status"], row["content_events"]) == ("timed_out", "idle", 200, 2)
    assert row["done_ns"] - row["last_token_ns"] >= 200_000_000
    assert row["first_token_ns"] - row["sent_ns"] >= 250_000_000


def test_a_stream_that_never_ends(rig: MakeRig) -> None:
    """`--timeout` is for the whole, however lively it is."""

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(EVENT_STREAM)
        while True:
            peer.send(chunk(CHAT))
            time.sleep(0.02)

    with scripted(script) as server:
        made = rig(server, timeout_s=0.3, idle_timeout_s=0.2)
        assert made.score() == [False]
    (row,) = made.samples()
    assert (row["outcome"], row["cause"]) == ("timed_out", "client")
    assert row["content_events"] == len(made.gaps()) + 1 >= 4


def test_every_column_is_recorded() -> None:
    """`exchange` packs 28 values by position."""
    assert len(COLUMNS) == 28


def test_users_do_not_share_a_connection(rig: MakeRig) -> None:
    """Ten users at once are ten connections, and each gets its own answer."""

    def script(peer: Peer) -> None:
        while request := peer.request():
            body = request.partition(b"\r\n\r\n")[2]
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (len(body) * 10) + body * 10)

    bodies = tuple(b"[%b]" % (b"1" * size) for size in range(1, 11))
    with scripted(script, backlog=64) as server:
        made = rig(server, bodies=bodies)

        def user(number: int) -> None:
            scorer = Scorer(made.bench)
            for _ in range(5):
                assert scorer.score(0, intended_ns=monotonic_ns(), number=number)
            scorer.close()

        def job() -> None:
            gevent.joinall([gevent.spawn(user, number) for number in range(10)], raise_error=True)

        in_greenlet(job)
    assert server.accepted == 10
    sizes = sorted(row["response_bytes"] for row in made.samples())
    assert sizes == sorted((size + 2) * 10 for size in range(1, 11) for _ in range(5))


def test_an_answer_that_is_not_as_expected(rig: MakeRig) -> None:
    """It is no success, though it is a 200; a sample of its body is kept, with no secret of ours in it."""
    body = b'{"error": "no key hunter2hunter2 nor secret1"}'
    with scripted(answering(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)) as server:
        made = rig(server)
        made.bench.checks = checks((), ("$.predictions",))
        made.bench.lanes[0]._secret_headers = (("x-api-key", "hunter2hunter2"),)
        assert made.score(times=2) == [False, False]
    for row in made.samples():
        assert (row["outcome"], row["cause"], row["status"]) == ("unexpected", "expectation", 200)
        assert row["done_ns"] > row["sent_ns"]
    (kept,) = made.bench.failures.rows()
    assert kept["count"] == 2
    assert kept["reason"] == "expected $.predictions"
    assert "no key" in kept["body"]
    assert not any(secret in str(kept) for secret in ("hunter2", "secret1"))
    assert "unexpected: expectation (200)" in str(made.fired[0]["exception"])


def test_an_answer_as_expected(rig: MakeRig) -> None:
    """Also one that comes in pieces, and the next one on the same connection."""
    chunked = b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n{"a": \r\n2\r\n1}\r\n0\r\n\r\n'
    with scripted(answering(chunked)) as server:
        made = rig(server)
        made.bench.checks = checks(("status==200",), ("$.a == 1",))
        assert made.score(times=3) == [True, True, True]


def test_a_body_that_was_passed_over_is_no_failure_and_says_so(rig: MakeRig) -> None:
    """What needs no look at the body is checked all the same."""
    with scripted(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")) as server:
        made = rig(server)
        made.bench.checks = checks(("bytes>1",), ("$.predictions",))
        made.bench.checks.every = 65_535
        assert made.score(times=3) == [True, True, True]
        made.bench.checks = checks(("bytes>2",), ("$.predictions",))
        made.bench.checks.every = 65_535
        assert made.score() == [False]
    rows = made.samples()
    assert [row["stands_for"] for row in rows] == [0, 0, 0, 1]
    assert [row["outcome"] for row in rows] == ["ok", "ok", "ok", "unexpected"]


def test_what_bandwidth_held_back_is_added_up(rig: MakeRig) -> None:
    """Answers are counted; what a hostile server writes for a time is none, and nothing breaks."""
    values = (b"12.5", b"1e400", b"nan", b"-3", b"0x10", b"\xff\xfe", b"")
    answers = [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n"
        b"ms-azureml-bandwidth-request-delay-ms: 1\r\nms-azureml-bandwidth-response-delay-ms: %b\r\n\r\n" % value
        for value in values
    ]
    with scripted(answering(*answers, OK)) as server:
        made = rig(server)
        assert made.score(times=len(values) + 3) == [True] * (len(values) + 3)
    held_back = made.bench.lanes[0].held_back
    assert held_back.take() == {"answers": len(values), "request_ms": len(values), "response_ms": 12.5}
    assert held_back.take() == {"answers": 0, "request_ms": 0.0, "response_ms": 0.0}
