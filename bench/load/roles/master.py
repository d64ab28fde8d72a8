"""The leading part of a run: finds the target, makes the folder, starts the clock, ends the run. Edge.

A standalone Locust and a master have one. However a run ends, its manifest says so in one of these words:

    completed   it went on for as long as it was asked to
    decided     SIGUSR1, from a `bench run` that watches its gates and knows enough
    stopped     a person: the page's Stop, and a signal where the run had no end of its own
    signal      a signal, or the loss of whoever started this Locust
    overdue     answers were awaited for longer than the time-out allows
    lost        workers, or what the disk did not take
    failed      an error (`ended.error`), or an exception that nobody expected: its traceback is in `errors/`
"""

from __future__ import annotations

import dataclasses
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gevent

from bench import clock
from bench.credentials import RelayKey
from bench.credentials.state import preflight
from bench.endpoint import AuthMode
from bench.errors import BenchError, RunInvalid, UsageError
from bench.live.board import Board
from bench.live.terminal import Progress
from bench.live.view import NOTHING, View
from bench.load.engine import request_source
from bench.load.engine.arrivals import asked_rate
from bench.load.engine.request_source import RequestSource
from bench.load.roles import failure_file, locust_options, messages
from bench.load.roles.closing import close_all
from bench.load.roles.losses import are_bearable
from bench.load.roles.managers import ManagerPool
from bench.load.roles.manifest import rows_written
from bench.load.roles.record import RunRecord
from bench.load.roles.report import make_report
from bench.load.roles.senders import LocalSender, Senders
from bench.load.roles.shape import Shape
from bench.load.roles.workers import Workers
from bench.load.wire.address import proxy_of
from bench.plan.options import plan_of, words_of
from bench.plan.run_plan import RunPlan
from bench.plan.variants import sides_of, uris_of
from bench.process import handover, supervise
from bench.rundir import RunDir, refuse_pipe
from bench.sample import WorkloadModel
from bench.target.local_emulator import LocalEmulator
from bench.target.spec import header_origins, kind_of, secret_headers_of, secret_origins, spec_of, variants_of

_POLL_S = 0.02
_WATCHED_BY = ("live", "live_port", "otlp_endpoint", "prometheus_port")
_GRACE_S = 2.0
_SAID_EVERY_S = 5.0
_NO_NEWS_WITHIN_S = 120.0
"""How long users and workers may take to come while nothing changes; the first lease alone may take 60 s."""


class Master:
    """Leads the runs of one Locust, one after the other; with a `relay_key`, those of its workers."""

    def __init__(
        self,
        environment: Any,
        *,
        default_modes: tuple[AuthMode, ...],
        relay_key: RelayKey | None,
        shape: Callable[[], Shape | None] = lambda: None,
    ) -> None:
        """`shape` tells the LoadTestShape that the next run has."""
        self.error: BenchError | None = None
        self.plan: RunPlan | None = None
        self.options: Mapping[str, Any] = dict(vars(environment.parsed_options))
        """Of the next run. A copy: Locust writes what its web form says into its own."""
        self._started = self.options
        self._environment = environment
        self._default_modes = default_modes
        self._chosen_shape = shape
        self.shape: Shape | None = None
        """Of the run that goes on."""
        self._record: RunRecord | None = None
        self._errors: Path | None = None
        self.senders: Senders
        if relay_key is not None:
            self.senders = Workers(
                environment.runner,
                relay_key,
                on_flight=self._on_flight,
                on_worker_flight=self._on_worker_flight,
                on_failed=self._on_worker_failed,
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
        self._pool: ManagerPool | None = None
        self._emulator: LocalEmulator | None = None
        self._notes: tuple[str, ...] = ()
        self._zero_ns = 0
        self._cut_ns = 0
        self._point_s = 0.0
        self._reason = ""
        self._conductor: Any = None
        self._statistics_reset: Any = None
        self._decided = False
        if hasattr(signal, "SIGUSR1"):
            gevent.signal_handler(signal.SIGUSR1, self._decide)

    def prepare(self) -> None:
        """Find the target and read every option. Raises BenchError; a headless Locust does this before all else."""
        values, source = self._read(self.options)
        if kind_of(values) == "emulator":
            self._emulator = self._emulator or LocalEmulator.start(str(values.get("emulator_options") or ""))
            values["ca_file"] = values.get("ca_file") or self._emulator.facts.get("ca_file", "")
        spec = spec_of(values, default_modes=self._default_modes, emulator=self._emulator)
        if self._pool is None or self._pool.spec != spec:
            self._close_pool()
            self._pool = ManagerPool(spec, say=_say)
        plan = request_source.complete(plan_of(values, target=spec.kind, variants=(), payload_sha256=""), source)
        locust_options.refuse_shape(self._environment, open_model=plan.model is WorkloadModel.OPEN)
        described = self._pool.describe(timeout_s=plan.start_timeout_s)
        lasts_s = None if plan.duration_s is None else plan.warm_up_s + plan.duration_s
        known = self._pool.notes(lasts_s=lasts_s)
        for deployment in words_of(plan.deployment) or ("",):
            known += preflight(described.values(), deployment, plan.timeout_s)
        self._notes = tuple(dict.fromkeys(known))
        for line in self._notes:
            _say(line)
        sides = sides_of(values, default_modes=self._default_modes)
        self.plan = dataclasses.replace(plan, variants=variants_of(spec, described, sides))
        for shown in sorted(
            {proxy.shown for variant in self.plan.variants if (proxy := proxy_of(variant.scoring_uri))}
        ):
            _say(f"requests go through the proxy {shown}: its time is part of every figure (NO_PROXY makes exceptions)")

    def check(self, options: Mapping[str, Any]) -> None:
        """Whether a run can be started with these, as far as nobody has to be asked. Raises BenchError."""
        values, _ = self._read(options)
        if kind_of(values) != "emulator":
            spec_of(values, default_modes=self._default_modes, emulator=None)

    def _read(self, options: Mapping[str, Any]) -> tuple[dict[str, Any], RequestSource]:
        """The options under the names of a plan, and the requests. The options' own errors come first."""
        values = {**options, "users": options.get("num_users"), "processes": options.get("processes") or 1}
        plan = plan_of(values, target="", variants=(), payload_sha256="")
        for option in ("ca_file", "client_cert", "client_key"):
            refuse_pipe(str(values.get(option) or ""), option=f"--{option.replace('_', '-')}")
        bound, asked = (secret_origins(each, default_modes=self._default_modes) for each in (self._started, values))
        named, wanted = header_origins(self._started), header_origins(values)
        if (bound and not asked <= bound) or not wanted <= named:
            raise UsageError(
                "scoring_uri and auth_mode would send a secret elsewhere than Locust was started with",
                hint="start Locust for that target",
            )
        uris = uris_of(str(values.get("scoring_uri") or ""))
        for place in range(max(len(uris), 1)):
            secret_headers_of(plan.request, uris, place)
        source = request_source.load(plan)
        request_source.complete(plan, source)
        return values, source

    @property
    def run(self) -> RunDir | None:
        """The folder of the run that goes on."""
        return self._record.run if self._record is not None else None

    def begin(self) -> None:
        """Start a run in a greenlet of its own: finding the target takes seconds, and the web UI must not wait."""
        self.error = self._errors = None
        self._last_view = NOTHING
        self._reason = "stopped"
        self._zero_ns = self._cut_ns = 0
        self._point_s = 0.0
        self._decided = False
        self.shape = self._chosen_shape()
        if self.shape is not None:
            self.shape.begin()
        self._conductor = supervise.start(self._conduct, where="the run")

    def cut(self) -> None:
        """The run ends here: what is due later is not part of it. Safe to call twice."""
        if not self._cut_ns:
            self._cut_ns = clock.monotonic_ns()
            self.senders.cut()

    def end(self) -> None:
        """The test has stopped and every sender has written its files: close the run. Safe to call twice."""
        conductor, self._conductor = self._conductor, None
        if conductor is not None and conductor is not gevent.getcurrent():
            conductor.kill(block=False)
        steps = [
            ("the clock of the statistics", self._leave_statistics),
            ("the shape", self.shape.rest if self.shape is not None else lambda: None),
            ("the progress line", self._progress.clear),
            ("the last look", self.view),  # kept: a watcher sees how the run ended
            ("senders", self.senders.finish),
        ]
        broken = list(close_all(steps))
        record, self._record = self._record, None
        if record is None:
            for name, error in broken:
                supervise.failed(f"closing: {name}", error)
            return
        for name, error in broken:
            self._keep("master", supervise.failure_of(f"closing: {name}", error))
        gevent.sleep(0)  # what broke a moment ago is told in a greenlet of its own, and belongs into the manifest
        broken = list(close_all([("the manifest", lambda: self._finish(record))]))
        if not broken and (self.error is None) and handover.RUN_VARIABLE not in os.environ:
            broken = list(close_all([("the report", lambda: make_report(record.run, self._environment))]))
            if self._reason == "lost" and not self._environment.process_exit_code:
                self._environment.process_exit_code = RunInvalid.exit_code
        for name, error in broken:
            self._keep("master", supervise.failure_of(f"closing: {name}", error))

    def _finish(self, record: RunRecord) -> None:
        """Write the end of the run, and say on stderr what was lost."""
        at_ns = (self._cut_ns or clock.monotonic_ns()) - self._zero_ns if self._zero_ns else 0
        losses, disk = self.senders.losses, self.senders.disk_loss()
        is_lost = (
            self.senders.all_lost
            or disk.samples
            or disk.pieces
            or disk.gaps
            or (self.plan is not None and not are_bearable(losses, self.plan, at_ns))
        )
        if self._zero_ns and is_lost and self._reason != "failed":
            self._reason = "lost"
        changes: dict[str, Any] = {
            "samples": rows_written(record.run),
            "chunks": rows_written(record.run, "gaps_written"),
            "flights": record.flights,
            "ended": {"at_ns": at_ns, "reason": self._reason},
        }
        if self.error is not None:
            changes["ended"]["error"] = self.error.describe()
        if self.shape is not None:
            changes["shape"] = self.shape.as_json(end_s=at_ns / 1e9)
        if record.values["workers"]:
            changes["workers"] = list(self.senders.names)
        if losses:
            changes["lost"] = [loss.as_json() for loss in losses]
            changes["lost_samples"] = sum(loss.samples for loss in losses)
        lines = disk.lines + record.lost_flights
        if disk.samples or disk.pieces or disk.gaps or lines:
            from_s = None if disk.from_ns is None else round(disk.from_ns / 1e9, 3)
            changes["disk"] = {
                "lost_from_s": from_s,
                "unwritten_samples": disk.samples,
                "lost_lines": lines,
                "lost_gaps": disk.gaps,
                "lost_pieces": disk.pieces,
            }
        if not record.finish(changes, zero_ns=self._zero_ns or clock.monotonic_ns()):
            sys.stderr.write(f"error: the end of the run could not be written to {record.run.manifest}\n")
            self._reason = "lost"
        self.last_run = record.run
        self.board.end(at_ns / 1e9, self._reason)
        if disk.gaps:
            since = f"from second {disk.from_ns / 1e9:.0f} on " if disk.from_ns is not None else ""
            _say(f"disk full: {since}{disk.samples:,} samples and {disk.gaps:,} gaps between tokens are lost")
        elif disk.from_ns is not None:
            _say(f"disk full: samples from second {disk.from_ns / 1e9:.0f} on are lost ({disk.samples:,} of them)")
        elif disk.pieces:
            _say("disk full: samples of workers on other hosts are lost")
        elif lines:
            _say(f"disk full: {lines:,} lines of health and fetches are lost")

    def close(self, *, signal: bool) -> None:
        """Locust is quitting."""
        if self._record is not None and signal and self._reason == "stopped":
            self._reason = "signal"
        self.end()
        steps = [
            ("workers", self.senders.close),
            ("credentials", self._close_pool),
            ("the emulator", self._stop_emulator),
        ]
        for name, error in close_all(steps):
            sys.stderr.write(f"error: closing {name}: {type(error).__name__}\n")
        if self._environment.process_exit_code is None:
            self._environment.process_exit_code = self.error.exit_code if self.error is not None else 0

    def _stop_emulator(self) -> None:
        emulator, self._emulator = self._emulator, None
        if emulator is not None:
            emulator.stop()

    @property
    def variants(self) -> tuple[str, ...]:
        """The names of the last run's."""
        return tuple(variant.name for variant in self.plan.variants) if self.plan is not None else ()

    def view(self) -> View:
        """What can be seen of the run now, or of the last one's end."""
        view = self.senders.view()
        if view["leases"]:
            self._last_view = view
        return self._last_view if not view["leases"] and self.run is None else view

    @property
    def results(self) -> Path:
        """The folder that gets the runs' folders."""
        return Path(str(self.options.get("out") or "results"))

    @property
    def emulator_admin(self) -> str:
        """Where the emulator that this process started takes faults; empty without one."""
        return str(self._emulator.facts["admin"]) if self._emulator is not None else ""

    # -- the conductor's greenlet --------------------------------------------------------------------

    def _conduct(self) -> None:
        try:
            if self.plan is None or self._environment.web_ui is not None:
                self.prepare()
            assert self.plan is not None and self._pool is not None  # noqa: S101, PT018 - prepare made them
            self._give_orders(self.plan, self._pool)
            self._await_senders()
            self._start_clock(self.plan)
            self._await_end(self.plan)
        except BenchError as exc:
            self._give_up(exc)
        else:
            self._conductor = None
            self._stop()

    def _give_orders(self, plan: RunPlan, pool: ManagerPool) -> None:
        """Make the run's folder and have the senders get ready."""
        record = self._record = RunRecord(self.results, plan, described=pool.describe(), notes=self._notes)
        self._errors = record.run.path / "errors"
        handover.tell_folder(record.run.path)
        if not self._environment.stop_timeout:
            self._environment.stop_timeout = plan.timeout_s + 1
        self.senders.order(plan, pool, record.run)

    def _await_senders(self) -> None:
        """Until all have their leases and all users are there: a ramp would be measured as if it were the load."""
        waiting = _Waiting()
        while not self.senders.ready():
            waiting.look(f"for {self.senders.awaited} to be ready")
        runner = self._environment.runner
        while (
            self.shape is None
            and self.senders.complete
            and runner.user_count < (wanted := runner.target_user_count or 1)
        ):
            waiting.look(f"for users: {runner.user_count:,} of {wanted:,} are there")
        while self.shape is not None and not self.shape.waits:
            waiting.look(f"for the LoadTestShape {self.shape.name} to be asked")

    def _begin_faults(self) -> list[dict[str, Any]]:
        """The faults of the emulator's script, which count from the run's zero; as the manifest tells them."""
        if self._emulator is None:
            return []
        told = self._emulator.begin_faults(self._zero_ns)
        return [
            {"do": one["do"], "answer": one["answer"], "from_s": one["begins_s"], "to_s": one["ends_s"]} for one in told
        ]

    def _start_clock(self, plan: RunPlan) -> None:
        now, lead_ns = clock.ClockAnchor.now(), self.senders.lead_ns
        zero = clock.ClockAnchor(monotonic_ns=now.monotonic_ns + lead_ns, wall_ns=now.wall_ns + lead_ns)
        self._zero_ns = zero.monotonic_ns
        facts = self.senders.facts()
        if self._record is not None:
            variants = dict(self._record.values["variants"])
            for name, size in facts.get("request_bytes", {}).items():
                if name in variants:
                    variants[name] = {**variants[name], "request_bytes": size}
            anchor = {"monotonic_ns": zero.monotonic_ns, "wall_ns": zero.wall_ns, "pacer": facts.get("pacer", "")}
            workers = list(self.senders.names)
            faults = self._begin_faults()
            facts_of_start = {"variants": variants, "clock": anchor, "workers": workers, "faults": faults}
            if self.shape is not None:
                facts_of_start["shape"] = self.shape.as_json(end_s=0.0)
            self._record.started(self._zero_ns, facts_of_start)
            self.board.begin(self._record.run.run_id, plan)
            self.board.expect(faults)
        self.senders.go(zero)
        if self.shape is not None:
            self.shape.start(self._zero_ns)
        if plan.warm_up_s:
            self._statistics_reset = supervise.start_later(
                plan.warm_up_s + lead_ns / 1e9, self._environment.runner.stats.reset_all, where="statistics"
            )

    def _await_end(self, plan: RunPlan) -> None:
        total_s = None if plan.duration_s is None else plan.warm_up_s + plan.duration_s
        while True:
            gevent.sleep(_POLL_S)
            elapsed_s = (clock.monotonic_ns() - self._zero_ns) / 1e9
            self._progress.tick(plan, elapsed_s, self.view)
            self._take_point(plan, elapsed_s)
            self.senders.look()
            if self.senders.all_lost or self._is_disk_full():
                self._reason = "lost"
                return
            if self._decided and not self._cut_ns:
                self.cut()
                total_s = elapsed_s
            if total_s is None or elapsed_s < total_s:
                continue
            if self.senders.drained():
                self._reason = "decided" if self._decided else "completed"
                return
            if elapsed_s > total_s + plan.timeout_s + _GRACE_S:
                self._reason = "overdue"
                return

    def _is_disk_full(self) -> bool:
        """Samples are being lost: there is no sense in loading the target for figures that nobody will have."""
        return self.senders.disk_loss().from_ns is not None

    def _leave_statistics(self) -> None:
        """The next run's statistics are not to be wiped by this one's warm-up."""
        timer, self._statistics_reset = self._statistics_reset, None
        if timer is not None:
            timer.kill(block=False)

    # -- what others tell ----------------------------------------------------------------------------

    def _on_flight(self, record: Mapping[str, Any]) -> None:
        if self._record is not None:
            self._record.flight(record)
            self.board.flight(record, zero_ns=self._zero_ns)

    def _on_worker_flight(self, record: Mapping[str, Any]) -> None:
        if self._record is not None:
            self._record.worker_flight(record)
            self.board.flight(record)

    def _on_worker_failed(self, worker: str, message: messages.Failed) -> None:
        self._fail(worker, message)

    def _on_failure(self, failure: supervise.Failure) -> None:
        self._keep("master", failure)

    def _keep(self, worker: str, failure: supervise.Failure) -> None:
        """An exception in this process that nobody expects."""
        if isinstance(failure.error, BenchError):
            self._give_up(failure.error)
            return
        error, traceback = failure_file.told(failure, self.senders.managers)
        self._fail(worker, messages.Failed(where=failure.where, error=error, traceback=traceback))

    def _fail(self, worker: str, message: messages.Failed) -> None:
        """Keep the traceback, and end the run; the first one says so."""
        kept = failure_file.keep(self._errors, worker, where=message.where, traceback=message.traceback)
        if self._reason == "failed":
            return
        where = f"; see {kept}" if kept is not None else ""
        self._give_up(BenchError(f"{worker} broke in {message.where}: {message.error}{where}"))

    def _take_point(self, plan: RunPlan, elapsed_s: float) -> None:
        """For the live page and Prometheus, once a second; nothing where nobody can look."""
        if self._environment.web_ui is None and not any(self.options.get(name) for name in _WATCHED_BY):
            return
        if elapsed_s >= self._point_s:
            self._point_s = elapsed_s + 1
            asked = asked_rate(plan, from_s=max(elapsed_s - 1, 0), to_s=elapsed_s)
            self.board.tick(elapsed_s, self.view(), asked_rate=asked)

    def shape_has_ended(self) -> None:
        """A LoadTestShape's end is the run's."""
        if self._reason == "stopped":
            self._reason = "completed"

    def interrupt(self, reason: str = "signal") -> None:
        """End the run for a reason from outside, and Locust with it."""
        self._reason = reason
        self.cut()
        self._environment.runner.quit()
        if self._environment.web_ui is not None:
            self._environment.web_ui.stop()

    def stop_for_person(self) -> None:
        """The live page's Stop: the end of a run without one of its own; any other is cut short."""
        if self.plan is not None and self.plan.duration_s is not None:
            self._environment.process_exit_code = RunInvalid.exit_code
        self.interrupt("stopped")

    def _decide(self) -> None:
        """SIGUSR1: whoever watches this run knows enough."""
        self._decided = True

    def _stop(self) -> None:
        """A headless Locust quits; one with a web UI waits for the next run."""
        runner = self._environment.runner
        runner.quit() if self._environment.web_ui is None else runner.stop()

    def _give_up(self, error: BenchError) -> None:
        if self.error is None:
            sys.stderr.write(f"error: {error.describe()}\n")
        if self.error is None or error.exit_code == BenchError.exit_code:
            self.error = error
        self._reason = "failed"
        self._conductor = None
        if self._environment.web_ui is None:
            self._environment.process_exit_code = self.error.exit_code
        supervise.start_later(0, self._stop, where="stopping")

    def _close_pool(self) -> None:
        if self._pool is not None:
            self._pool.close()
            self._pool = None


class _Waiting:
    """Waiting for others before a run begins: said every now and then, and not for ever."""

    def __init__(self) -> None:
        self._what = ""
        self._changed_ns = self._said_ns = clock.monotonic_ns()

    def look(self, what: str) -> None:
        """Wait a moment more for `what`. RunInvalid when that has not changed for minutes."""
        gevent.sleep(_POLL_S)
        now_ns = clock.monotonic_ns()
        if what != self._what:
            self._what, self._changed_ns = what, now_ns
        if now_ns - self._changed_ns > _NO_NEWS_WITHIN_S * 1e9:
            raise RunInvalid(f"the run did not begin: waited {_NO_NEWS_WITHIN_S:.0f} s {what}")
        if now_ns - self._said_ns > _SAID_EVERY_S * 1e9:
            self._said_ns = now_ns
            _say(f"waiting {what}")


def _say(line: str) -> None:
    """What a person should know before the run; CI logs keep it."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
