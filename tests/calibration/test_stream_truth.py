"""Reported times of tokens against true ones, with errors that are known."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from bench.calibration import goals, stream_truth
from bench.calibration.stream_truth import Reported, TrueStream

MS = 1_000_000


def written(streams: dict[str, TrueStream]) -> bytes:
    """A file as the emulator writes it."""
    raw = b"BENCHSTREAM1".ljust(64, b"\0")
    for name, one in streams.items():
        times = np.stack([one.due_ns, one.sent_ns], axis=1).ravel().tolist()
        raw += struct.pack("<40sqq", name.encode(), one.received_ns, len(one.sent_ns))
        raw += struct.pack(f"<{len(times)}q", *times)
    return raw


def made(*, streams: int = 200, tokens: int = 20) -> dict[str, TrueStream]:
    rng = np.random.default_rng(1)
    found = {}
    for number in range(streams):
        due = number * MS + np.cumsum(rng.exponential(10 * MS, tokens)).astype(np.int64)
        found[f"run-w0-{number:08x}"] = TrueStream(number * MS, due, due + 20_000)
    return found


def test_a_file_is_read_back_as_far_as_it_goes() -> None:
    """A last stream that was cut off is left out."""
    truth = made(streams=3)
    raw = written(truth)
    read = stream_truth.read(raw)
    assert list(read) == list(truth)
    assert all(np.array_equal(read[name].sent_ns, one.sent_ns) for name, one in truth.items())
    assert len(stream_truth.read(raw[:-1])) == 2
    assert stream_truth.read(b"") == {}


def test_known_errors_are_found() -> None:
    """0.3 ms on each first token, a gap in ten 1 ms longer and the next one shorter; a token lost is a miscount."""
    truth = made()
    reported = {}
    for name, one in truth.items():
        first = one.sent_ns[0] + 300_000
        gaps = np.diff(one.sent_ns)
        gaps[4] += MS
        gaps[5] -= MS
        reported[name] = Reported(one.received_ns, int(first), gaps)
    lost = next(iter(reported))
    reported[lost] = Reported(reported[lost].sent_ns, reported[lost].first_ns, reported[lost].gaps_ns[1:])
    reported["of another run"] = reported[lost]
    found = stream_truth.compare(truth, reported)
    assert (found.streams, found.miscounted) == (200, 1)
    assert found.first == pytest.approx((0.3, 0.3))
    assert found.each_first == pytest.approx((0.3, 0.3))
    assert found.each_gap == pytest.approx((0.0, 1.0))
    assert found.own_late == pytest.approx((0.02, 0.02))


def test_goals_name_what_was_missed() -> None:
    """A miscounted token is one, however true the times are."""
    row = dict.fromkeys(goals.MOST_OF_STREAMS_MS, 0.0)
    assert goals.of_streams(row | {"miscounted": 0}) == "met"
    assert goals.of_streams(row | {"miscounted": 1}) == "missed: tokens miscounted"
    assert goals.of_streams(row | {"miscounted": 0, "gap error p99 ms": -0.3}) == "missed: gap error p99"


def test_nothing_to_compare() -> None:
    """No stream of the truth was reported: not a number, and no goal is met by it."""
    found = stream_truth.compare(made(streams=2), {})
    assert found.streams == 0
    assert np.isnan(found.first[0])
    row = {"miscounted": 0, **dict.fromkeys(goals.MOST_OF_STREAMS_MS, float("nan"))}
    assert goals.of_streams(row).startswith("missed")
