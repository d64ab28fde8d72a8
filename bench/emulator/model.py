"""The model behind every endpoint: slots, service times, and the answer at the very moment it is due.

Edge in that it reads the clock and drives the due queue. `dataplane` admits requests and hands them over
as jobs; a job takes a slot of its deployment or waits for one, and is answered when its service is over.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from time import monotonic_ns

from bench.emulator.answers import Answers, model_error_headers
from bench.emulator.due import DueQueue
from bench.emulator.scoring_wire import ScoreRequest, ScoringConnection
from bench.emulator.service_time import finish_ns
from bench.emulator.state import State
from bench.emulator.truth import TruthFile

_TIMED_OUT = "upstream request timeout"
_MODEL_ERROR = '{"message": "An unexpected error occurred in scoring script. Check the logs for more info."}'


class Slots:
    """One deployment of one endpoint: `slots` requests run, as many again may wait, the rest is too many."""

    __slots__ = ("deployment", "extra_ns", "pending", "pending_limit", "running", "scored", "slots", "waiting")

    def __init__(self, deployment: str, *, slots: int, extra_ns: int) -> None:
        self.deployment = deployment
        self.slots = slots
        self.pending_limit = 2 * slots
        self.extra_ns = extra_ns
        self.pending = 0
        self.running = 0
        self.scored = 0
        self.waiting: deque[Job] = deque()


class Job:
    """A request on its way to its answer. `payload` is set when the answer is no business of the model's.

    `status` 200, 408 or 424 (then `model_status` is what the container said); times are monotonic ns.
    """

    __slots__ = (
        "begins_ns",
        "connection",
        "counts",
        "due_ns",
        "lead_ns",
        "model_status",
        "payload",
        "request",
        "service_ns",
        "slots",
        "status",
    )

    def __init__(
        self,
        connection: ScoringConnection,
        request: ScoreRequest,
        counts: Counter[int],
        slots: Slots | None,
    ) -> None:
        self.connection = connection
        self.request = request
        self.counts = counts
        self.slots = slots
        self.status = 200
        self.model_status = ""
        self.payload = b""
        self.service_ns = 0
        self.lead_ns = 0
        self.begins_ns = 0
        self.due_ns = 0


class Model:
    """Runs jobs. One for the whole emulator: the same model stands behind every endpoint."""

    def __init__(self, loop: asyncio.AbstractEventLoop, state: State, truth: TruthFile | None) -> None:
        self._state = state
        self._truth = truth
        self._due: DueQueue[Job] = DueQueue(loop, self._on_due, busy=state.settings.busy_poll)
        self.answers = Answers(state.settings.model.response_bytes)

    @property
    def timer_kind(self) -> str:
        return self._due.timer_kind

    def submit(self, job: Job) -> None:
        """Run `job`, or let it wait for a slot. `lead_ns` passes first; it is no part of the service time."""
        slots = job.slots
        if slots is not None:
            slots.pending += 1
            if slots.running >= slots.slots:
                slots.waiting.append(job)
                return
            slots.running += 1
        self._start(job, job.request.received_ns)

    def close(self) -> None:
        self._due.close()

    def _start(self, job: Job, at_ns: int) -> None:
        job.begins_ns = at_ns + job.lead_ns
        stalls = self._state.conditions.stalls
        job.due_ns = finish_ns(job.begins_ns, job.service_ns, stalls) if stalls else job.begins_ns + job.service_ns
        if job.due_ns == job.request.received_ns:
            self._finish(job)
        else:
            self._due.push(job.due_ns, job)

    def _on_due(self, job: Job) -> None:
        stalls = self._state.conditions.stalls
        if stalls:
            # A stall that was posted while the job was in service pushes it back.
            due_ns = finish_ns(job.begins_ns, job.service_ns, stalls)
            if due_ns > job.due_ns and due_ns > monotonic_ns():
                job.due_ns = due_ns
                self._due.push(due_ns, job)
                return
        self._finish(job)

    def _finish(self, job: Job) -> None:
        slots, request = job.slots, job.request
        job.counts[job.status] += 1
        answered_ns = monotonic_ns()
        payload = job.payload or self._payload(job, answered_ns)
        if slots is None:
            job.connection.answer(payload)
            return
        if self._truth is not None:
            answered_ns = monotonic_ns()
            self._truth.add(request.request_id, request.received_ns, answered_ns, job.service_ns)
        slots.scored += 1
        slots.pending -= 1
        slots.running -= 1
        job.connection.answer(payload)
        if slots.waiting and slots.running < slots.slots:
            slots.running += 1
            # From the time the slot was due to be free: lateness of the timer must not add up to lost capacity.
            self._start(slots.waiting.popleft(), job.due_ns)

    def _payload(self, job: Job, answered_ns: int) -> bytes:
        request = job.request
        closing = not request.keep_alive
        if job.status == 200 and job.slots is not None:
            took_ns = answered_ns - job.begins_ns
            return self.answers.scored(job.slots.deployment, took_ns, request.request_id, closing=closing)
        if job.status == 408:
            return self.answers.refused(408, _TIMED_OUT, closing=closing)
        return self.answers.refused(424, _MODEL_ERROR, closing=closing, headers=model_error_headers(job.model_status))
