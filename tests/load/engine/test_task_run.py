"""Requests of an author's own tasks: what is measured, what is recorded, and when."""

from __future__ import annotations

import json
from collections.abc import Callable

import gevent
import pytest

from bench.clock import monotonic_ns
from bench.errors import UsageError
from bench.load.engine.request import Scorer
from bench.load.engine.task_run import TaskAnswer, TaskRun
from tests.load.engine.test_request import CHAT, CHAT_END, EVENT_STREAM, NO, MakeRig, Rig, chunk, rig
from tests.load.engine.wiring import in_greenlet
from tests.load.wire.scripted import OK, Peer, answering, scripted

__all__ = ["rig"]

JSON = b'HTTP/1.1 200 OK\r\nX-Model: m\r\nContent-Length: 15\r\n\r\n{"outputs": []}'
DEFAULTS = {"name": "", "content_type": "", "path": "", "method": "", "headers": None}


def perform(made: Rig, task: Callable[[Callable[..., TaskAnswer]], None], *, lag_ns: int = 5_000_000) -> bool:
    """Run `task` once as an arrival that was due `lag_ns` ago; it is given `score`."""
    scorer = Scorer(made.bench)

    def score(body: object, **options: object) -> TaskAnswer:
        return run.score(body, **(DEFAULTS | options))  # type: ignore[arg-type]

    run = TaskRun(scorer, lambda: task(score))

    def job() -> bool | Exception:
        try:
            return run.perform(0, intended_ns=monotonic_ns() - lag_ns, number=0)
        except Exception as exc:  # noqa: BLE001 - raised again, outside of the hub
            return exc

    try:
        ended = in_greenlet(job)
    finally:
        scorer.close()
    if isinstance(ended, Exception):
        raise ended
    return ended


def test_a_task_of_two_requests(rig: MakeRig) -> None:
    """The first counts from when the arrival was due, the second from when it could begin; names are classes."""
    seen: list[bytes] = []

    def script(peer: Peer) -> None:
        while request := peer.request():
            seen.append(request)
            peer.send(JSON)

    def task(score: Callable[..., TaskAnswer]) -> None:
        first = score({"a": [1, 2]}, name="small")
        assert (first.ok, first.status, first.json(), first.text) == (True, 200, {"outputs": []}, '{"outputs": []}')
        assert first.headers["x-model"] == "m"
        gevent.sleep(0.02)
        score(
            b"\x89PNG", name="picture", content_type="image/png", path="/v2/m/infer", method="put", headers={"X-A": "1"}
        )

    with scripted(script) as server:
        made = rig(server)
        assert perform(made, task, lag_ns=50_000_000)
    first, second = made.samples()
    assert (first["request_class"], second["request_class"]) == ("small", "picture")
    assert first["began_ns"] - first["intended_ns"] >= 50_000_000
    assert 0 <= second["began_ns"] - second["intended_ns"] < 50_000_000
    assert second["intended_ns"] >= first["done_ns"] + 20_000_000
    assert seen[0].startswith(b"POST /score HTTP/1.1\r\n")
    assert seen[0].endswith(b'\r\n\r\n{"a":[1,2]}')
    assert seen[1].startswith(b"PUT /v2/m/infer HTTP/1.1\r\n")
    assert b"\r\nX-A: 1\r\nContent-Type: image/png\r\n" in seen[1]
    assert [event["name"] for event in made.fired] == ["/score small [key]", "/score picture [key]"]
    assert made.bench.tally.in_flight == 0


def test_what_a_streamed_answer_said(rig: MakeRig) -> None:
    """A task can carry on with it; of a plain answer, and of one that cannot be unpacked, it is empty."""
    streamed = EVENT_STREAM + chunk(CHAT + CHAT_END) + b"0\r\n\r\n"
    packed = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"
    said: list[str] = []

    def script(peer: Peer) -> None:
        for answer in (streamed, JSON, packed):
            peer.request()
            peer.send(answer)

    with scripted(script) as server:
        perform(rig(server), lambda score: said.extend(score([n]).said for n in range(3)))
    content = [json.loads(event[6:])["choices"][0]["delta"].get("content") for event in CHAT.split(b"\n\n")[:-1]]
    assert said == ["".join(filter(None, content)), "", ""]
    assert said[0]


def test_an_answer_that_the_task_fails(rig: MakeRig) -> None:
    """By a word, or by an exception within `with`; times stay as they were, and what the author said is kept."""

    def by_word(score: Callable[..., TaskAnswer]) -> None:
        answer = score([1])
        gevent.sleep(0.05)
        answer.fail("no outputs")
        assert not answer.ok

    def by_exception(score: Callable[..., TaskAnswer]) -> None:
        with score([1]) as answer:
            assert answer.json()["outputs"]

    with scripted(answering(JSON)) as server:
        made = rig(server)
        assert not perform(made, by_word)
        with pytest.raises(AssertionError):
            perform(made, by_exception)
    rows = made.samples()
    for row in rows:
        assert (row["outcome"], row["cause"], row["status"]) == ("unexpected", "task", 200)
    assert rows[0]["done_ns"] - rows[0]["sent_ns"] < rows[1]["intended_ns"] - rows[0]["done_ns"]
    assert made.bench.failures.rows()[0]["reason"] == "no outputs"
    assert made.bench.tally.failures == 2
    assert made.bench.tally.in_flight == 0


def test_an_answer_is_recorded_once(rig: MakeRig) -> None:
    """After the next call it is too late to fail it, and that is said."""

    def task(score: Callable[..., TaskAnswer]) -> None:
        first = score([1])
        score([2])
        first.fail("too late")

    with scripted(answering(JSON)) as server:
        made = rig(server)
        with pytest.raises(RuntimeError, match="recorded already"):
            perform(made, task)
    assert [row["outcome"] for row in made.samples()] == ["ok", "ok"]


def test_what_did_not_go_well_is_no_exception(rig: MakeRig) -> None:
    """A 401, an answer that never came: the task sees it, and failing it again changes nothing."""
    seen: list[tuple[bool, int]] = []

    def task(score: Callable[..., TaskAnswer]) -> None:
        answer = score([1])
        seen.append((answer.ok, answer.status))
        answer.fail("anyway")

    for script, renewals in ((answering(NO), 1), (lambda peer: peer.close(), 0)):
        with scripted(script) as server:
            made = rig(server)
            made.holder.renewals = renewals
            assert not perform(made, task)
            assert made.samples()[-1]["outcome"] in {"auth_failure", "transport_error"}
    assert seen == [(False, 401), (False, 0)]


@pytest.mark.parametrize(
    "options",
    [
        {"path": "x"},
        {"method": "HEAD"},
        {"content_type": "x"},
        {"headers": {"X-A": "1\r\nB: 2"}},
        {"headers": {"Authorization": "x"}},
    ],
)
def test_a_request_that_cannot_be_sent(options: dict[str, object], rig: MakeRig) -> None:
    """It is an error in the author's code, before anything is sent."""
    with scripted(answering(OK)) as server:
        made = rig(server)
        with pytest.raises(UsageError, match=r"score\(\)"):
            perform(made, lambda score: score([1], **options) and None)
    assert made.samples() == []


def test_a_task_that_sends_nothing(rig: MakeRig) -> None:
    """Is an arrival done."""
    with scripted(answering(OK)) as server:
        made = rig(server)
        assert perform(made, lambda _: None)
    assert made.samples() == []


def test_what_is_sent_before_a_user_serves_is_in_no_figure(rig: MakeRig) -> None:
    """It is recorded as warm-up, whenever it was; the run waits for it, and not any longer."""
    with scripted(answering(JSON)) as server:
        made = rig(server)
        run = TaskRun(Scorer(made.bench, counts=False), lambda: None)

        def job() -> int:
            run.begin(0)
            assert run.score({}, **(DEFAULTS | {"name": "login"})).ok  # type: ignore[arg-type]
            waiting = made.bench.tally.in_flight
            run.end()
            return waiting

        assert in_greenlet(job) == 1
    (row,) = made.samples()
    assert (row["phase"], row["request_class"], row["outcome"]) == ("warm_up", "login", "ok")
    assert made.bench.tally.in_flight == 0
