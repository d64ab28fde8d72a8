"""The ids of requests in tracing systems: by W3C Trace Context, and as OpenTelemetry's own sampler understands them."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace.sampling import Decision, TraceIdRatioBased
from opentelemetry.trace import get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from bench.trace_context import TraceContext


def test_a_header_is_read_by_opentelemetry() -> None:
    """Its propagator finds the ids and the flag that the report works out again."""
    context = TraceContext("20261124-081530-123-abcd", "w0", share=0.5)
    for sequence in (0, 1, 2, 0xFFFFFFFF):
        name, _, value = context.line(sequence).decode().strip().partition(": ")
        assert context.line(sequence).endswith(b"\r\n")
        assert len(context.line(sequence)) == context.line_bytes
        span_context = get_current_span(TraceContextTextMapPropagator().extract({name: value})).get_span_context()
        assert span_context.is_valid
        assert f"{span_context.trace_id:032x}" == context.trace_id(sequence)
        assert f"{span_context.span_id:016x}" == context.span_id(sequence)
        assert span_context.trace_flags.sampled == context.is_sampled(sequence)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.25, 1.0])
def test_the_share_that_is_sampled(share: float) -> None:
    """It is what was asked for, and a server that samples by the trace's id alone samples the same requests."""
    context, sampler = TraceContext("run", "w1", share=share), TraceIdRatioBased(share)
    marked = [context.is_sampled(sequence) for sequence in range(1, 4_001)]
    assert sum(marked) == pytest.approx(share * 4_000, abs=2)
    theirs = [
        sampler.should_sample(None, int(context.trace_id(sequence), 16), "").decision is Decision.RECORD_AND_SAMPLE
        for sequence in range(1, 4_001)
    ]
    assert theirs == marked


def test_no_id_comes_twice() -> None:
    """Neither within a worker nor between workers or runs."""
    contexts = [TraceContext(run, worker, share=1) for run in ("a", "b") for worker in ("w0", "w1")]
    ids = [context.trace_id(sequence) for context in contexts for sequence in range(10_000)]
    spans = [context.span_id(sequence) for context in contexts for sequence in range(10_000)]
    assert len(set(ids)) == len(set(spans)) == 40_000
