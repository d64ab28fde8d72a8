"""Figures as one message of metrics. Edge: the SDK's objects."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from bench.otlp.variant_facts import SERVICE_NAME, Attributes

BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""Of `http.client.request.duration` in the semantic conventions."""
_KEPT = AggregationTemporality.CUMULATIVE


@dataclass(frozen=True, slots=True)
class Instrument:
    """One metric: its name, kind (counter, gauge or histogram), unit and help."""

    name: str
    kind: str
    unit: str
    help: str


@dataclass(frozen=True, slots=True)
class Buckets:
    """Of a histogram: how many lie up to each of `BOUNDS_S` and beyond the last, and the sum of all."""

    counts: tuple[int, ...]
    sum_s: float


Point = tuple[Instrument, Attributes, float | Buckets]


def message(points: Iterable[Point], *, resource: Resource, start_ns: int, at_ns: int) -> MetricsData:
    """Everything since `start_ns` (since 1970) as it was at `at_ns`."""
    own: dict[Instrument, list[Any]] = {}
    for one, attributes, value in points:
        own.setdefault(one, []).append(_point(attributes, value, start_ns, max(at_ns, start_ns)))
    metrics = [Metric(one.name, one.help, one.unit, _data(one, found)) for one, found in own.items()]
    return MetricsData([ResourceMetrics(resource, [ScopeMetrics(InstrumentationScope(SERVICE_NAME), metrics, "")], "")])


def resource_of(attributes: Attributes) -> Resource:
    """Without what the SDK would find out of this machine and its environment by itself."""
    made: Any = Resource(attributes)
    return made


def _point(attributes: Attributes, value: float | Buckets, start_ns: int, at_ns: int) -> Any:
    times = {"start_time_unix_nano": start_ns, "time_unix_nano": at_ns}
    if not isinstance(value, Buckets):
        number = value if isinstance(value, float) else int(value)  # a bool is no number to protobuf
        return NumberDataPoint(attributes, value=number, **times)
    return HistogramDataPoint(
        attributes,
        **times,
        count=sum(value.counts),
        sum=value.sum_s,
        bucket_counts=value.counts,
        explicit_bounds=BOUNDS_S,
        min=float("inf"),
        max=float("-inf"),
    )


def _data(one: Instrument, points: list[Any]) -> Any:
    if one.kind == "gauge":
        return Gauge(points)
    return Sum(points, _KEPT, is_monotonic=True) if one.kind == "counter" else Histogram(points, _KEPT)
