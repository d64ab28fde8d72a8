"""The leading part of a run: finds the target, makes the folder, starts the clock, ends the run. Edge.

A standalone Locust and a master have one. A run can end early in four ways, and each leaves
a manifest that says so: decided (SIGUSR1, from a `bench run` that watches its gates), stopped (by a person), signal,
aborted (an error, kept in `error`).
"""

from __future__ import annotations

import dataclasses
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gevent

from bench import clock, handover
from bench.credentials import RelayKey
from bench.credentials.state import preflight
from bench.endpoint import AuthMode
from bench.errors import BenchError, UsageError
from bench.live.board import Board
from bench.live.terminal import Progress
from bench.live.view import NOTHING, View
from bench.load.engine.arrivals import asked_rate
from bench.load.engine.payload import load_bodies
from bench.load.roles.flight_file import FlightWriter
from bench.load.roles.managers import ManagerPool
from bench.load.roles.manifest import manifest_of, samples_written
from bench.load.roles.report import make_report
from bench.load.roles.senders import LocalSender, Senders
from bench.load.roles.workers import Workers
from bench.load.wire.address import proxy_of
from bench.local_emulator import LocalEmulator
from bench.options import plan_of
from bench.plan import RunPlan
from bench.rundir import RunDir, write_json
from bench.sample import WorkloadModel
from bench.target import kind_of, secret_origins, spec_of, variants_of

_POLL_S = 0.02
_GRACE_S = 2.0


class Master:
    """Leads the runs of one Locust, one after the other; with a `relay_key`, those of its workers."""

    def __init__(self, environment: Any, *, default_modes: tuple[AuthMode, ...], relay_key: RelayKey | None) -> None:
        self.error: BenchError | None = None
        self.plan: RunPlan | None = None
        self.run: RunDir | None = None
        self.options: Mapping[str, Any] = dict(vars(environment.parsed_options))
        """Of the next run. A copy: Locust writes what its web form says into its own."""
        self._started = self.options
        self._environment = environment
        self._default_modes = default_modes
        self._flights = FlightWriter()
        self.senders: Senders
        if relay_key is not None:
            self.senders = Workers(environment.runner, self._flights.add, relay_key)
        else:
            self.senders = LocalSender(environment.events.request.fire, self._flights.add)
        self.board = Board()
        self.last_run: RunDir | None = None
        self._last_view = NOTHING
        self._progress = Progress()
        self._pool: ManagerPool | None = None
        self._emulator: LocalEmulator | None = None
        self._manifest: dict[str, Any] = {}
        self._zero_ns = 0
        self._cut_ns = 0
        self._point_s = 0.0
        self._reason = ""
        self._conductor: Any = None
        self._decided = False
        if hasattr(signal, "SIGUSR1"):
            gevent.signal_handler(signal.SIGUSR1, self._decide)

    def prepare(self) -> None:
        """Find the target and read every option. Raises BenchError; a headless Locust does this before all else."""
        values, payload_sha256 = self._read(self.options)
        if kind_of(values) == "emulator":
            self._emulator = self._emulator or LocalEmulator.start(str(values.get("emulator_options") or ""))
            values["ca_file"] = values.get("ca_file") or self._emulator.facts.get("ca_file", "")
        spec = spec_of(values, default_modes=self._default_modes, emulator=self._emulator)
        if self._pool is None or self._pool.spec != spec:
            self._close_pool()
            self._pool = ManagerPool(spec, say=_say)
        plan = plan_of(values, target=spec.kind, variants=(), payload_sha256=payload_sha256)
        described = self._pool.describe(timeout_s=plan.start_timeout_s)
        lasts_s = None if plan.duration_s is None else plan.warm_up_s + plan.duration_s
        known = self._pool.notes(lasts_s=lasts_s) + preflight(described.values(), plan.deployment, plan.timeout_s)
        for line in known:
            _say(line)
        self.plan = dataclasses.replace(plan, variants=variants_of(spec, described))
        for shown in sorted(
            {proxy.shown for variant in self.plan.variants if (proxy := proxy_of(variant.scoring_uri))}
        ):
            _say(f"requests go through the proxy {shown}: its time is part of every figure (NO_PROXY makes exceptions)")

    def check(self, options: Mapping[str, Any]) -> None:
        """Whether a run can be started with these, as far as nobody has to be asked. Raises BenchError."""
        values, _ = self._read(options)
        if kind_of(values) != "emulator":
            spec_of(values, default_modes=self._default_modes, emulator=None)

    def _read(self, options: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
        """The options under the names of a plan, and the payload's hash. The options' own errors come first."""
        values = {**options, "users": options.get("num_users"), "processes": options.get("processes") or 1}
        plan_of(values, target="", variants=(), payload_sha256="")
        bound, asked = (secret_origins(each, default_modes=self._default_modes) for each in (self._started, values))
        if bound and not asked <= bound:
            raise UsageError(
                "scoring_uri and auth_mode would send a secret elsewhere than Locust was started with",
                hint="start Locust for that target",
            )
        return values, load_bodies(str(values.get("payload") or ""), seed=0)[1]

    def begin(self) -> None:
        """Start a run in a greenlet of its own: finding the target takes seconds, and the web UI must not wait."""
        self.error = None
        self._last_view = NOTHING
        self._reason = "stopped"
        self._zero_ns = self._cut_ns = 0
        self._point_s = 0.0
        self._decided = False
        self._conductor = gevent.spawn(self._conduct)

    def cut(self) -> None:
        """The run ends here: what is due later is not part of it. Safe to call twice."""
        if not self._cut_ns:
            self._cut_ns = clock.monotonic_ns()
            self.senders.cut()

    def end(self) -> None:
        """The test has stopped and every sender has written its files: close the run. Safe to call twice."""
        if self._conductor is not None:
            self._conductor.kill(block=False)
            self._conductor = None
        self._progress.clear()
        self.view()  # kept: a watcher sees how the run ended
        self.senders.finish()
        run, self.run = self.run, None
        if run is None:
            return
        self._flights.close(self._zero_ns or clock.monotonic_ns())
        at_ns = (self._cut_ns or clock.monotonic_ns()) - self._zero_ns if self._zero_ns else 0
        if self._manifest["workers"]:
            self._manifest["workers"] = [f"w{index}" for index in range(self.senders.size)]
        counted = {"samples": samples_written(run), "flights": self._flights.written}
        write_json(run.manifest, {**self._manifest, **counted, "ended": {"at_ns": at_ns, "reason": self._reason}})
        self.last_run = run
        self.board.end(at_ns / 1e9, self._reason)
        if self.error is None and handover.RUN_VARIABLE not in os.environ:
            make_report(run, self._environment)

    def close(self, *, signal: bool) -> None:
        """Locust is quitting."""
        if self.run is not None and signal:
            self._reason = "signal"
        self.end()
        self._close_pool()
        if self._emulator is not None:
            self._emulator.stop()
            self._emulator = None
        if self._environment.process_exit_code is None:
            self._environment.process_exit_code = self.error.exit_code if self.error is not None else 0

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
            self._await_senders(self.plan)
            self._start_clock(self.plan)
            self._await_end(self.plan)
        except BenchError as exc:
            self._give_up(exc)
        else:
            self._conductor = None
            self._stop()

    def _give_orders(self, plan: RunPlan, pool: ManagerPool) -> None:
        """Make the run's folder and have the senders get ready."""
        anchor = clock.ClockAnchor.now()
        self.run = RunDir.create(self.results, anchor)
        self._flights.open(self.run.flights)
        self._manifest = manifest_of(self.run, plan, anchor=anchor, described=pool.describe())
        write_json(self.run.manifest, self._manifest)
        handover.tell_folder(self.run.path)
        if not self._environment.stop_timeout:
            self._environment.stop_timeout = plan.timeout_s + 1
        self.senders.order(plan, pool, self.run)

    def _await_senders(self, plan: RunPlan) -> None:
        """Until all have their leases and, in the open model, all users are there to send what is due."""
        runner = self._environment.runner
        while not self.senders.ready() or (
            plan.model is WorkloadModel.OPEN
            and self.senders.complete
            and runner.user_count < (runner.target_user_count or 1)
        ):
            gevent.sleep(_POLL_S)

    def _start_clock(self, plan: RunPlan) -> None:
        now, lead_ns = clock.ClockAnchor.now(), self.senders.lead_ns
        zero = clock.ClockAnchor(monotonic_ns=now.monotonic_ns + lead_ns, wall_ns=now.wall_ns + lead_ns)
        self._zero_ns = zero.monotonic_ns
        facts = self.senders.facts()
        for name, size in facts.get("request_bytes", {}).items():
            self._manifest["variants"][name]["request_bytes"] = size
        self._manifest["clock"] = {
            "monotonic_ns": zero.monotonic_ns,
            "wall_ns": zero.wall_ns,
            "pacer": facts.get("pacer", ""),
        }
        self._manifest["workers"] = [f"w{index}" for index in range(self.senders.size)]
        if self.run is not None:
            write_json(self.run.manifest, self._manifest)
            self.board.begin(self.run.run_id, plan)
        self._flights.start(self._zero_ns)
        self.senders.go(zero)
        if plan.warm_up_s:
            gevent.spawn_later(plan.warm_up_s + lead_ns / 1e9, self._environment.runner.stats.reset_all)

    def _await_end(self, plan: RunPlan) -> None:
        total_s = None if plan.duration_s is None else plan.warm_up_s + plan.duration_s
        while True:
            gevent.sleep(_POLL_S)
            elapsed_s = (clock.monotonic_ns() - self._zero_ns) / 1e9
            self._progress.tick(plan, elapsed_s, self.view)
            self._take_point(plan, elapsed_s)
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

    def _take_point(self, plan: RunPlan, elapsed_s: float) -> None:
        """For the live page and Prometheus, once a second; nothing where nobody can look."""
        if not (self._environment.web_ui is not None or self.options.get("prometheus_port")):
            return
        if elapsed_s >= self._point_s:
            self._point_s = elapsed_s + 1
            asked = asked_rate(plan, from_s=max(elapsed_s - 1, 0), to_s=elapsed_s)
            self.board.tick(elapsed_s, self.view(), asked_rate=asked)

    def shape_has_ended(self) -> None:
        """A LoadTestShape's end is the run's."""
        self._reason = "completed"

    def interrupt(self, reason: str) -> None:
        """End the run for a reason from outside, and Locust with it."""
        self._reason = reason
        self.cut()
        self._environment.runner.quit()
        if self._environment.web_ui is not None:
            self._environment.web_ui.stop()

    def _decide(self) -> None:
        """SIGUSR1: whoever watches this run knows enough."""
        self._decided = True

    def _stop(self) -> None:
        """A headless Locust quits; one with a web UI waits for the next run."""
        runner = self._environment.runner
        runner.quit() if self._environment.web_ui is None else runner.stop()

    def _give_up(self, error: BenchError) -> None:
        self.error = error
        self._reason = "aborted"
        self._conductor = None
        sys.stderr.write(f"error: {error.describe()}\n")
        if self._environment.web_ui is None:
            self._environment.process_exit_code = error.exit_code
        gevent.spawn_later(0, self._stop)

    def _close_pool(self) -> None:
        if self._pool is not None:
            self._pool.close()
            self._pool = None


def _say(line: str) -> None:
    """What a person should know before the run; CI logs keep it."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
