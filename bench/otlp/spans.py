"""Sampled requests as spans, with the ids that their `traceparent` had. Edge: the SDK's objects.

A span is the time on the wire, from sending to the answer's end; how late it was sent is an attribute. What was never
sent, for want of a credential, is no span.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.status import Status, StatusCode

from bench.otlp.variant_facts import SERVICE_NAME, Attributes, VariantFacts, how_it_ended
from bench.sample import Outcome
from bench.samples.stream import Batch
from bench.trace_context import TraceContext

COLUMNS = (
    *("intended_ns", "began_ns", "sent_ns", "done_ns", "sequence", "response_bytes", "generation", "status"),
    *("outcome", "cause", "phase", "variant", "deployment", "attempt", "request_class"),
    *("output_tokens", "prompt_tokens", "tokens_from"),
)
_SCOPE = InstrumentationScope(SERVICE_NAME)
_WORDS = {"deployment": "azureml.deployment", "request_class": "bench.request_class", "phase": "bench.phase"}


def spans_of(
    batch: Batch, *, context: TraceContext, resource: Resource, facts: dict[str, VariantFacts], wall_ns: int
) -> Iterator[ReadableSpan]:
    """Of those requests of a worker's batch that `context` says are sampled. `wall_ns` is the run's zero."""
    numbers = {name: batch.numbers(name) for name in COLUMNS if name in batch.names and name not in _WORD_COLUMNS}
    words = {name: batch.words(name) for name in _WORD_COLUMNS if name in batch.names}
    for row in np.flatnonzero(numbers["generation"] > 0).tolist():
        sequence = int(numbers["sequence"][row])
        if not context.is_sampled(sequence):
            continue
        labels = {name: table[int(codes[row])] for name, (codes, table) in words.items()}
        values = {name: int(column[row]) for name, column in numbers.items()}
        yield _span(labels, values, context=context, resource=resource, facts=facts, wall_ns=wall_ns)


_WORD_COLUMNS = ("outcome", "cause", "phase", "variant", "deployment", "request_class", "tokens_from")


def _span(
    labels: dict[str, str],
    values: dict[str, int],
    *,
    context: TraceContext,
    resource: Resource,
    facts: dict[str, VariantFacts],
    wall_ns: int,
) -> ReadableSpan:
    known = facts.get(labels["variant"])
    own: Attributes = {**known.server, **known.span} if known is not None else {"bench.variant": labels["variant"]}
    own |= how_it_ended(labels["outcome"], labels["cause"], values["status"])
    own |= {
        "bench.outcome": labels["outcome"],
        "bench.response_time_ms": (values["done_ns"] - values["intended_ns"]) / 1e6,
        "bench.schedule_lag_ms": (values["began_ns"] - values["intended_ns"]) / 1e6,
        "bench.lease_wait_ms": (values["sent_ns"] - values["began_ns"]) / 1e6,
        "bench.generation": values["generation"],
        "http.response.body.size": values["response_bytes"],
    }
    own |= {name: labels[column] for column, name in _WORDS.items() if labels.get(column)}
    if values["attempt"]:
        own["http.request.resend_count"] = values["attempt"]
    if labels.get("tokens_from"):
        own |= {"gen_ai.operation.name": "chat", "gen_ai.usage.output_tokens": values["output_tokens"]}
        own |= {"gen_ai.usage.input_tokens": values["prompt_tokens"]} if values["prompt_tokens"] else {}
    sequence = values["sequence"]
    return ReadableSpan(
        name=str(own.get("http.request.method", "POST")),
        context=SpanContext(
            int(context.trace_id(sequence), 16),
            int(context.span_id(sequence), 16),
            is_remote=False,
            trace_flags=TraceFlags(TraceFlags.SAMPLED),
        ),
        resource=resource,
        attributes=own,
        kind=SpanKind.CLIENT,
        status=Status(StatusCode.UNSET if labels["outcome"] == Outcome.OK else StatusCode.ERROR),
        start_time=max(wall_ns + values["sent_ns"], 0),
        end_time=max(wall_ns + values["done_ns"], 0),
        instrumentation_scope=_SCOPE,
    )
