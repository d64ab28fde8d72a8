"""A stored run, sent to a collector batch by batch: memory does not grow with it. Edge: reads samples, sends."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.otlp.collector import Collector
from bench.otlp.figures import COLUMNS as FIGURE_COLUMNS
from bench.otlp.figures import Figures
from bench.otlp.messages import resource_of
from bench.otlp.spans import COLUMNS as SPAN_COLUMNS
from bench.otlp.spans import spans_of
from bench.otlp.variant_facts import resource_attributes, variant_facts
from bench.rundir import RunDir
from bench.runreader import sample_batches
from bench.trace_context import TraceContext

_AT_ONCE = 512
_LEAST_COLUMNS = frozenset(FIGURE_COLUMNS) - {"first_token_ns", "tokens_from"}


@dataclass(slots=True)
class Sent:
    """What the collector has taken; `rejected` of it, it said, in vain. `problems` say what could not be read."""

    spans: int = 0
    points: int = 0
    rejected: int = 0
    problems: tuple[str, ...] = ()


def send(folder: RunDir, manifest: Mapping[str, Any], collector: Collector, *, share: float, every_s: float) -> Sent:
    """The spans of `share` of the requests, then the figures `every_s`. Raises NotTaken at the first that is not taken.

    The ids are those that were sent, if any were.
    """
    sent, problems = Sent(), list[str]()
    resource, facts = resource_of(resource_attributes(manifest)), variant_facts(manifest)
    wall_ns = int(manifest["clock"]["wall_ns"])
    figures = Figures(facts, every_s=every_s)
    try:
        for worker, batch in sample_batches(folder, manifest, {*SPAN_COLUMNS, *FIGURE_COLUMNS}, problems):
            if not batch.names >= _LEAST_COLUMNS:
                problems.append(f"samples/{worker}.arrows lacks columns: it is left out")
                continue
            figures.add(batch)
            context = TraceContext(str(manifest["run_id"]), worker, share=share)
            spans = spans_of(batch, context=context, resource=resource, facts=facts, wall_ns=wall_ns)
            while some := list(itertools.islice(spans, _AT_ONCE)):
                collector.send_spans(some)
                sent.spans += len(some)
        for message in figures.points(resource=resource, wall_ns=wall_ns):
            sent.points += collector.send_metrics(message)
    finally:
        sent.rejected, sent.problems = collector.rejected, tuple(problems)
        collector.close()
    return sent
