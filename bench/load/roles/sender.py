"""One process's part of a run: its lanes, users, recorder and health. Edge.

A standalone Locust has one, a worker has one, a master has none. Life: built (credentials are fetched,
files opened), `go` (the clock starts), `serve` once a user, `finish`. What a disk does not take is counted
(`progress`), and never ends the sending by itself.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import Any

import gevent
from gevent.event import Event

from bench.clock import monotonic_ns
from bench.credentials import CredentialManager
from bench.credentials.patience import Patience
from bench.errors import RunInvalid
from bench.line_file import LineFile
from bench.live.rolling import Rolling
from bench.load.engine.arrivals import Arrival, asked_rate, body_order, schedule
from bench.load.engine.client_limits import make_room
from bench.load.engine.dispatch import Dispatcher
from bench.load.engine.failure_samples import FailureSamples
from bench.load.engine.lane import Lane
from bench.load.engine.lateness import Lateness
from bench.load.engine.request import Engine, Scorer, Tally
from bench.load.engine.request_source import load_again
from bench.load.engine.seats import Seat, Seats
from bench.load.roles.closing import close_all
from bench.load.roles.messages import Progress, Share
from bench.load.roles.part import Part
from bench.load.roles.request_events import RequestEvents
from bench.load.wire.address import parse_address
from bench.load.wire.connection import Connection
from bench.load.wire.deadlines import Deadlines
from bench.load.wire.hub_watch import HubWatch
from bench.load.wire.reach import open_once
from bench.plan.run_plan import RunPlan
from bench.process import supervise
from bench.rundir import RunDir
from bench.sample import Outcome, WorkloadModel
from bench.samples.chunks import ChunkRecorder
from bench.samples.recorder import Recorder
from bench.target.client_certificate import ClientCertificate
from bench.target.spec import secret_headers_of

_TICK_S = 1.0
_POLL_S = 0.01
_PAUSE_WITHOUT_LEASE_S = 0.1
_YOUNG_OBJECTS = 50_000
_SKIPPED_AT_ONCE = 500


class Sender:
    """Everything one process needs to send its share of a run."""

    def __init__(
        self,
        plan: RunPlan,
        *,
        part: Part,
        run: RunDir,
        managers: tuple[CredentialManager, ...],
        events: RequestEvents,
        say: Callable[[str], object] = lambda _: None,
        on_tick: Callable[[Progress], None] = lambda _: None,
    ) -> None:
        """RunInvalid when its files cannot be opened. `on_tick` is told once a second how far it is."""
        self.plan = plan
        self.tally = Tally()
        self.watch = HubWatch()
        self.managers = managers
        self.name = part.name
        self.cpu = 0.0
        self.failures = FailureSamples(run.failures / f"{part.name}.jsonl")
        self._part = part
        self._whose = {"run_id": run.run_id, "worker": part.name}
        self._on_tick = on_tick
        self._patience = Patience(timeout_s=plan.start_timeout_s, sleep=gevent.sleep, say=say)
        self._deadlines = Deadlines()
        self._started = Event()
        self._all_answered = Event()
        self._end_ns = 0
        self._cut = False
        self._finished = False
        self._ticker: Any = None
        self._ticked = (0, 0.0)
        self._served = 0
        self._kept = 0
        self._lost_lines = 0
        self._all_kept_ns = 0
        self._disk_is_full = False
        source = load_again(plan)
        self._dues_ns = source.dues_ns
        client = ClientCertificate(plan.client_cert, plan.client_key)
        uris = [variant.scoring_uri for variant in plan.variants] if plan.target == "scoring_uri" else []
        try:
            self._health = LineFile(run.health / f"{part.name}.jsonl")
            facts = {"run_id": run.run_id, "worker": part.name}
            recorder = Recorder(run.samples / f"{part.name}.arrows", metadata=facts)
            chunks = ChunkRecorder(run.chunks / f"{part.name}.arrows", metadata=facts)
        except OSError as exc:
            raise RunInvalid(
                f"cannot write samples to {run.path}: {exc.strerror or exc}", hint="make room, or choose another --out"
            ) from exc
        words = {column: known.codes for column, known in recorder.words.items()}
        self.rolling, self._words = Rolling(words), words
        recorder.observe = self._fold
        self._events = events
        events.method = plan.request.method
        self.bench = Engine(
            lanes=tuple(
                Lane(
                    variant,
                    parse_address(variant.scoring_uri, ca_file=plan.ca_file, client=client),
                    manager,
                    code=recorder.variants.code(variant.name),
                    deployment=variant.deployment,
                    request=plan.request,
                    secret_headers=secret_headers_of(plan.request, uris, place),
                )
                for place, (variant, manager) in enumerate(zip(plan.variants, managers, strict=True))
            ),
            recorder=recorder,
            chunks=chunks,
            idle_ns=round(plan.idle_timeout_s * 1e9),
            watch=self.watch,
            deadlines=self._deadlines,
            tally=self.tally,
            feeder=source.feeder,
            timeout_ns=round(plan.timeout_s * 1e9),
            id_prefix=f"{run.run_id}-{part.name}-".encode(),
            events=events,
            failures=self.failures,
            expectation=plan.request.expectation,
        )
        lanes, dues_ns = range(len(plan.variants)), source.dues_ns
        self._seats = Seats(len(plan.variants), first=part.index)
        self._bodies = [
            body_order(self.bench.feeder.size, seed=f"{plan.seed}-{part.index}-{variant.name}")
            for variant in plan.variants
        ]
        self.dispatcher = (
            Dispatcher(
                [
                    schedule(plan, worker=part.index, workers=part.workers, variant=lane, dues_ns=dues_ns)
                    for lane in lanes
                ],
                [Lateness(self.watch, lane.lease_waits) for lane in self.bench.lanes],
                may_grow=True,
            )
            if plan.model is WorkloadModel.OPEN
            else None
        )

    def _fold(self, rows: Any) -> None:
        """Rows that are about to be written, for whoever counts."""
        self.rolling.fold(rows)
        bench = self.bench
        self._events.fold(
            rows,
            names={
                (lane.code, code): lane.name_of(word)
                for lane in bench.lanes
                for word, code in bench.recorder.request_classes.codes.items()
            },
            ok=bench.recorder.outcomes.codes[Outcome.OK.value],
            zero_ns=bench.zero_ns,
        )

    def make_ready(self) -> None:
        """Have a lease for each lane and know that its server can be reached, before the first arrival is due.

        Raises the manager's CredentialError, or RunInvalid when no connection can be made, or not as many as needed.
        """
        make_room(-(-self.plan.users // max(self._part.workers, 1)))
        for lane, manager in zip(self.bench.lanes, self.managers, strict=True):
            lane.head_for(manager.first_lease(self._patience))
            probe = Connection(lane.address, watch=self.watch, deadlines=self._deadlines)
            try:
                open_once(probe, lane.variant.shown_uri, timeout_ns=self.bench.timeout_ns)
            finally:
                probe.close()
                self._deadlines.leave(probe)
        Rolling(self._words).fold(self.bench.recorder.blank_rows(1))  # the first fold ever costs 10 ms: not in a run
        gc.collect()  # takes tens of milliseconds: now, and not when requests are due

    def facts(self) -> dict[str, Any]:
        """`request_bytes` on the wire by variant (part of what token auth costs), and the `pacer`'s name."""
        payload = self.bench.feeder.at(0)
        rest = len(payload.head) + len(payload.tail) + len(self.bench.id_prefix) + 8
        return {
            "request_bytes": {lane.variant.name: len(lane.head) + rest for lane in self.bench.lanes},
            "pacer": self.dispatcher.pacer_name if self.dispatcher is not None else "",
        }

    def elapsed_s(self) -> float:
        """Since the run's zero; 0 before it."""
        return max(monotonic_ns() - self.bench.zero_ns, 0) / 1e9 if self.bench.zero_ns else 0.0

    def lag_ms(self) -> float:
        """How long the oldest unclaimed arrival is overdue."""
        return self.dispatcher.lag_ns() / 1e6 if self.dispatcher is not None else 0.0

    def go(self, zero_ns: int) -> None:
        """Start the clock: `zero_ns` is the run's zero on this host's monotonic clock, now or soon."""
        plan, bench = self.plan, self.bench
        bench.zero_ns = zero_ns
        bench.measure_from_ns = zero_ns + round(plan.warm_up_s * 1e9)
        self._end_ns = bench.measure_from_ns + round(plan.duration_s * 1e9) if plan.duration_s is not None else 1 << 62
        gc.freeze()  # what lives as long as the run is not looked at again
        gc.set_threshold(_YOUNG_OBJECTS, 20, 100)
        self.watch.start()
        self._ticked = (monotonic_ns(), time.process_time())
        self._ticker = supervise.start(self._tick_for_ever, where="health")
        if self.dispatcher is not None:
            self.dispatcher.start(zero_ns)
        self._started.set()

    def drained(self) -> bool:
        """All that was due has been sent and answered."""
        if self.bench.zero_ns == 0 or self.tally.in_flight:
            return False
        return self.dispatcher.exhausted if self.dispatcher is not None else monotonic_ns() >= self._end_ns

    def take_over(self, share: Share) -> None:
        """Send what a lost worker had not begun. Returns once it is known what that is, which may take a while."""
        arrivals = schedule(self.plan, worker=share.worker, workers=self._part.workers, dues_ns=self._dues_ns)
        for offset, step in share.splits:
            arrivals = islice(arrivals, offset, None, step)
        rest = _after(share.from_ns, arrivals)
        if self.dispatcher is not None and not self._cut:
            self.dispatcher.add(rest)

    def progress(self) -> Progress:
        """How far this sender is, and what its disk did not take."""
        recorder = self.bench.recorder
        return Progress(
            at_ns=monotonic_ns() - self.bench.zero_ns if self.bench.zero_ns else 0,
            begun=self.dispatcher.claimed if self.dispatcher is not None else self.tally.requests,
            kept=self._kept,
            unwritten=recorder.recorded - recorder.written if self._disk_is_full else 0,
            lost_lines=self._health.lost + self._lost_lines,
            lost_gaps=self._lost_gaps(),
            lost_from_ns=max(self._all_kept_ns - self.bench.zero_ns, 0) if self._disk_is_full else None,
        )

    def _lost_gaps(self) -> int:
        """After a flush: gaps between tokens that no disk will take."""
        chunks = self.bench.chunks
        return chunks.recorded - chunks.written if chunks.broken else 0

    def _backlog(self, now_ns: int) -> int:
        """About how many arrivals are overdue: the rate asked for times how long the oldest has waited."""
        lag_s, elapsed_s = self.lag_ms() / 1e3, (now_ns - self.bench.zero_ns) / 1e9
        return round(asked_rate(self.plan, from_s=elapsed_s - lag_s, to_s=elapsed_s) * lag_s / self._part.workers)

    def cut(self) -> None:
        """The run ends here: what is due later is not part of it. Safe to call twice."""
        if not self._cut:
            self._cut = True
            self._end_ns = monotonic_ns()
            if self.dispatcher is not None:
                self.dispatcher.cut(self._end_ns)
                gevent.sleep(0)  # users that are given the last arrivals must be seen to work before they are stopped

    def serve(self, user: Any, *, number: int) -> None:
        """Send requests as `user` until there are no more, or Locust wants it to stop."""
        del number
        scorer = Scorer(self.bench)
        seat = self._seats.take(gevent.getcurrent())
        self._count_users()
        try:
            if self.dispatcher is not None:
                self._serve_open(user, user.sending(scorer), seat, self.dispatcher)
            else:
                self._serve_closed(user, user.sending(scorer), seat)
        finally:
            self._give_up(seat)
            scorer.close()

    def _give_up(self, seat: Seat) -> None:
        """A user leaves. If its variant has too few now, another one changes sides: an idle one, if there is one."""
        candidates = self._seats.leave(seat)
        if candidates:
            to = self._seats.counts.index(min(self._seats.counts))
            moved = next((one for one in candidates if self._move(one, to)), candidates[0])
            self._seats.change(moved)
        self._count_users()

    def _move(self, seat: Seat, to: int) -> bool:
        return self.dispatcher is not None and self.dispatcher.move(seat.user, to=to)

    def _count_users(self) -> None:
        if self.dispatcher is not None:
            self.dispatcher.set_users(self._seats.counts)

    def withdraw(self, user: Any) -> None:
        """The greenlet `user` is about to be killed while it waits: give it no arrival any more."""
        if self.dispatcher is not None:
            self.dispatcher.withdraw(user)

    def finish(self) -> None:
        """Await what is under way, close everything, write what is left. Safe to call twice."""
        if self._finished:
            return
        self._finished = True
        end: dict[str, Any] = {}
        steps = [
            ("the end of the schedule", lambda: self._end_schedule(end)),
            ("the last answers", self._await_answers),
            ("the ticker", self._stop_ticker),
            ("deadlines", self._deadlines.close),
            *(("a lane", lane.wipe) for lane in self.bench.lanes),
            *(("a credential manager", manager.close) for manager in self.managers),
            ("samples", self.bench.recorder.close),
            ("gaps between tokens", self.bench.chunks.close),
            ("the last samples", self._note_kept),
            ("failures", lambda: self.failures.write(all_counts=True)),
            ("waiting users", self._let_go),
            ("the end record", lambda: self._write_end(end)),
            ("health", self._health.close),
        ]
        for name, error in close_all(steps):
            self._note(f"closing: {name}", error)

    def _end_schedule(self, end: dict[str, Any]) -> None:
        end["due"] = end["claimed"] = self.tally.requests
        self.cut()
        if self.dispatcher is not None:
            end["due"] = self.dispatcher.due(monotonic_ns())
            end["claimed"] = self.dispatcher.claimed
            self.dispatcher.close()

    def _stop_ticker(self) -> None:
        if self._ticker is not None:
            self._ticker.kill()
            self._tick()
            self.watch.stop()

    def _let_go(self) -> None:
        self._started.set()
        self._all_answered.set()

    def _write_end(self, end: dict[str, Any]) -> None:
        """Of the closed model all that was begun was due, so nothing can be dropped."""
        recorder = self.bench.recorder
        self._health.write(
            {
                **self._whose,
                "end": True,
                "due": end["due"] if self.dispatcher is not None else self.tally.requests,
                "recorded": recorder.recorded,
                "written": recorder.written,
                "unwritten": recorder.recorded - recorder.written,
                "gaps_written": self.bench.chunks.written,
                "gaps_unwritten": self.bench.chunks.recorded - self.bench.chunks.written,
                "dropped_arrivals": max(end["due"] - end["claimed"], 0),
            }
        )

    def _await_answers(self) -> None:
        """SIGTERM comes while requests are under way, and Locust asks for the end before it stops its users."""
        give_up_ns = monotonic_ns() + self.bench.timeout_ns
        while self.tally.in_flight and monotonic_ns() < give_up_ns:
            gevent.sleep(_POLL_S)

    def _serve_open(self, user: Any, send: Callable[..., bool], seat: Seat, dispatcher: Dispatcher) -> None:
        zero_ns = 0
        while True:
            user.waiting()
            arrival = dispatcher.claim(seat.variant)
            late_cause = dispatcher.late_cause
            if arrival is None:
                self._await_the_last()
                return
            if not user.working():
                return
            zero_ns = zero_ns or self.bench.zero_ns
            due_ns = zero_ns + arrival.due_ns
            if not send(arrival.variant, intended_ns=due_ns, number=arrival.number, late_cause=late_cause):
                gevent.sleep(0)  # what fails at once (no descriptors) must not keep the hub from its turn

    def _await_the_last(self) -> None:
        """Until the last request is answered: closing hundreds of connections meanwhile would hold it up by 5 ms."""
        if not self.tally.in_flight:
            self._all_answered.set()
        self._all_answered.wait()

    def _serve_closed(self, user: Any, send: Callable[..., bool], seat: Seat) -> None:
        user.waiting()
        self._started.wait()
        gevent.sleep(max((self.bench.zero_ns - monotonic_ns()) / 1e9, 0))
        while user.working() and monotonic_ns() < self._end_ns:
            variant = seat.variant
            well = send(variant, intended_ns=monotonic_ns(), number=next(self._bodies[variant]))
            if user.wait_time is not None:
                user.wait()
            elif not well:  # never without the hub's turn
                gevent.sleep(_PAUSE_WITHOUT_LEASE_S if self.managers[variant].current is None else 0)

    def _tick_for_ever(self) -> None:
        while True:
            gevent.sleep(_TICK_S)
            self._tick()

    def _tick(self) -> None:
        """Samples, health and the report to the master: none of them depends on the others."""
        steps = (
            ("samples", self._flush),
            ("failures", self.failures.write),
            ("health", self._write_health),
            ("progress", self._tell_progress),
        )
        for name, error in close_all(steps):
            self._note(f"each second: {name}", error)

    def _note(self, where: str, error: Exception) -> None:
        """What a disk does not take is counted; anything else is a bug."""
        if isinstance(error, OSError):
            self._lost_lines += 1
        else:
            supervise.failed(where, error)

    def _flush(self) -> None:
        self.watch.blame("flush")
        self.bench.recorder.flush()
        self.bench.chunks.flush()
        self._note_kept()

    def _note_kept(self) -> None:
        """After a flush: everything that was recorded is on disk, or some of it never will be."""
        recorder = self.bench.recorder
        if recorder.written < recorder.recorded or self.bench.chunks.broken:
            self._disk_is_full = True
        elif not self._disk_is_full:
            self._all_kept_ns = monotonic_ns()
            begun = self.dispatcher.claimed if self.dispatcher is not None else self.tally.requests
            self._kept = max(begun - self.tally.in_flight, 0)

    def _tell_progress(self) -> None:
        self._on_tick(self.progress())

    def _write_health(self) -> None:
        now_ns, cpu_s = monotonic_ns(), time.process_time()
        then_ns, cpu_then_s = self._ticked
        self._ticked = (now_ns, cpu_s)
        self.cpu = round((cpu_s - cpu_then_s) / max((now_ns - then_ns) / 1e9, 1e-9), 4)
        health = self.watch.drain()
        served = self.tally.requests - self._served
        self._served = self.tally.requests
        zero_ns = self.bench.zero_ns
        for stall in health["stalls"]:
            stall["at_ns"] -= zero_ns
        self._health.write(
            {
                **self._whose,
                "at_ns": now_ns - zero_ns,
                "cpu": self.cpu,
                "requests": self.tally.requests,
                "in_flight": self.tally.in_flight,
                "lag_ms": self.lag_ms(),
                "backlog": self._backlog(now_ns),
                "overhead_ms": health["busy_ms"] / served if served else 0.0,
                "ways": [
                    {"variant": lane.variant.name, **way} for lane in self.bench.lanes for way in lane.ways.read()
                ],
                "held_back": [
                    {"variant": lane.variant.name, **lane.held_back.take()}
                    for lane in self.bench.lanes
                    if lane.held_back.answers
                ],
                **health,
            }
        )


def _after(from_ns: int, arrivals: Iterator[Arrival]) -> Iterator[Arrival]:
    """Those that are due later. There may be millions before them: the hub gets its turn in between."""
    for number, arrival in enumerate(arrivals):
        if arrival.due_ns > from_ns:
            return chain((arrival,), arrivals)
        if number % _SKIPPED_AT_ONCE == 0:
            gevent.sleep(0)
    return iter(())
