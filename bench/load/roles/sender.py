"""One process's part of a run: its lanes, users, recorder and health. Edge.

A standalone Locust has one, a worker has one, a master has none. Life: built (credentials are fetched,
files opened), `go` (the clock starts), `serve` once a user, `finish`. `Serving` is what its users do, `Ticker` what is
written and reported each second.
"""

from __future__ import annotations

import dataclasses
import gc
from collections.abc import Callable
from typing import Any

import gevent

from bench.clock import monotonic_ns
from bench.credentials import CredentialManager
from bench.credentials.patience import Patience
from bench.live.rolling import Rolling
from bench.load.engine.answer_checks import AnswerChecks
from bench.load.engine.client_limits import Room
from bench.load.engine.failure_samples import FailureSamples
from bench.load.engine.request import Scorer
from bench.load.engine.request_source import load_again
from bench.load.engine.shared import Engine, Tally
from bench.load.roles import assembly
from bench.load.roles.closing import close_all
from bench.load.roles.commands import Share
from bench.load.roles.dealing import arrivals_from, arrivals_of
from bench.load.roles.folding import Folding
from bench.load.roles.messages import Progress
from bench.load.roles.part import Part
from bench.load.roles.request_events import RequestEvents
from bench.load.roles.serving import Serving
from bench.load.roles.ticker import Ticker
from bench.load.wire.connection import Connection
from bench.load.wire.deadlines import Deadlines
from bench.load.wire.hub_watch import HubWatch
from bench.load.wire.reach import open_once
from bench.plan.run_plan import LoadChange, RunPlan
from bench.rundir import RunDir
from bench.target.client_certificate import ClientCertificate
from bench.trace_context import TraceContext

_POLL_S = 0.01
_YOUNG_OBJECTS = 50_000


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
        """RunInvalid when its files cannot be opened. `on_tick` receives once a second how far it is."""
        self.plan = plan
        self.tally = Tally()
        self.watch = HubWatch()
        self.managers = managers
        self.name = part.name
        facts = {"run_id": run.run_id, "worker": part.name}
        self.failures = FailureSamples(run.failures / f"{part.name}.jsonl", whose=facts)
        self._part = part
        self._patience = Patience(timeout_s=plan.start_timeout_s, sleep=gevent.sleep, say=say)
        self._deadlines = Deadlines()
        self._room: Room | None = None
        self._cut = False
        self._finished = False
        self._shares = [Share(worker=part.index, from_ns=-1)]
        source, expected = load_again(plan), plan.request.expectation
        self._dues_ns = source.dues_ns
        self._client = ClientCertificate(plan.client_cert, plan.client_key)
        self._health, recorder, chunks = assembly.files_of(run, part.name, facts)
        words = {column: known.codes for column, known in recorder.words.items()}
        self.rolling, self._words = Rolling(words), words
        self.bench = Engine(
            lanes=assembly.lanes_of(plan, managers, self._client, variants=recorder.variants),
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
            checks=AnswerChecks(expected, seed=f"{plan.seed}-{part.index}") if expected is not None else None,
            trace=None if plan.trace_share is None else TraceContext(run.run_id, part.name, share=plan.trace_share),
        )
        self.dispatcher = assembly.dispatcher_of(plan, part, self.bench, dues_ns=source.dues_ns)
        self._folding = Folding(self.rolling.fold, assembly.fold_of(events, self.bench, method=plan.request.method))
        recorder.observe = self._folding.take
        self._serving = Serving(
            self.bench, self.dispatcher, plan=plan, part=part, managers=managers, converses=source.turns > 0
        )
        self._ticker = Ticker(
            self.bench,
            self.dispatcher,
            plan=plan,
            part=part,
            whose=facts,
            health=self._health,
            failures=self.failures,
            on_tick=on_tick,
        )

    def make_ready(self) -> None:
        """Have a lease for each lane and know that its server can be reached, before the first arrival is due.

        Raises the manager's CredentialError, or RunInvalid when no connection can be made, or not as many as needed.
        """
        self._room = Room()
        self._room.have(-(-self.plan.users // max(self._part.workers, 1)))
        for lane, manager in zip(self.bench.lanes, self.managers, strict=True):
            lane.head_for(manager.first_lease(self._patience))
            probe = Connection(lane.address, watch=self.watch, deadlines=self._deadlines)
            try:
                open_once(probe, lane.variant.shown_uri, self._client, timeout_ns=self.bench.timeout_ns)
            finally:
                probe.close()
                self._deadlines.leave(probe)
        Rolling(self._words).fold(self.bench.recorder.blank_rows(1))  # the first fold ever costs 10 ms: not in a run
        gc.collect()  # takes tens of milliseconds: now, and not when requests are due

    def facts(self) -> dict[str, Any]:
        """`request_bytes` on the wire by variant (part of what token auth costs), and the `pacer`'s name."""
        payload = self.bench.feeder.at(0)
        rest = len(payload.head) + len(payload.tail) + len(self.bench.id_prefix) + 8
        rest += self.bench.trace.line_bytes if self.bench.trace is not None else 0
        return {
            "request_bytes": {lane.variant.name: len(lane.head) + rest for lane in self.bench.lanes},
            "pacer": self.dispatcher.pacer_name if self.dispatcher is not None else "",
        }

    def elapsed_s(self) -> float:
        """Since the run's zero; 0 before it."""
        return max(monotonic_ns() - self.bench.zero_ns, 0) / 1e9 if self.bench.zero_ns else 0.0

    def lag_ms(self) -> float:
        """How long the oldest unclaimed arrival is overdue."""
        return self._ticker.lag_ms()

    @property
    def cpu(self) -> float:
        """Of this process in the last second, as a share of a core."""
        return self._ticker.cpu

    def progress(self) -> Progress:
        """How far this sender is, and what its disk did not take."""
        return self._ticker.progress()

    def serve(self, user: Any, *, users: int) -> None:
        """Send requests as `user` until there are no more, or Locust wants it to stop.

        Locust wants `users` in this process: RunInvalid where it has no room for them.
        """
        self.make_room(users)
        self._serving.serve(user)

    def make_room(self, users: int) -> None:
        """For so many users in this process. RunInvalid where there is none."""
        if self._room is not None:
            self._room.have(users)

    def before_serving(self, user: Any) -> tuple[Scorer, int] | None:
        """What `user` sends with in its on_start, and its variant; None if the clock never starts."""
        return self._serving.before_serving(user)

    def leave(self, user: Any) -> None:
        """A user is gone that may never have served."""
        self._serving.leave(user)

    def withdraw(self, user: Any) -> None:
        """The greenlet `user` is about to be killed while it waits: give it no arrival any more."""
        self._serving.withdraw(user)

    def go(self, zero_ns: int) -> None:
        """Start the clock: `zero_ns` is the run's zero on this host's monotonic clock, now or soon."""
        plan, bench = self.plan, self.bench
        bench.zero_ns = zero_ns
        bench.measure_from_ns = zero_ns + round(plan.warm_up_s * 1e9)
        self._serving.end_ns = (
            bench.measure_from_ns + round(plan.duration_s * 1e9) if plan.duration_s is not None else 1 << 62
        )
        gc.freeze()  # what lives as long as the run is not looked at again
        gc.set_threshold(_YOUNG_OBJECTS, 20, 100)
        self._ticker.start()
        if self.dispatcher is not None:
            self.dispatcher.start(zero_ns)
        self._serving.start()

    def drained(self) -> bool:
        """All that was due has been sent and answered."""
        if self.bench.zero_ns == 0 or self.tally.in_flight:
            return False
        if self.tally.between_turns and monotonic_ns() < self._serving.end_ns:
            return False
        return self.dispatcher.exhausted if self.dispatcher is not None else monotonic_ns() >= self._serving.end_ns

    def take_over(self, share: Share) -> None:
        """Send what a lost worker had not begun. Returns once it is known what that is, which may take a while."""
        plan = None
        while plan is not self.plan:  # its rate may be changed meanwhile
            plan = self.plan
            rest = arrivals_of(share, plan, workers=self._part.workers, dues_ns=self._dues_ns)
        if self.dispatcher is not None and not self._cut:
            self._shares.append(share)
            self.dispatcher.add(rest)

    def change(self, changes: tuple[LoadChange, ...]) -> None:
        """Another rate, the last of `changes`: from when it holds, or from now on if that has passed.

        DANGER: the hub must not get its turn in here, for a share that is taken over meanwhile would be lost.
        """
        self.plan = plan = dataclasses.replace(self.plan, changes=changes)
        self._ticker.plan = plan
        if self.dispatcher is not None and not self._cut:
            from_ns = max(changes[-1].from_ns, monotonic_ns() - self.bench.zero_ns)
            rest = arrivals_from(from_ns, self._shares, plan, workers=self._part.workers, dues_ns=self._dues_ns)
            self.dispatcher.replace(from_ns, rest)

    def fence(self, until_ns: int, at_fence: Callable[[], object]) -> None:
        """Begin none of an open model's arrivals later than that (monotonic); `at_fence` is called where one waits."""
        if self.dispatcher is not None:
            self.dispatcher.fence(until_ns, at_fence)

    def dismiss(self) -> None:
        """Begin nothing any more, also not what is overdue."""
        self._cut = True
        self._serving.end_ns = monotonic_ns()
        if self.dispatcher is not None:
            self.dispatcher.cut(0)

    def cut(self) -> None:
        """The run ends here: what is due later is not part of it. Safe to call twice."""
        if not self._cut:
            self._cut = True
            self._serving.end_ns = monotonic_ns()
            if self.dispatcher is not None:
                self.dispatcher.cut(self._serving.end_ns)
                gevent.sleep(0)  # users that are given the last arrivals must be seen to work before they are stopped

    def finish(self) -> None:
        """Await what is under way, close everything, write what is left. Safe to call twice."""
        if self._finished:
            return
        self._finished = True
        end: dict[str, Any] = {}
        steps = [
            ("the end of the schedule", lambda: self._end_schedule(end)),
            ("the last answers", self._await_answers),
            ("the ticker", self._ticker.stop),
            ("deadlines", self._deadlines.close),
            *(("a lane", lane.wipe) for lane in self.bench.lanes),
            *(("a credential manager", manager.close) for manager in self.managers),
            ("samples", self.bench.recorder.close),
            ("gaps between tokens", self.bench.chunks.close),
            ("live figures", self._folding.finish),
            ("the last samples", lambda: self._ticker.note_kept(*self._ticker.answered())),
            ("failures", lambda: self.failures.write(all_counts=True)),
            ("waiting users", self._serving.let_go),
            ("the end record", lambda: self._ticker.write_end(end)),
            ("health", self._health.close),
        ]
        for name, error in close_all(steps):
            self._ticker.note(f"closing: {name}", error)

    def _end_schedule(self, end: dict[str, Any]) -> None:
        end["due"] = end["claimed"] = self.tally.requests
        self.cut()
        if self.dispatcher is not None:
            end["due"] = self.dispatcher.due(monotonic_ns())
            end["claimed"] = self.dispatcher.claimed
            self.dispatcher.close()

    def _await_answers(self) -> None:
        """SIGTERM comes while requests are under way, and Locust asks for the end before it stops its users."""
        give_up_ns = monotonic_ns() + self.bench.timeout_ns
        while self.tally.in_flight and monotonic_ns() < give_up_ns:
            gevent.sleep(_POLL_S)
