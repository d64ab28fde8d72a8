"""The model behind every endpoint: slots, service times, and the answer at the very moment it is due.

Edge in that it reads the clock and drives the due queue. `dataplane` admits requests and hands them over
as jobs; a job takes a slot of its deployment or waits for one, and is answered when its service is over.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from time import monotonic_ns

from bench.emulator.answers import Answers, model_error_headers
from bench.emulator.due import DueQueue
from bench.emulator.scoring_wire import ScoreRequest, ScoringConnection
from bench.emulator.service_time import finish_ns
from bench.emulator.state import State
from bench.emulator.streaming import CUT, HANG, Stream
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

    Of a streamed one (`stream`) `due_ns` is when its next token comes, `service_ns` how long that takes from the one
    before, and `next_gap_ns` draws the next;
    `headers` are more than every stream has.

    `status` 200, 408 or 424 (then `model_status` is what the container said); times are monotonic ns.
    """

    __slots__ = (
        "begins_ns",
        "connection",
        "counts",
        "due_ns",
        "headers",
        "lead_ns",
        "model_status",
        "next_gap_ns",
        "payload",
        "request",
        "service_ns",
        "slots",
        "status",
        "stream",
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
        self.headers: tuple[tuple[str, str], ...] = ()
        self.service_ns = 0
        self.lead_ns = 0
        self.begins_ns = 0
        self.due_ns = 0
        self.stream: Stream | None = None
        self.next_gap_ns: Callable[[], int] | None = None


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
            self._answer(job)
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
        self._answer(job)

    def _answer(self, job: Job) -> None:
        if job.stream is not None and job.next_gap_ns is not None:
            self._step(job, job.stream, job.next_gap_ns)
        else:
            self._finish(job)

    def _step(self, job: Job, stream: Stream, next_gap_ns: Callable[[], int]) -> None:
        """Send the token that is due. The client may have gone meanwhile, and then nobody waits for the rest."""
        head = b""
        if not stream.sent and job.slots is not None:
            request = job.request
            closing = not request.keep_alive
            head = self.answers.streamed(job.slots.deployment, request.request_id, closing=closing, headers=job.headers)
        piece = stream.next_piece(head)
        stream.times_ns += (job.due_ns, monotonic_ns())
        if stream.left > 0 and job.connection.send(piece):
            job.begins_ns = job.due_ns
            job.service_ns = next_gap_ns()
            stalls = self._state.conditions.stalls
            job.due_ns = finish_ns(job.begins_ns, job.service_ns, stalls) if stalls else job.begins_ns + job.service_ns
            self._due.push(job.due_ns, job)
            return
        if self._truth is not None:
            self._truth.add_stream(job.request.request_id, job.request.received_ns, stream.times_ns)
        if stream.left <= 0 and stream.ending not in (CUT, HANG):
            job.payload = piece
            job.service_ns = job.due_ns - job.request.received_ns
            self._finish(job)
            return
        job.connection.send(piece)
        if stream.ending == CUT:
            job.connection.close()
        if job.slots is not None:
            self._free(job.slots)
            self._start_next(job.slots, job.due_ns)

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
        self._free(slots)
        job.connection.answer(payload)
        self._start_next(slots, job.due_ns)

    @staticmethod
    def _free(slots: Slots) -> None:
        slots.pending -= 1
        slots.running -= 1

    def _start_next(self, slots: Slots, at_ns: int) -> None:
        """From the time the slot was due to be free: lateness of the timer must not add up to lost capacity."""
        if slots.waiting and slots.running < slots.slots:
            slots.running += 1
            self._start(slots.waiting.popleft(), at_ns)

    def _payload(self, job: Job, answered_ns: int) -> bytes:
        request = job.request
        closing = not request.keep_alive
        if job.status == 200 and job.slots is not None:
            took_ns = answered_ns - job.begins_ns
            return self.answers.scored(job.slots.deployment, took_ns, request.request_id, closing=closing)
        if job.status == 408:
            return self.answers.refused(408, _TIMED_OUT, closing=closing)
        return self.answers.refused(424, _MODEL_ERROR, closing=closing, headers=model_error_headers(job.model_status))
