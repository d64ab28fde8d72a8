"""A scoring URI: judges every request, and hands the admitted ones to the model. On the hot path.

`scoring_wire` calls `accept`; `admission` decides; `model` answers. Edge in that it writes the refusal log.
"""

from __future__ import annotations

from collections import Counter
from random import Random

from bench.emulator.admission import Gate, Refusal, Traffic
from bench.emulator.bucket import TokenBucket
from bench.emulator.journal import Journal
from bench.emulator.model import Job, Model, Slots
from bench.emulator.scoring_wire import ScoreRequest, ScoringConnection
from bench.emulator.service_time import ServiceTimes
from bench.emulator.state import EndpointState, State
from bench.emulator.streaming import PATH, Stream, Streams, TooManyTokens
from bench.emulator.token_budget import TokenBudget
from bench.emulator.wallclock import WallClock

_NO_DEPLOYMENT = "No deployment with positive traffic weight was found."
_PATHS = frozenset({b"/score", PATH})
_METHODS = frozenset({b"GET", b"POST"})
_ID_CHARACTERS = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"


class ScoringFront:
    """The scoring URI of one endpoint. `counts` holds answers by status."""

    def __init__(
        self,
        state: State,
        endpoint: EndpointState,
        *,
        model: Model,
        service_times: ServiceTimes,
        clock: WallClock,
        refusals: Journal,
    ) -> None:
        settings = state.settings.model
        self.endpoint = endpoint
        self.counts: Counter[int] = Counter()
        self.reasons: Counter[str] = Counter()
        self._state = state
        self._model = model
        self._next_service_ns = service_times.next_ns
        self._clock_offset_s = clock.offset_s
        self._refusals = refusals
        self._gate = Gate(state, endpoint)
        self._traffic = Traffic(tuple(endpoint.traffic.items()), settings.seed)
        limit = settings.rate_limit
        self._rate = TokenBucket(capacity=limit, per_s=limit) if limit else None
        self._budget = TokenBudget(settings.tokens_per_minute) if settings.tokens_per_minute else None
        self._random = Random(settings.seed).random  # noqa: S311 - a reproducible sequence is the point
        delays = dict(settings.delays_ns)
        self.deployments = {
            name: Slots(name, slots=settings.instances * settings.max_concurrent_requests, extra_ns=delays.get(name, 0))
            for name in endpoint.traffic
        }
        self._streams = Streams(settings.stream, settings.seed)
        self._timeout_ns = settings.request_timeout_ns

    def accept(self, connection: ScoringConnection, request: ScoreRequest) -> None:
        """Answer `request` on `connection`, now or when its service time is over."""
        if request.request_id.translate(None, _ID_CHARACTERS):
            request.request_id = b""
        path = request.path
        if path != b"/score" and path.partition(b"?")[0] not in _PATHS:
            return self._refuse(connection, request, 404, "Not Found")
        now_s = request.received_ns / 1e9 + self._clock_offset_s
        refusal = self._gate.refusal(request.authorization, now_s)
        if refusal is not None:
            return self._refuse_caller(connection, request, refusal)
        if request.method not in _METHODS:
            return self._refuse(connection, request, 405, "Method Not Allowed")
        slots = self.deployments.get(self._traffic.choose(request.deployment.decode("latin-1")))
        if slots is None:
            return self._refuse(connection, request, 404, _NO_DEPLOYMENT)
        if self._rate is not None and not self._rate.take(now_s):
            return self._refuse(connection, request, 429, "", ("ms-azureml-model-error-reason", "rate_limited"))
        if slots.pending >= slots.pending_limit:
            reason = ("ms-azureml-model-error-reason", "too_many_pending_request")
            return self._refuse(connection, request, 429, "", reason)
        try:
            stream = self._streams.asked(request.body) if request.body else None
        except TooManyTokens as exc:
            return self._refuse(connection, request, 400, str(exc))
        if self._budget is not None and stream is not None and not self._budget.take(now_s, stream.budget):
            text, headers = self._budget.refusal()
            return self._refuse(connection, request, 429, text, *headers)
        return self._model.submit(self._job(connection, request, slots, stream))

    def _job(self, connection: ScoringConnection, request: ScoreRequest, slots: Slots, stream: Stream | None) -> Job:
        job = Job(connection, request, self.counts, slots)
        conditions = self._state.conditions
        job.stream = stream
        if self._budget is not None and stream is not None:
            job.headers = self._budget.headers
        if job.stream is not None:
            job.next_gap_ns = self._streams.gap_ns
            job.service_ns = self._streams.first_ns() + slots.extra_ns
        else:
            job.service_ns = self._next_service_ns() + slots.extra_ns
        if conditions.validation_delay_ns and self.endpoint.auth_mode != "key":
            job.lead_ns = conditions.validation_delay_ns
        if conditions.models:
            fault = conditions.model_fault(slots.deployment)
            if fault is not None and self._random() < fault.share:
                self._state.on_used(fault)
                job.service_ns += round(fault.delay_s * 1e9)
                if fault.answer != "slow":
                    job.status, job.model_status, job.stream = 424, fault.answer, None
        if job.service_ns > self._timeout_ns:
            job.service_ns = self._timeout_ns
            job.status, job.stream = 408, None
        return job

    def _refuse_caller(self, connection: ScoringConnection, request: ScoreRequest, refusal: Refusal) -> None:
        self.reasons[refusal.reason] += 1
        self._refusals.add(
            {
                "at_ns": request.received_ns,
                "endpoint": self.endpoint.name,
                "auth_mode": self.endpoint.auth_mode,
                "status": refusal.status,
                "reason": refusal.reason,
                "x-ms-client-request-id": request.request_id.decode(),
            }
        )
        self._refuse(connection, request, refusal.status, refusal.text)

    def _refuse(
        self, connection: ScoringConnection, request: ScoreRequest, status: int, text: str, *headers: tuple[str, str]
    ) -> None:
        job = Job(connection, request, self.counts, None)
        job.status = status
        job.payload = self._model.answers.refused(status, text, closing=not request.keep_alive, headers=headers)
        self._model.submit(job)
