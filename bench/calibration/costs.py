"""What the parts that run once a request, or once a token, cost by themselves. Edge: a file; for `bench calibrate`.

lease     reading a FRESH lease from the shared manager, as every request does
sample    recording one sample, its share of the flush to disk included, and its bytes on that disk
event     one event of a streamed answer, from its chunk to the time of a token

And what it costs once a second to watch a run (`watching`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from bench.calibration.watching import VIEW, watching
from bench.credentials import CredentialManager, StaticSource
from bench.load.engine.tokens import TokenReader
from bench.load.wire.answer import Answer
from bench.samples.recorder import Recorder

Row = dict[str, Any]

_READS = 1_000_000
_SAMPLES = 200_000
_EVENTS = 100_000
_ROUNDS = 5
_RATE = 4_000
_MOST_US = {"lease": 0.3, "sample": 3.0, "event": 2.0, "watching": 20_000.0}
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
    began = perf_counter()
    for _ in range(_READS):
        lease(1.0)
    took_s = perf_counter() - began
    manager.close()
    return took_s / _READS * 1e6


def _sample_us(rows: list[tuple[int, ...]]) -> tuple[float, float]:
    """CPU a sample and bytes a sample."""
    with tempfile.TemporaryDirectory(prefix="bench-costs-") as folder:
        path = Path(folder) / "w0.arrows"
        recorder = Recorder(path, metadata={"run_id": "costs"})
        recorder.variants.code("key")
        record = recorder.record
        began = perf_counter()
        for row in rows:
            record(*row)
        recorder.close()
        took_s = perf_counter() - began
        return took_s / len(rows) * 1e6, path.stat().st_size / len(rows)


def _event_us() -> float:
    """Each in a chunk of its own, as servers send them; reading it from the socket is not in it."""
    answer, reader = Answer(), TokenReader()
    answer.sink = reader
    answer.feed(_HEAD)
    chunk = b"%x\r\n%b\r\n" % (len(_EVENT), _EVENT)
    feed = answer.parser.feed_data
    began = perf_counter()
    for _ in range(_EVENTS):
        feed(chunk)
    took_s = perf_counter() - began
    told = reader.take()
    assert told is not None  # noqa: S101 - for the type checker
    assert len(told.times_ns) == _EVENTS  # noqa: S101 - or a time of nothing is told
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
    not_streamed = (-1, -1, 0, 0, 0, 0)
    return [(*row, number, *rest, *not_streamed) for number, row in enumerate(times.tolist())]
