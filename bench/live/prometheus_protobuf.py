"""The protobuf exposition of Prometheus, the only one that can express native histograms. Pure.

The few messages of `io.prometheus.client` that are needed (MetricFamily, Metric, LabelPair, Gauge, Counter, Histogram,
Bucket, BucketSpan), written by hand: field numbers and kinds are those of its `metrics.proto`. Each family is
preceded by its length. A histogram is written twice, with classic buckets and with native ones; the reader chooses.

A native bucket i of schema s holds what is above 2^((i-1)/2^s) s and at most 2^(i/2^s) s; its count is written as the
difference to the one before, and runs of buckets without a gap as spans.
"""

from __future__ import annotations

import math
import struct
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from bench.live.prometheus_series import Rows, Series
from bench.live.sketch import Sketch

CONTENT_TYPE = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
SCHEMA = 5
"""Buckets that grow by 2.2 %: the next to the sketch's own 2 %."""
ZERO_THRESHOLD_S = 2.0**-19
"""What is shorter (1.9 us) is nothing. A bound of a bucket in every schema."""
_TYPES = {"counter": 0, "gauge": 1, "histogram": 4}
_FIELD_OF_KIND = {"gauge": 2, "counter": 3, "histogram": 7}
_VARINT, _FIXED64, _BYTES = 0, 1, 2


def exposition(found: Mapping[Series, Rows], bounds_s: Sequence[float]) -> bytes:
    """All families that have a value."""
    families = (_family(series, rows, bounds_s) for series, rows in found.items() if rows)
    return b"".join(_varint(len(family)) + family for family in families)


def native_buckets(sketch: Sketch) -> tuple[int, dict[int, int]]:
    """How many times were nothing, and the counts of the native buckets by index. At most 1 % off in time."""
    nothing, counts = 0, Counter[int]()
    for value_ms, count in sketch.values_ms():
        value_s = value_ms / 1e3
        if value_s <= ZERO_THRESHOLD_S:
            nothing += count
        else:
            counts[math.ceil(math.log2(value_s) * 2**SCHEMA)] += count
    return nothing, dict(sorted(counts.items()))


def _family(series: Series, rows: Rows, bounds_s: Sequence[float]) -> bytes:
    metrics = (_bytes(4, _metric(series, labels, value, bounds_s)) for labels, value in rows)
    return _text(1, series.name) + _text(2, series.help) + _number(3, _TYPES[series.kind]) + b"".join(metrics)


def _metric(series: Series, labels: tuple[str, ...], value: float | Sketch, bounds_s: Sequence[float]) -> bytes:
    pairs = (_bytes(1, _text(1, name) + _text(2, label)) for name, label in zip(series.labels, labels, strict=True))
    encoded = _histogram(value, bounds_s) if isinstance(value, Sketch) else _double(1, value)
    return b"".join(pairs) + _bytes(_FIELD_OF_KIND[series.kind], encoded)


def _histogram(sketch: Sketch, bounds_s: Sequence[float]) -> bytes:
    nothing, native = native_buckets(sketch)
    counts = list(native.values())
    deltas = [count - before for before, count in zip([0, *counts], counts, strict=False)]
    return b"".join(
        (
            _number(1, sketch.total),
            _double(2, sketch.sum_ms() / 1e3),
            *(_bytes(3, _number(1, sketch.at_most_ms(bound * 1e3)) + _double(2, bound)) for bound in bounds_s),
            _number(5, _zigzag(SCHEMA)),
            _double(6, ZERO_THRESHOLD_S),
            _number(7, nothing),
            *(_bytes(12, _number(1, _zigzag(offset)) + _number(2, length)) for offset, length in _spans(native)),
            _bytes(13, b"".join(_varint(_zigzag(delta)) for delta in deltas)) if deltas else b"",
        )
    )


def _spans(indices: Iterable[int]) -> list[tuple[int, int]]:
    """Runs of neighbours, in order: how far each begins behind the end of the one before (the first: its index)."""
    spans: list[tuple[int, int]] = []
    end = 0
    for index in indices:
        if spans and index == end:
            offset, length = spans[-1]
            spans[-1] = (offset, length + 1)
        else:
            spans.append((index - end, 1))
        end = index + 1
    return spans


def _varint(value: int) -> bytes:
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    made.append(value)
    return bytes(made)


def _zigzag(value: int) -> int:
    """A number with a sign as one without: 0, -1, 1, -2 ... are 0, 1, 2, 3 ..."""
    return value * 2 if value >= 0 else -value * 2 - 1


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3 | _VARINT) + _varint(value)


def _double(field: int, value: float) -> bytes:
    return _varint(field << 3 | _FIXED64) + struct.pack("<d", value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | _BYTES) + _varint(len(value)) + value


def _text(field: int, value: str) -> bytes:
    return _bytes(field, value.encode())
