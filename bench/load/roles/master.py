"""The leading part of the runs of one Locust, one after the other: begins them, ends them, keeps what broke. Edge.

A standalone Locust and a master have one. What a run is aimed at is the `Preparation`'s; its `Conductor` takes it from
its orders to its end, for which `run_end` has the words.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gevent

from bench import clock
from bench.credentials import RelayKey
from bench.endpoint import AuthMode
from bench.errors import BenchError, RunInvalid
from bench.live.board import Board
from bench.live.terminal import Progress
from bench.live.view import NOTHING, View
from bench.load.roles import failure_file, messages, run_end
from bench.load.roles.closing import close_all
from bench.load.roles.conductor import Conductor
from bench.load.roles.preparation import Preparation
from bench.load.roles.record import RunRecord
from bench.load.roles.report import make_report
from bench.load.roles.senders import LocalSender, Senders
from bench.load.roles.shape import Shape
from bench.load.roles.workers import Workers
from bench.plan.run_plan import RunPlan
from bench.process import handover, supervise
from bench.rundir import RunDir

_WATCHED_BY = ("live", "live_port", "otlp_endpoint", "prometheus_port")


class Master:
    """Leads the runs of one Locust, one after the other; with a `relay_key`, those of its workers."""

    def __init__(
        self,
        environment: Any,
        *,
        default_modes: tuple[AuthMode, ...],
        relay_key: RelayKey | None,
        shape: Callable[[], Shape | None] = lambda: None,
        make_room: Callable[[int], object] = lambda _: None,
    ) -> None:
        """`shape` gives the LoadTestShape that the next run has; `make_room` has room for so many users, or raises."""
        self.error: BenchError | None = None
        self.options: Mapping[str, Any] = dict(vars(environment.parsed_options))
        """Of the next run. A copy: Locust writes what its web form says into its own."""
        self.preparation = Preparation(environment, self.options, default_modes=default_modes)
        self._environment = environment
        self._stop_timeout = environment.stop_timeout
        self._chosen_shape = shape
        self._make_room = make_room
        self.senders: Senders
        if relay_key is not None:
            self.senders = Workers(
                environment.runner,
                relay_key,
                on_flight=self._on_flight,
                on_worker_flight=self._on_worker_flight,
                on_failed=self._fail,
            )
        else:
            from bench.load.roles.request_events import RequestEvents  # imports Locust, which patches the process

            self.senders = LocalSender(RequestEvents(environment), self._on_flight)
        supervise.report_to(self._on_failure)
        self.board = Board()
        self.last_run: RunDir | None = None
        self._last_view = NOTHING
        handed = handover.taken()
        self._progress = Progress(quiet=handed is not None and handed.quiet)
        self._run = self._next_run()
        self._greenlet: Any = None
        if hasattr(signal, "SIGUSR1"):
            gevent.signal_handler(signal.SIGUSR1, self._decide)

    def prepare(self) -> None:
        """Find the target and read every option. Raises BenchError; a headless Locust does this before all else."""
        self.preparation.prepare(self.options)

    def error_of(self, exc: Exception, *, where: str) -> BenchError:
        """The error that a person is shown for an exception before the first run."""
        if isinstance(exc, BenchError):
            return exc
        failure = supervise.failure_of(where, exc)
        return self._kept("master", failure_file.message_of(failure, self.senders.managers))

    def check(self, options: Mapping[str, Any]) -> None:
        """Whether a run can be started with these, as far as nobody has to be asked. Raises BenchError."""
        self.preparation.check(options)

    def change(self, options: Mapping[str, Any]) -> None:
        """The run that goes on gets the users and the rate of these. BenchError where it cannot have them."""
        wanted = self.preparation.load_of(options)
        self._make_room(wanted.users)
        self._run.change(arrival_rate=wanted.arrival_rate, users=wanted.users)

    def note_fault(self, name: str, fault: Mapping[str, Any]) -> None:
        """A person has let this one loose on the emulator."""
        self._run.note_fault(name, fault)

    def begin(self) -> None:
        """Start a run in a greenlet of its own: finding the target takes seconds, and the web UI must not wait."""
        self.error = None
        self._last_view = NOTHING
        self._run = self._next_run()
        if self._environment.web_ui is not None:
            self._have_stop_wait()
        if self._run.shape is not None:
            self._run.shape.begin()
        self._greenlet = supervise.start(self._conduct, where="the run")

    def cut(self) -> None:
        """The run ends here: what is due later is not part of it. Safe to call twice."""
        self._run.cut()

    def end(self) -> None:
        """The test has stopped and every sender has written its files: close the run. Safe to call twice."""
        greenlet, self._greenlet = self._greenlet, None
        if greenlet is not None and greenlet is not gevent.getcurrent():
            greenlet.kill(block=False)
        run = self._run
        steps = [
            ("the clock of the statistics", run.leave_statistics),
            ("the shape", run.shape.rest if run.shape is not None else lambda: None),
            ("the progress line", self._progress.clear),
            ("the last look", self.view),  # kept: a watcher sees how the run ended
            ("senders", self.senders.finish),
        ]
        broken = list(close_all(steps))
        record, run.record = run.record, None
        if record is None:
            for name, error in broken:
                supervise.failed(f"closing: {name}", error)
            return
        for name, error in broken:
            self._on_failure(supervise.failure_of(f"closing: {name}", error))
        gevent.sleep(0)  # a failure is reported in a greenlet of its own; one of a moment ago belongs into the manifest
        broken = list(close_all([("the manifest", lambda: self._finish(record))]))
        if not broken and (self.error is None) and handover.RUN_VARIABLE not in os.environ:
            broken = list(close_all([("the report", lambda: make_report(record.run, self._environment))]))
            if run.reason == "lost" and not self._environment.process_exit_code:
                self._environment.process_exit_code = RunInvalid.exit_code
        for name, error in broken:
            self._on_failure(supervise.failure_of(f"closing: {name}", error))

    def close(self, *, signal: bool) -> None:
        """Locust is quitting."""
        if self._run.record is not None and signal and self._run.reason == "stopped":
            self._run.reason = "signal"
        self.end()
        steps = [
            ("workers", self.senders.close),
            ("credentials", self.preparation.close_pool),
            ("the emulator", self.preparation.stop_emulator),
        ]
        for name, error in close_all(steps):
            sys.stderr.write(f"error: closing {name}: {type(error).__name__}\n")
        if self._environment.process_exit_code is None:
            self._environment.process_exit_code = self.error.exit_code if self.error is not None else 0

    def shape_has_ended(self) -> None:
        """A LoadTestShape's end is the run's."""
        if self._run.reason == "stopped":
            self._run.reason = "completed"

    def interrupt(self, reason: str = "signal") -> None:
        """End the run for a reason from outside, and Locust with it."""
        self._run.reason = reason
        self.cut()
        self._environment.runner.quit()
        if self._environment.web_ui is not None:
            self._environment.web_ui.stop()

    def stop_for_person(self) -> None:
        """The live page's Stop: the end of a run without one of its own; any other is cut short."""
        if self.plan is not None and self.plan.duration_s is not None:
            self._environment.process_exit_code = RunInvalid.exit_code
        self.interrupt("stopped")

    # -- what can be seen of it ----------------------------------------------------------------------

    @property
    def plan(self) -> RunPlan | None:
        """Of the run that goes on, or of the next one."""
        return self._run.plan or self.preparation.plan

    @property
    def variants(self) -> tuple[str, ...]:
        """The names of the last run's."""
        return tuple(variant.name for variant in self.plan.variants) if self.plan is not None else ()

    @property
    def results(self) -> Path:
        """The folder that gets the runs' folders."""
        return Path(str(self.options.get("out") or "results"))

    @property
    def emulator_admin(self) -> str:
        """Where the emulator that this process started takes faults; empty without one."""
        return self.preparation.emulator_admin

    def view(self) -> View:
        """What can be seen of the run now, or of the last one's end."""
        view = self.senders.view()
        if view["leases"]:
            self._last_view = view
        return self._last_view if not view["leases"] and self._run.record is None else view

    # -- one run -------------------------------------------------------------------------------------

    def _have_stop_wait(self) -> None:
        """Who presses Stop wants the answers that are under way. Workers learn it with their users, which come now."""
        with contextlib.suppress(BenchError):  # options that make no plan are reported when it is made
            self._environment.stop_timeout = self._stop_timeout or self.preparation.load_of(self.options).timeout_s + 1

    def _next_run(self) -> Conductor:
        return Conductor(
            self._environment,
            self.senders,
            shape=self._chosen_shape(),
            board=self.board,
            progress=self._progress,
            view=self.view,
            is_watched=self._environment.web_ui is not None or any(self.options.get(name) for name in _WATCHED_BY),
        )

    def _conduct(self) -> None:
        try:
            if self.plan is None or self._environment.web_ui is not None:
                self.prepare()
            self._run.conduct(self.preparation, self.results)
        except BenchError as exc:
            self._give_up(exc)
        else:
            self._greenlet = None
            self._stop()

    def _finish(self, record: RunRecord) -> None:
        """Write the end of the run, and say on stderr what was lost."""
        run = self._run
        at_ns = (run.cut_ns or clock.monotonic_ns()) - run.zero_ns if run.zero_ns else 0
        if run.zero_ns and run.reason != "failed" and run_end.is_lost(self.senders, self.plan, at_ns):
            run.reason = "lost"
        changes = run_end.changes(run, record, self.senders, at_ns=at_ns, error=self.error)
        if not record.finish(changes, zero_ns=run.zero_ns or clock.monotonic_ns()):
            sys.stderr.write(f"error: the end of the run could not be written to {record.run.manifest}\n")
            run.reason = "lost"
        self.last_run = record.run
        self.board.end(at_ns / 1e9, run.reason)
        run_end.say_losses(self.senders.disk_loss(), record)

    def _decide(self) -> None:
        """SIGUSR1: whoever watches this run knows enough."""
        self._run.decided = True

    def _stop(self) -> None:
        """A headless Locust quits; one with a web UI waits for the next run."""
        runner = self._environment.runner
        runner.quit() if self._environment.web_ui is None else runner.stop()

    # -- what others report --------------------------------------------------------------------------

    def _on_flight(self, record: Mapping[str, Any]) -> None:
        if self._run.record is not None:
            self._run.record.flight(record)
            self.board.flight(record, zero_ns=self._run.zero_ns)

    def _on_worker_flight(self, record: Mapping[str, Any]) -> None:
        if self._run.record is not None:
            self._run.record.worker_flight(record)
            self.board.flight(record)

    def _on_failure(self, failure: supervise.Failure) -> None:
        """An exception in this process that nobody expects."""
        if isinstance(failure.error, BenchError):
            self._give_up(failure.error)
            return
        self._fail("master", failure_file.message_of(failure, self.senders.managers))

    def _fail(self, worker: str, message: messages.Failed) -> None:
        """End the run; the first one says so."""
        error = self._kept(worker, message)
        if self.error is None or self.error.exit_code != error.exit_code:
            self._give_up(error)

    def _kept(self, worker: str, message: messages.Failed) -> BenchError:
        """Keep the traceback; what is said of it."""
        kept = failure_file.keep(self._run.errors, worker, where=message.where, traceback=message.traceback)
        where = f"; see {kept}" if kept is not None else ""
        if message.exit_code == BenchError.exit_code:
            return BenchError(f"{worker} broke in {message.where}: {message.error}{where}")
        error = BenchError(f"{worker}: {message.error}")
        error.exit_code = message.exit_code
        return error

    def _give_up(self, error: BenchError) -> None:
        if self.error is None:
            sys.stderr.write(f"error: {error.describe()}\n")
        if self.error is None or error.exit_code == BenchError.exit_code:
            self.error = error
        lacks_room = self.error.exit_code == RunInvalid.exit_code and self._run.zero_ns
        self._run.reason = "lost" if lacks_room else "failed"
        self._greenlet = None
        if self._environment.web_ui is None:
            self._environment.process_exit_code = self.error.exit_code
        supervise.start_later(0, self._stop, where="stopping")
