"""One run from its orders to its end: who is awaited, when the clock starts, what ends it. Edge: time, the folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gevent

from bench import clock
from bench.errors import UsageError
from bench.live.board import Board
from bench.live.terminal import Progress
from bench.live.view import View
from bench.load.roles.preparation import Preparation
from bench.load.roles.record import RunRecord
from bench.load.roles.senders import Senders
from bench.load.roles.shape import Shape
from bench.load.roles.waiting import Waiting
from bench.plan.load_changes import changed
from bench.plan.load_over_time import asked_rate, stages_of
from bench.plan.run_plan import RunPlan
from bench.process import handover, supervise

_POLL_S = 0.02
_GRACE_S = 2.0


class Conductor:
    """Of one run. `reason` is the word of its end so far; times are 0 until they are known (monotonic)."""

    def __init__(
        self,
        environment: Any,
        senders: Senders,
        *,
        shape: Shape | None,
        board: Board,
        progress: Progress,
        view: Callable[[], View],
        is_watched: bool,
    ) -> None:
        """`view` is what a watcher is shown; `is_watched` where there can be one."""
        self.reason = "stopped"
        self.zero_ns = 0
        self.cut_ns = 0
        self.decided = False
        self.record: RunRecord | None = None
        self.errors: Path | None = None
        """The folder of tracebacks, also when the run is over."""
        self.shape = shape
        self.plan: RunPlan | None = None
        """With what became of its load."""
        self._environment = environment
        self._senders = senders
        self._board = board
        self._progress = progress
        self._view = view
        self._is_watched = is_watched
        self._point_s = 0.0
        self._stages = 0
        self._stages_s = 0.0
        self._statistics_reset: Any = None

    def conduct(self, preparation: Preparation, out: Path) -> None:
        """Until the run is over; its folder is made below `out`. Raises BenchError for a run that cannot begin."""
        plan, pool = preparation.plan, preparation.pool
        assert plan is not None and pool is not None  # noqa: S101, PT018 - prepare made them
        self.plan = plan
        record = self.record = RunRecord(out, plan, described=pool.describe(), notes=preparation.notes)
        self.errors = record.run.path / "errors"
        handover.write_run_folder(record.run.path)
        if not self._environment.stop_timeout:
            self._environment.stop_timeout = plan.timeout_s + 1
        self._senders.order(plan, pool, record.run)
        self._await_senders()
        self._start_clock(plan, preparation.begin_faults)
        self._await_end(plan)

    def change(self, *, arrival_rate: float | None, users: int) -> None:
        """A person wants another load; the same one is none. UsageError says why it cannot be had."""
        plan, record = self.plan, self.record
        now_ns = clock.monotonic_ns() - self.zero_ns
        if self.cut_ns:
            raise UsageError("the run is over: start a new one")
        if plan is None or record is None or not self.zero_ns or now_ns < 0:
            raise UsageError("the run is being prepared: its load can be changed once it has begun")
        if self.shape is not None:
            raise UsageError(f"the LoadTestShape {self.shape.name} says how many users there are")
        self.plan = changed(plan, arrival_rate=arrival_rate, users=users, now_ns=now_ns)
        if self.plan is plan:
            return
        if stages_of(self.plan) != stages_of(plan):
            self._senders.change(self.plan)
        record.change({"plan": {**record.values["plan"], "changes": self.plan.as_json()["changes"]}})
        self._board.change(self.plan)

    def cut(self) -> None:
        """The run ends here: what is due later is not part of it. Safe to call twice."""
        if not self.cut_ns:
            self.cut_ns = clock.monotonic_ns()
            self._senders.cut()

    def note_fault(self, name: str, fault: Mapping[str, Any]) -> None:
        """A person has started a fault on the emulator; its `for` says how long it lasts, in seconds."""
        from_s = max(clock.monotonic_ns() - self.zero_ns, 0) / 1e9 if self.zero_ns else 0.0
        self._board.note(from_s, f"by hand: {name}", mark="fault")
        if self.record is not None and self.zero_ns:
            entry = {"do": fault["do"], "answer": fault.get("answer", ""), "from_s": from_s}
            entry["to_s"] = from_s + fault.get("for", 0)
            self.record.change({"faults": [*self.record.values.get("faults", ()), entry]})

    def leave_statistics(self) -> None:
        """The next run's statistics are not to be wiped by this one's warm-up."""
        timer, self._statistics_reset = self._statistics_reset, None
        if timer is not None:
            timer.kill(block=False)

    def _await_senders(self) -> None:
        """Until all have their leases and all users are there: a ramp would be measured as if it were the load."""
        waiting = Waiting()
        while not self._senders.ready():
            waiting.look(f"for {self._senders.awaited} to be ready")
        runner = self._environment.runner
        while (
            self.shape is None
            and self._senders.complete
            and runner.user_count < (wanted := runner.target_user_count or 1)
        ):
            waiting.look(f"for users: {runner.user_count:,} of {wanted:,} are there")
        while self.shape is not None and not self.shape.waits:
            waiting.look(f"for the LoadTestShape {self.shape.name} to be asked")

    def _start_clock(self, plan: RunPlan, begin_faults: Callable[[int], list[dict[str, Any]]]) -> None:
        now, lead_ns = clock.ClockAnchor.now(), self._senders.lead_ns
        zero = clock.ClockAnchor(monotonic_ns=now.monotonic_ns + lead_ns, wall_ns=now.wall_ns + lead_ns)
        self.zero_ns = zero.monotonic_ns
        facts = self._senders.facts()
        if self.record is not None:
            variants = dict(self.record.values["variants"])
            for name, size in facts.get("request_bytes", {}).items():
                if name in variants:
                    variants[name] = {**variants[name], "request_bytes": size}
            anchor = {"monotonic_ns": zero.monotonic_ns, "wall_ns": zero.wall_ns, "pacer": facts.get("pacer", "")}
            workers = list(self._senders.names)
            faults = begin_faults(self.zero_ns)
            facts_of_start = {"variants": variants, "clock": anchor, "workers": workers, "faults": faults}
            if self.shape is not None:
                facts_of_start["shape"] = self.shape.as_json(end_s=0.0)
            self.record.started(self.zero_ns, facts_of_start)
            self._board.begin(self.record.run.run_id, plan)
            self._board.expect(faults)
        self._senders.go(zero)
        if self.shape is not None:
            self.shape.start(self.zero_ns)
        if plan.warm_up_s:
            self._statistics_reset = supervise.start_later(
                plan.warm_up_s + lead_ns / 1e9, self._environment.runner.stats.reset_all, where="statistics"
            )

    def _await_end(self, plan: RunPlan) -> None:
        total_s = None if plan.duration_s is None else plan.warm_up_s + plan.duration_s
        while True:
            gevent.sleep(_POLL_S)
            elapsed_s = (clock.monotonic_ns() - self.zero_ns) / 1e9
            self._progress.tick(self.plan or plan, elapsed_s, self._view)
            self._take_point(self.plan or plan, elapsed_s)
            self._note_stages(elapsed_s)
            self._senders.look()
            if self._senders.all_lost or self._is_disk_full():
                self.reason = "lost"
                return
            if self.decided and not self.cut_ns:
                self.cut()
                total_s = elapsed_s
            if total_s is None or elapsed_s < total_s:
                continue
            if self._senders.drained():
                self.reason = "decided" if self.decided else "completed"
                return
            if elapsed_s > total_s + plan.timeout_s + _GRACE_S:
                self.reason = "overdue"
                return

    def _is_disk_full(self) -> bool:
        """Samples are being lost: there is no sense in loading the target for figures that nobody will have."""
        return self._senders.disk_loss().from_ns is not None

    def _note_stages(self, elapsed_s: float) -> None:
        """A shape that asks for something else is in the manifest within a second, and so in that of a killed run."""
        shape, record = self.shape, self.record
        if shape is None or record is None or len(shape.stages) == self._stages or elapsed_s < self._stages_s:
            return
        self._stages, self._stages_s = len(shape.stages), elapsed_s + 1
        record.change({"shape": shape.as_json(end_s=elapsed_s)})

    def _take_point(self, plan: RunPlan, elapsed_s: float) -> None:
        """For the live page and Prometheus, once a second; nothing where nobody can look."""
        if self._is_watched and elapsed_s >= self._point_s:
            self._point_s = elapsed_s + 1
            asked = asked_rate(plan, from_s=max(elapsed_s - 1, 0), to_s=elapsed_s)
            self._board.tick(elapsed_s, self._view(), asked_rate=asked)
