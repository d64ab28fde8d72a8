"""A run's senders where they are Locust workers, as the master sees them. Edge.

    master  <── bench_here ───  worker     it can take orders: Locust connects a worker before it loads the locustfile's
    master  ── bench_order ──>  worker     plan, target, folder, its part
    master  <── bench_ready ──  worker     leases fetched, or the error that prevented it
    master  ── bench_go ─────>  worker     the run's zero
    master  ── bench_cut ────>  worker     the run ends earlier than planned
    master  <── bench_flight ─  worker     one credential fetch of its own
    master  <── bench_piece ──  worker     of its files, where the master cannot see its disk
    master  <── bench_drained ─ worker     all sent, answered and written
    master  <── bench_relay ──> worker     sealed leases: see credentials.relay.master

A worker that dies costs its share: nobody waits for it. One that joins while a run goes on has its lease at once and,
in the closed model, the users that Locust gives it; the arrivals of an open model were dealt when the run began.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gevent

from bench.clock import ClockAnchor, monotonic_ns
from bench.credentials import CredentialManager, RelayKey, RelayServer
from bench.errors import BenchError, RunInvalid
from bench.live.view import View, leases_of, merge
from bench.load.roles import worker_files as worker_files
from bench.load.roles.managers import ManagerPool
from bench.load.roles.order import Order
from bench.load.roles.part import Part
from bench.plan import RunPlan
from bench.rundir import RunDir

_POLL_S = 0.02
LEAD_NS = 200_000_000
"""How far ahead of now workers are told to start, so that the message has arrived by then."""


class Workers:
    """The workers of one run after the other."""

    lead_ns = LEAD_NS

    def __init__(self, runner: Any, on_flight: Callable[[Mapping[str, Any]], None], relay_key: RelayKey) -> None:
        self._relay_key = relay_key
        self._relay: RelayServer | None = None
        self._managers: tuple[CredentialManager, ...] = ()
        self._runner = runner
        self._on_flight = on_flight
        self._error: BenchError | None = None
        self._order: Callable[[Part], Order] | None = None
        self._run: RunDir | None = None
        self._dealt_to = 0
        self._go: dict[str, Any] | None = None
        self._parts: dict[str, Part] = {}
        self._ready: dict[str, dict[str, Any]] = {}
        self._drained: set[str] = set()
        self._views: dict[str, View] = {}
        runner.register_message("bench_here", self._on_here)
        runner.register_message("bench_ready", self._on_ready)
        runner.register_message("bench_piece", self._on_piece)
        runner.register_message("bench_drained", self._on_drained)
        runner.register_message("bench_flight", self._on_flight_message)
        runner.register_message("bench_relay", self._on_relay)
        runner.environment.events.worker_report.add_listener(self._on_report)

    def order(self, plan: RunPlan, pool: ManagerPool, run: RunDir) -> None:
        workers = sorted(self._runner.clients)
        self._run, self._dealt_to = run, len(workers)
        self._error = self._go = None
        self._parts, self._ready, self._drained, self._views = {}, {}, set(), {}
        self._managers = pool.managers(plan.variants, on_flight=self._on_flight)
        self._relay = RelayServer(
            self._relay_key,
            run_id=run.run_id,
            managers={variant.name: manager for variant, manager in zip(plan.variants, self._managers, strict=True)},
            send=lambda worker, envelope: self._runner.send_message("bench_relay", envelope, client_id=worker),
        )
        self._order = lambda part: Order(plan=plan, spec=pool.spec, run=run, part=part)
        for worker in workers:
            self._give_order(worker)

    @property
    def size(self) -> int:
        """How many were given orders, the late ones too."""
        return len(self._parts)

    def ready(self) -> bool:
        if self._error is not None:
            raise self._error
        if self._parts.keys() == (gone := self._gone()):
            raise RunInvalid("all workers died before the run began", hint="what they wrote on stderr says why")
        return self._parts.keys() <= self._ready.keys() | gone

    @property
    def complete(self) -> bool:
        return not self._gone()

    def go(self, zero: ClockAnchor) -> None:
        self._go = {"monotonic_ns": zero.monotonic_ns, "wall_ns": zero.wall_ns, "host": host_id()}
        self._runner.send_message("bench_go", self._go)

    def cut(self) -> None:
        if self._go is not None:
            self._runner.send_message("bench_cut", {})

    def drained(self) -> bool:
        """A late worker that is not ready yet keeps nobody waiting."""
        awaited = {worker for worker, part in self._parts.items() if worker in self._ready or part.has_share}
        return awaited <= self._drained | self._gone()

    def facts(self) -> dict[str, Any]:
        return next(iter(self._ready.values()), {})

    def view(self) -> View:
        return {**merge(self._views.values()), "leases": leases_of(self._managers)}

    def finish(self) -> None:
        """Waits for the workers' files: a run that was cut short has workers that were not asked for them before."""
        self._order = None
        go, self._go = self._go, None
        deadline_ns = monotonic_ns() + round(self._runner.environment.stop_timeout * 1e9)
        while go is not None and not self.drained() and monotonic_ns() < deadline_ns:
            gevent.sleep(_POLL_S)
        if self._relay is not None:
            self._relay.close()
            self._relay = None
        for manager in self._managers:
            manager.close()
        self._managers = ()

    def _give_order(self, worker: str) -> None:
        if self._order is not None:
            part = self._parts.setdefault(worker, Part(index=self.size, workers=self._dealt_to))
            message = self._order(part).as_message(self._relay_key, worker=worker)
            self._runner.send_message("bench_order", message, client_id=worker)

    def _gone(self) -> set[str]:
        """Workers that are no longer connected, or have not been heard of for seconds."""
        clients = self._runner.clients
        missing = {client.id for client in clients.missing}
        return {worker for worker in self._parts if worker not in clients or worker in missing}

    def _on_here(self, msg: Any, **_: Any) -> None:
        """A worker can take orders: late if a run goes on, or so early that it missed those of one that just began."""
        if msg.node_id not in self._ready:
            self._give_order(msg.node_id)

    def _on_ready(self, msg: Any, **_: Any) -> None:
        worker, facts = msg.node_id, msg.data
        if "error" not in facts:
            self._ready[worker] = facts
            if self._go is not None:
                self._runner.send_message("bench_go", self._go, client_id=worker)
        elif self._go is not None:
            sys.stderr.write(f"a worker that joined late cannot take part: {facts['error']}\n")
        else:
            self._error = BenchError(facts["error"])
            self._error.exit_code = facts["exit_code"]

    def _on_drained(self, msg: Any, **_: Any) -> None:
        self._drained.add(msg.node_id)

    def _on_piece(self, msg: Any, **_: Any) -> None:
        """Also after the run has ended: a worker that is told to quit sends what it has."""
        if self._run is not None and msg.node_id in self._parts:
            worker_files.put(self._run, self._parts[msg.node_id], msg.data)

    def _on_flight_message(self, msg: Any, **_: Any) -> None:
        self._on_flight({**msg.data, "worker": msg.node_id})

    def _on_relay(self, msg: Any, **_: Any) -> None:
        if self._relay is not None:
            self._relay.receive(msg.data)

    def _on_report(self, client_id: str, data: dict[str, Any], **_: Any) -> None:
        if "bench" in data:
            self._views[client_id] = data["bench"]


def host_id() -> str:
    """The same for all processes of one running machine: they share a monotonic clock."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return platform.node()


def zero_here(message: dict[str, Any]) -> int:
    """The run's zero on this host's monotonic clock, from a `bench_go`; another host's is met on the wall clock."""
    if message["host"] == host_id():
        return int(message["monotonic_ns"])
    here = ClockAnchor.now()
    return here.monotonic_ns + int(message["wall_ns"]) - here.wall_ns
