"""A stored run's figures as metrics over its time: cumulative, a point every few seconds. Edge: the SDK's objects.

Times are counted into the buckets that the conventions advise, and are exact in that. The warm-up is in them: whoever
looks at a dashboard sees the run as it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from opentelemetry.sdk.metrics.export import MetricsData
from opentelemetry.sdk.resources import Resource

from bench.otlp.messages import BOUNDS_S, Buckets, Instrument, Point, message
from bench.otlp.variant_facts import Attributes, VariantFacts, how_it_ended
from bench.sample import NO_TIME, Outcome
from bench.samples.stream import Batch

COLUMNS = (
    *("intended_ns", "sent_ns", "done_ns", "generation", "status", "outcome", "cause", "variant"),
    *("first_token_ns", "tokens_from"),
)


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
                    streamed = rows[first_ns[rows] != NO_TIME]
                    _count(into, (FIRST_CHUNK, variant, "", "", 0), (first_ns - numbers["sent_ns"])[streamed])

    def points(self, *, resource: Resource, wall_ns: int) -> Iterator[MetricsData]:
        """One message a stretch, in order, each with everything so far. `wall_ns` is the run's zero."""
        totals: dict[_Key, _Total] = {}
        for stretch in sorted(self._stretches):
            for key, added in self._stretches[stretch].items():
                totals.setdefault(key, _Total()).add(added)
            at_ns = wall_ns + (stretch + 1) * self._every_ns
            yield message(self._points(totals), resource=resource, start_ns=wall_ns, at_ns=at_ns)

    def _points(self, totals: Mapping[_Key, _Total]) -> Iterator[Point]:
        for key, total in totals.items():
            counts = tuple(total.counts.tolist())
            value = sum(counts) if key[0].kind == "counter" else Buckets(counts, total.sum_s)
            yield key[0], self._attributes(key), value

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
