"""What becomes of an attempt that has ended: a sample, gaps, counts, an event for whoever listens. The hot path.

It may be ugly where it saves time; what a line saves is said beside it.
"""

from __future__ import annotations

from typing import Any

from bench.failure_sample import AnswerDetails
from bench.load.engine.attempt import OK, End
from bench.load.engine.lane import Lane, milliseconds
from bench.load.engine.shared import Engine, ScoringFailure
from bench.load.engine.tokens import Streamed
from bench.load.wire.deadlines import NEVER
from bench.sample import NO_TIME, Outcome, Phase

_AUTH_FAILURE = Outcome.AUTH_FAILURE.value
_NOT_STREAMED = (NO_TIME, NO_TIME, 0, 0, 0, 0)


class Recording:
    """Of one user. What does not count (`counts`) is of no figure, whenever it was."""

    def __init__(self, bench: Engine, *, counts: bool = True) -> None:
        self._bench = bench
        self._measure_from_ns = 0 if counts else NEVER

    def add(
        self,
        lane: Lane,
        lease: Any,
        end: End,
        request_class: str,
        intended_ns: int,
        began_ns: int,
        attempt: int,
        late_cause: str,
    ) -> None:
        """Times are absolute; `lease` is None where there was none."""
        bench = self._bench
        recorder = bench.recorder
        zero_ns = bench.zero_ns
        measure_from_ns = self._measure_from_ns or bench.measure_from_ns
        kind, cause, status, sequence, sent_ns, first_ns, done_ns, connect_ns, server_time_ms, size = end[:10]
        deployment, replays, streamed, stands_for, details = end[10:]
        recorder.record(
            intended_ns - zero_ns,
            began_ns - zero_ns,
            sent_ns - zero_ns,
            first_ns - zero_ns if first_ns != NO_TIME else NO_TIME,
            done_ns - zero_ns,
            connect_ns,
            _server_time_ns(server_time_ms) if server_time_ms else NO_TIME,
            sequence & 0xFFFFFFFF,
            size & 0xFFFFFFFF,
            lease.generation & 0xFFFF if lease is not None else 0,
            status,
            recorder.outcomes.codes[kind],
            recorder.causes.code(cause),
            recorder.phases.codes[Phase.MEASURE.value if intended_ns >= measure_from_ns else Phase.WARM_UP.value],
            lane.code,
            recorder.deployments.code(deployment.decode("latin-1")) if deployment else 0,
            recorder.freshnesses.codes[lane.manager.freshness(lease, sent_ns)] if lease is not None else 2,
            attempt,
            replays,
            recorder.late_causes.codes[late_cause],
            recorder.request_classes.code(request_class),
            *(_NOT_STREAMED if streamed is None else self._keep(streamed, sequence)),
            stands_for,
        )
        tally = bench.tally
        tally.requests += 1
        error = None
        if kind != OK:
            tally.failures += 1
            if kind == _AUTH_FAILURE:
                tally.auth_failures += 1
            error = self._failure(lane.variant.name, (kind, cause, status), done_ns - zero_ns, details)
        events = bench.events
        name = lane.name_of(request_class)
        if error is not None:
            events.failed(name, error)
        if events.wanted:
            events.fire(
                request_type=lane.method,
                name=name,
                response_time=(done_ns - intended_ns) / 1e6,
                response_length=size,
                exception=error,
                context={"service_time": (done_ns - sent_ns) / 1e6},
                response=None,
            )

    def _keep(self, streamed: Streamed, sequence: int) -> tuple[int, ...]:
        """Every gap to the file of gaps; the columns of the sample."""
        bench = self._bench
        times_ns = streamed.times_ns
        bench.chunks.add(sequence & 0xFFFFFFFF, times_ns)
        return (
            *((times_ns[0] - bench.zero_ns, times_ns[-1] - bench.zero_ns) if times_ns else (NO_TIME, NO_TIME)),
            *(len(times_ns), streamed.output_tokens, streamed.prompt_tokens),
            bench.recorder.tokens_from.codes[streamed.tokens_from],
        )

    def _failure(
        self, variant: str, verdict: tuple[str, str, int], at_ns: int, details: AnswerDetails
    ) -> ScoringFailure:
        """Count it among its kind; Locust is given one object a kind."""
        bench = self._bench
        sample = bench.failures.add(variant, verdict, at_ns=at_ns, details=details)
        error = bench.errors.get((variant, *verdict))
        if error is None:
            outcome_word, cause, status = verdict
            text = f"{outcome_word}: {cause}" if cause else outcome_word
            if status:
                text += f" ({status})"
            more = sample and (sample.model_reason or sample.location)
            error = bench.errors[(variant, *verdict)] = ScoringFailure(f"{text}: {more}" if more else text)
        return error


def _server_time_ns(text: bytes) -> int:
    value = milliseconds(text)
    return NO_TIME if value is None else round(value * 1e6)
