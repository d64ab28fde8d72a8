"""What the parts that run once a request, or once a token, cost by themselves. Edge: a file; for `bench calibrate`.

lease     reading a FRESH lease from the shared manager, as every request does
sample    recording one sample, its share of the flush to disk included, and its bytes on that disk
task      what a task of the author's own adds to a request: its body as JSON, its bookkeeping, the answer it gets
event     one event of a streamed answer, from its chunk to the time of a token

And what it costs once a second to watch a run (`watching`).
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

from bench.calibration.watching import VIEW, watching
from bench.credentials import CredentialManager, StaticSource
from bench.load.engine.shared import Tally
from bench.load.engine.task_run import TaskRun
from bench.load.engine.tokens import TokenReader
from bench.load.wire.answer import Answer
from bench.samples.recorder import Recorder

Row = dict[str, Any]

_READS = 1_000_000
_SAMPLES = 200_000
_EVENTS = 100_000
_ROUNDS = 5
_RATE = 4_000
_TASKS = 20_000
_BODY = {"input_data": [[0.1, 0.2, 0.3, 0.4]]}
_ANSWER = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: 3f2504e0-4f89-11d3-9a0c-0305e82c3301\r\n"
    b"x-ms-run-fn-exec-ms: 12.925\r\nazureml-model-deployment: blue\r\ncontent-length: 20\r\n\r\n"
    b'{"predictions": [1]}'
)
_MOST_US = {"lease": 0.3, "sample": 3.0, "event": 2.0, "task": 10.0, "watching": 20_000.0}
_MOST_BYTES = 64.0
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_EVENT = b'data: {"id":"chat-1","choices":[{"index":0,"delta":{"content":" token"},"finish_reason":null}]}\n\n'


def costs() -> Iterator[Row]:
    """The best of a few rounds each: what is slower was interrupted."""
    yield _row("reading a FRESH lease", min(_lease_us() for _ in range(_ROUNDS)), most_us=_MOST_US["lease"])
    rows = _samples()
    measured = [_sample_us(rows) for _ in range(_ROUNDS)]
    best_us, size = min(us for us, _ in measured), measured[0][1]
    yield _row("recording a sample", best_us, most_us=_MOST_US["sample"], size=size)
    yield _row("a task's own share of a request", min(_task_us() for _ in range(_ROUNDS)), most_us=_MOST_US["task"])
    yield _row("an event of a stream", min(_event_us() for _ in range(_ROUNDS)), most_us=_MOST_US["event"])
    total_us = 0.0
    for name, each_us in watching():
        total_us += 0.0 if name == VIEW else each_us
        yield _row(name, each_us, most_us=_MOST_US["watching"])
    yield _row("all who watch, a second", total_us, most_us=_MOST_US["watching"])


def _row(name: str, each_us: float, *, most_us: float, size: float | None = None) -> Row:
    met = each_us <= most_us and (size is None or size <= _MOST_BYTES)
    return {"load": name, "CPU us each": each_us, "bytes each": size, "goals": "met" if met else "missed"}


def _lease_us() -> float:
    manager = CredentialManager(StaticSource("secret"))
    manager.lease()
    lease = manager.lease
    began = process_time()
    for _ in range(_READS):
        lease(1.0)
    took_s = process_time() - began
    manager.close()
    return took_s / _READS * 1e6


def _sample_us(rows: list[tuple[int, ...]]) -> tuple[float, float]:
    """CPU a sample and bytes a sample."""
    with tempfile.TemporaryDirectory(prefix="bench-costs-") as folder:
        path = Path(folder) / "w0.arrows"
        recorder = Recorder(path, metadata={"run_id": "costs"})
        recorder.variants.code("key")
        record = recorder.record
        began = process_time()
        for row in rows:
            record(*row)
        recorder.close()
        took_s = process_time() - began
        return took_s / len(rows) * 1e6, path.stat().st_size / len(rows)


class _Instant:
    """A scorer whose requests take no time: what is left is the task's."""

    def __init__(self) -> None:
        self.tally = Tally()
        self._answer = Answer()
        self._answer.keep_body = True
        self._answer.feed(_ANSWER)

    def hold_records(self) -> None:
        """It records nothing."""

    record_held = hold_records

    def answer_of(self, _: int) -> Answer:
        return self._answer

    def score(self, _: int, **__: Any) -> bool:
        return True


def _task_us() -> float:
    def work() -> None:
        random.choice(tasks)()  # noqa: S311 - as Locust's users pick their tasks

    def task() -> None:
        answer = run.score(_BODY, name="small", content_type="", path="", method="", headers=None)
        if not answer.ok:
            answer.fail("no answer")

    tasks = [task] * 4
    scorer: Any = _Instant()
    run = TaskRun(scorer, work)
    began = process_time()
    for number in range(_TASKS):
        run.perform(0, intended_ns=number, number=number)
    return (process_time() - began) / _TASKS * 1e6


def _event_us() -> float:
    """Each in a chunk of its own, as servers send them; reading it from the socket is not in it."""
    answer, reader = Answer(), TokenReader()
    answer.sink = reader
    answer.feed(_HEAD)
    chunk = b"%x\r\n%b\r\n" % (len(_EVENT), _EVENT)
    feed = answer.parser.feed_data
    began = process_time()
    for _ in range(_EVENTS):
        feed(chunk)
    took_s = process_time() - began
    taken = reader.take()
    assert taken is not None  # noqa: S101 - for the type checker
    assert len(taken.times_ns) == _EVENTS  # noqa: S101 - or the time is of no work
    return took_s / _EVENTS * 1e6


def _samples() -> list[tuple[int, ...]]:
    """Samples as a run at `_RATE` has them, in the order of `bench.sample.COLUMNS`."""
    generator = np.random.default_rng(1)
    due = (np.arange(_SAMPLES) * 1e9 / _RATE).astype(np.int64)
    began = due + generator.gamma(2, 20_000, _SAMPLES).astype(np.int64)
    sent = began + generator.integers(1_000, 3_000, _SAMPLES)
    server = (10e6 + generator.exponential(3e6, _SAMPLES)).astype(np.int64)
    first = sent + server + generator.gamma(4, 30_000, _SAMPLES).astype(np.int64)
    times = np.stack([due, began, sent, first, first, np.zeros_like(due), server // 1000 * 1000], axis=1)
    rest = (17, 1, 200, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0)  # response_bytes to the class: an answer with status 200
    not_streamed, stands_for = (-1, -1, 0, 0, 0, 0), 1
    return [(*row, number, *rest, *not_streamed, stands_for) for number, row in enumerate(times.tolist())]
