"""The slowest requests that a tracing system should know, with their ids. Pure."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.analysis.run import LoadedRun
from bench.trace_context import TraceContext

MOST = 10
_LOOKED_AT = 100_000


def slowest(run: LoadedRun, variant: str) -> list[dict[str, Any]]:
    """At most `MOST` measured requests that were marked as sampled, the slowest first; none of a run without a
    `traceparent`. Among them the failed ones, but for those that were not sent."""
    share = run.plan.trace_share
    if not share:
        return []
    samples = run.samples
    contexts = [TraceContext(run.run_id, worker, share=share) for worker in samples.words["worker"]]
    rows = np.flatnonzero(run.rows(variant) & (samples.generation > 0))
    took_ns = samples.durations_ns("response_time", rows)
    found: list[dict[str, Any]] = []
    for place in np.argsort(-took_ns, kind="stable")[:_LOOKED_AT].tolist():
        row, worker = int(rows[place]), int(samples.worker[rows[place]])
        sequence = int(samples.sequence[row])
        if contexts[worker].is_sampled(sequence):
            found.append(
                {
                    "at_s": samples.intended_ns[row] / 1e9,
                    "response_time_ms": took_ns[place] / 1e6,
                    "service_time_ms": (samples.done_ns[row] - samples.sent_ns[row]) / 1e6,
                    "outcome": samples.words["outcome"][samples.outcome[row]],
                    "status": samples.status[row],
                    "worker": samples.words["worker"][worker],
                    "sequence": sequence,
                    "trace_id": contexts[worker].trace_id(sequence),
                    "span_id": contexts[worker].span_id(sequence),
                }
            )
        if len(found) == MOST:
            break
    return found
