"""A stored run's figures as metrics over its time: cumulative, a point every few seconds. Edge: the SDK's objects.

Times are counted into the buckets that the conventions advise, and are exact in that. The warm-up is in them: whoever
looks at a dashboard sees the run as it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
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

from bench.otlp.variant_facts import SERVICE_NAME, Attributes, VariantFacts, how_it_ended
from bench.sample import NO_TIME, Outcome
from bench.samples.stream import Batch

BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""Of `http.client.request.duration` in the semantic conventions."""
COLUMNS = (
    *("intended_ns", "sent_ns", "done_ns", "generation", "status", "outcome", "cause", "variant"),
    *("first_token_ns", "tokens_from"),
)


@dataclass(frozen=True, slots=True)
class Instrument:
    """One metric: its name, kind, unit and help."""

    name: str
    kind: Literal["counter", "histogram"]
    unit: str
    help: str


DURATION = Instrument(
    "http.client.request.duration", "histogram", "s", "Duration of HTTP client requests, from sending to the end."
)
RESPONSE_TIME = Instrument(
    "bench.response_time", "histogram", "s", "From when the request was due to its answer's end, of those that were ok."
)
REQUESTS = Instrument("bench.requests", "counter", "{request}", "Requests that ended, by how.")
FIRST_CHUNK = Instrument(
    "gen_ai.client.operation.time_to_first_chunk", "histogram", "s", "From sending to the first text of a stream."
)
INSTRUMENTS = (DURATION, RESPONSE_TIME, REQUESTS, FIRST_CHUNK)

_Key = tuple[Instrument, str, str, str, int]
"""Instrument, variant, and where it tells them apart outcome, cause and status."""


@dataclass(slots=True)
class _Total:
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(BOUNDS_S) + 1, np.int64))
    sum_s: float = 0.0

    def add(self, other: _Total) -> None:
        self.counts += other.counts
        self.sum_s += other.sum_s


class Figures:
    """Everything counted, by the stretch of time in which it ended."""

    def __init__(self, facts: Mapping[str, VariantFacts], *, every_s: float) -> None:
        self._facts = facts
        self._every_ns = round(every_s * 1e9)
        self._stretches: dict[int, dict[_Key, _Total]] = {}

    def add(self, batch: Batch) -> None:
        """A batch's samples."""
        numbers = {name: batch.numbers(name) for name in ("intended_ns", "sent_ns", "done_ns", "generation", "status")}
        words = {name: batch.words(name) for name in ("outcome", "cause", "variant")}
        kinds = np.stack(
            [
                numbers["done_ns"] // self._every_ns,
                *(words[name][0].astype(np.int64) for name in ("variant", "outcome", "cause")),
                numbers["status"].astype(np.int64),
            ],
            axis=1,
        )
        first_ns = batch.numbers("first_token_ns") if "first_token_ns" in batch.names else None
        for kind in np.unique(kinds, axis=0):
            rows = np.flatnonzero((kinds == kind).all(axis=1))
            stretch, *codes, status = (int(one) for one in kind)
            variant, outcome, cause = (
                words[name][1][code] for name, code in zip(("variant", "outcome", "cause"), codes, strict=True)
            )
            into = self._stretches.setdefault(stretch, {})
            sent = rows[numbers["generation"][rows] > 0]
            _count(into, (REQUESTS, variant, outcome, cause, 0), np.zeros(len(rows)))
            took_ns = numbers["done_ns"] - numbers["sent_ns"]
            _count(into, (DURATION, variant, outcome, cause, status), took_ns[sent])
            if outcome == Outcome.OK:
                waited_ns = numbers["done_ns"] - numbers["intended_ns"]
                _count(into, (RESPONSE_TIME, variant, "", "", 0), waited_ns[rows])
                if first_ns is not None:
                    told = rows[first_ns[rows] != NO_TIME]
                    _count(into, (FIRST_CHUNK, variant, "", "", 0), (first_ns - numbers["sent_ns"])[told])

    def points(self, *, resource: Resource, wall_ns: int) -> Iterator[MetricsData]:
        """One message a stretch, in order, each with everything so far. `wall_ns` is the run's zero."""
        totals: dict[_Key, _Total] = {}
        for stretch in sorted(self._stretches):
            for key, added in self._stretches[stretch].items():
                totals.setdefault(key, _Total()).add(added)
            at_ns = max(wall_ns + (stretch + 1) * self._every_ns, 0)
            metrics = [metric for one in INSTRUMENTS if (metric := self._metric(one, totals, wall_ns, at_ns))]
            scope = ScopeMetrics(InstrumentationScope(SERVICE_NAME), metrics, "")
            yield MetricsData([ResourceMetrics(resource, [scope], "")])

    def _metric(self, one: Instrument, totals: Mapping[_Key, _Total], start_ns: int, at_ns: int) -> Metric | None:
        own = {key: total for key, total in totals.items() if key[0] is one}
        if not own:
            return None
        points: list[Any] = []
        for key, total in own.items():
            times = {"start_time_unix_nano": start_ns, "time_unix_nano": at_ns}
            count = int(total.counts.sum())
            if one.kind == "counter":
                points.append(NumberDataPoint(self._attributes(key), value=count, **times))
            else:
                points.append(
                    HistogramDataPoint(
                        self._attributes(key),
                        **times,
                        count=count,
                        sum=total.sum_s,
                        bucket_counts=total.counts.tolist(),
                        explicit_bounds=BOUNDS_S,
                        min=float("inf"),
                        max=float("-inf"),
                    )
                )
        kept = AggregationTemporality.CUMULATIVE
        data = Sum(points, kept, is_monotonic=True) if one.kind == "counter" else Histogram(points, kept)
        return Metric(one.name, one.help, one.unit, data)

    def _attributes(self, key: _Key) -> Attributes:
        one, variant, outcome, cause, status = key
        known = self._facts.get(variant)
        if one is DURATION:
            return {**(known.server if known else {}), "bench.variant": variant} | how_it_ended(outcome, cause, status)
        own: Attributes = {"bench.variant": variant}
        if one is REQUESTS:
            own |= {"bench.outcome": outcome} | ({"bench.cause": cause} if cause else {})
        if one is FIRST_CHUNK:
            own["gen_ai.operation.name"] = "chat"
        return own


def _count(into: dict[_Key, _Total], key: _Key, durations_ns: NDArray[Any]) -> None:
    """A value on a bound is below it, as OTLP wants it."""
    if not len(durations_ns):
        return
    seconds = durations_ns / 1e9
    places = np.searchsorted(BOUNDS_S, seconds, side="left")
    into.setdefault(key, _Total()).add(_Total(np.bincount(places, minlength=len(BOUNDS_S) + 1), float(seconds.sum())))
