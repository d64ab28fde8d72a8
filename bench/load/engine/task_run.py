"""The requests of an author's own tasks: one user's, one task an arrival. Knows no Locust.

The first request of a task counts from when its arrival was due, every further one from when it could begin. A sample
is recorded when the task makes its next call or ends, with the times as they were measured, so that the task may still
say that an answer was no good.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from bench.clock import monotonic_ns
from bench.errors import UsageError
from bench.load.engine.answer_reader import AnswerReader
from bench.load.engine.payload import JSON, Payload
from bench.load.engine.request import Scorer
from bench.load.wire.answer import parse_head
from bench.load.wire.events import EventParser, EventTooLong
from bench.plan.expectation import unpacked
from bench.plan.request_plan import Route, checked_header, content_type_of, method_of, path_of

MOST_NAMES = 200
_as_json = json.JSONEncoder(separators=(",", ":")).encode


class TaskAnswer:
    """What came back. `ok` as the run counts it; `fail` makes it `unexpected`, cause `task`, in every file.

    `with self.score(...) as answer:` works as well: an exception within fails the answer, and goes on.
    """

    def __init__(self, run: TaskRun, *, ok: bool, status: int, head: bytes, packed: bytes) -> None:
        self.ok = ok
        self.status = status
        self._head = head
        self._packed = packed
        self._run = run

    @property
    def headers(self) -> Mapping[str, str]:
        """Names in lower case."""
        return parse_head(self._head)[1] if self._head else {}

    @property
    def body(self) -> bytes:
        """Without gzip or deflate. ValueError when it cannot be unpacked."""
        return unpacked(self._packed, self.headers.get("content-encoding", ""))

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """ValueError when the body is no JSON."""
        return json.loads(self.body)

    @property
    def said(self) -> str:
        """What a streamed answer of a chat said: the content of its first choice. Empty for any other answer."""
        reader = AnswerReader()
        reader.begin()
        try:
            EventParser(reader).feed(self.body, 0)
        except (EventTooLong, ValueError):
            return ""
        return reader.text() or ""

    def fail(self, reason: str) -> None:
        """Count this answer as failed. RuntimeError once it is recorded: with the next call, or at the task's end."""
        if not self._run.fail(self, reason):
            raise RuntimeError("this answer is recorded already: call fail() before the next score()")
        self.ok = False

    def __enter__(self) -> TaskAnswer:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, _: TracebackType | None) -> None:
        if isinstance(exc, Exception) and self.ok:
            self.fail(f"{type(exc).__name__}: {exc}")


class TaskRun:
    """What an arrival does where the author wrote tasks: `perform` has the signature of `Scorer.score`."""

    def __init__(self, scorer: Scorer, work: Callable[[], None]) -> None:
        self._scorer = scorer
        self._work = work
        self._lane = 0
        self._intended_ns: int | None = None
        self._late_cause = ""
        self._last: TaskAnswer | None = None
        self._names: set[str] = set()
        self._well = True
        scorer.hold_records()

    def perform(self, lane_index: int, *, intended_ns: int, number: int, late_cause: str = "") -> bool:
        """Run one task, whatever it sends. Returns whether every answer was ok."""
        del number
        self._lane, self._intended_ns, self._late_cause = lane_index, intended_ns, late_cause
        self._well = True
        tally = self._scorer.tally
        tally.in_flight += 1  # until its last sample is recorded
        try:
            self._work()
        finally:
            self._settle()
            tally.in_flight -= 1
        return self._well

    def begin(self, lane_index: int) -> None:
        """Requests that no arrival asks for, as those before a user serves, until `end`."""
        self._lane = lane_index
        self._scorer.tally.in_flight += 1

    def end(self) -> None:
        """The last one is recorded, and the connection closed."""
        try:
            self._settle()
        finally:
            self._scorer.tally.in_flight -= 1
            self._scorer.close()

    def score(
        self, body: Any, *, name: str, content_type: str, path: str, method: str, headers: Mapping[str, str] | None
    ) -> TaskAnswer:
        """Send one request and wait for its answer."""
        self._settle()
        payload = _payload(body, self._checked(name), content_type, _route(method, path), headers or {})
        now_ns = monotonic_ns()
        first_ns, self._intended_ns = self._intended_ns, None
        ok = self._scorer.score(
            self._lane,
            intended_ns=now_ns if first_ns is None else first_ns,
            number=0,
            late_cause=self._late_cause if first_ns is not None else "",
            payload=payload,
        )
        answer = self._scorer.answer_of(self._lane)
        self._last = TaskAnswer(
            self,
            ok=ok,
            status=answer.status if answer is not None else 0,
            head=answer.head if answer is not None else b"",
            packed=b"".join(answer.pieces) if answer is not None else b"",
        )
        return self._last

    def fail(self, answer: TaskAnswer, reason: str) -> bool:
        """Whether `answer` is still to be recorded."""
        if answer is not self._last:
            return False
        self._scorer.fail_held(reason)
        return True

    def _settle(self) -> None:
        last, self._last = self._last, None
        self._well = self._well and (last is None or last.ok)
        self._scorer.record_held()

    def _checked(self, name: str) -> str:
        if name not in self._names:
            if len(self._names) >= MOST_NAMES:
                raise UsageError(f"score(): more than {MOST_NAMES} names", hint="a name is a kind of request")
            self._names.add(name)
        return name


def _payload(body: Any, name: str, content_type: str, route: Route | None, headers: Mapping[str, str]) -> Payload:
    """bytes and text go as they are, anything else as JSON."""
    if isinstance(body, str):
        body = body.encode()
    elif not isinstance(body, bytes | bytearray):
        body = _as_json(body).encode()
    own = [checked_header(key, value, where="score()") for key, value in headers.items()]
    kind = (content_type and content_type_of(content_type, where="score()")) or JSON
    return Payload.of(bytes(body), content_type=kind, headers=own, request_class=name, route=route)


def _route(method: str, path: str) -> Route | None:
    if not method and not path:
        return None
    return method_of(method, where="score()") if method else "", path_of(path, where="score()")
