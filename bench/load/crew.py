"""Who sends the requests of a run, as its leader sees them: this process, or Locust workers. Edge.

Both kinds take the same orders; `WorkerCrew` speaks them as Locust messages:

    master  ── bench_order ──>  worker     plan, target, folder, its share
    master  <── bench_ready ──  worker     leases fetched, or the error that prevented it
    master  ── bench_go ─────>  worker     the run's zero
    master  <── bench_flight ─  worker     one credential fetch
    master  <── bench_drained ─ worker     all sent and answered
    master  <── bench_written ─ worker     its files are closed
    master  <── bench_relay ──> worker     sealed leases: see credentials.relay_master
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import gevent

from bench.clock import ClockAnchor, monotonic_ns
from bench.credentials import CredentialManager, RelayKey, RelayServer
from bench.errors import BenchError
from bench.load.managers import ManagerPool
from bench.load.participant import Part, Participant
from bench.load.view import View, leases_of, merge, view_of
from bench.plan import RunPlan
from bench.rundir import RunDir

_POLL_S = 0.02
_WRITTEN_WITHIN_NS = 10_000_000_000
LEAD_NS = 200_000_000
"""How far ahead of now workers are told to start, so that the message has arrived by then."""


class Crew(Protocol):
    """The participants of one run."""

    size: int
    lead_ns: int

    def order(self, plan: RunPlan, pool: ManagerPool, run: RunDir) -> None: ...

    def ready(self) -> bool:
        """Everybody has what it needs. Raises the BenchError of one that has not."""

    def go(self, zero: ClockAnchor) -> None: ...

    def drained(self) -> bool: ...

    def facts(self) -> dict[str, Any]:
        """`request_bytes` by variant, and the `pacer`'s name."""

    def view(self) -> View: ...

    def finish(self) -> None:
        """The test has stopped: write everything, forget every secret. Safe to call twice."""


class LocalCrew:
    """This process alone."""

    size = 1
    lead_ns = 0

    def __init__(self, fire: Callable[..., None], on_flight: Callable[[Mapping[str, Any]], None]) -> None:
        self.participant: Participant | None = None
        self._fire = fire
        self._on_flight = on_flight

    def order(self, plan: RunPlan, pool: ManagerPool, run: RunDir) -> None:
        participant = Participant(
            plan,
            part=Part(),
            run=run,
            managers=pool.managers(plan.variants, on_flight=self._on_flight),
            fire=self._fire,
        )
        try:
            participant.make_ready()
        except BaseException:
            participant.finish()
            raise
        self.participant = participant

    def ready(self) -> bool:
        return True

    def go(self, zero: ClockAnchor) -> None:
        if self.participant is not None:
            self.participant.go(zero.monotonic_ns)

    def drained(self) -> bool:
        return self.participant is None or self.participant.drained()

    def facts(self) -> dict[str, Any]:
        return self.participant.facts() if self.participant is not None else {}

    def view(self) -> View:
        return view_of(self.participant)

    def finish(self) -> None:
        if self.participant is not None:
            self.participant.finish()
            self.participant = None


class WorkerCrew:
    """The workers that were connected when the run began."""

    lead_ns = LEAD_NS

    def __init__(self, runner: Any, on_flight: Callable[[Mapping[str, Any]], None], relay_key: RelayKey) -> None:
        self.size = 0
        self._relay_key = relay_key
        self._relay: RelayServer | None = None
        self._managers: tuple[CredentialManager, ...] = ()
        self._runner = runner
        self._on_flight = on_flight
        self._error: BenchError | None = None
        self._ready: dict[str, dict[str, Any]] = {}
        self._drained: set[str] = set()
        self._written: set[str] = set()
        self._views: dict[str, View] = {}
        runner.register_message("bench_ready", self._on_ready)
        runner.register_message("bench_drained", self._on_drained)
        runner.register_message("bench_written", self._on_written)
        runner.register_message("bench_flight", self._on_flight_message)
        runner.register_message("bench_relay", self._on_relay)
        runner.environment.events.worker_report.add_listener(self._on_report)

    def order(self, plan: RunPlan, pool: ManagerPool, run: RunDir) -> None:
        workers = sorted(self._runner.clients)
        self.size = len(workers)
        self._error = None
        self._ready, self._drained, self._written, self._views = {}, set(), set(), {}
        self._managers = pool.managers(plan.variants, on_flight=self._on_flight)
        self._relay = RelayServer(
            self._relay_key,
            run_id=run.run_id,
            managers={variant.name: manager for variant, manager in zip(plan.variants, self._managers, strict=True)},
            send=lambda worker, envelope: self._runner.send_message("bench_relay", envelope, client_id=worker),
        )
        for index, worker in enumerate(workers):
            order = {
                "plan": plan.as_json(),
                "spec": pool.spec.as_json(),
                "run": str(run.path.resolve()),
                "index": index,
                "workers": len(workers),
            }
            self._runner.send_message("bench_order", order, client_id=worker)

    def ready(self) -> bool:
        if self._error is not None:
            raise self._error
        return len(self._ready) >= self.size

    def go(self, zero: ClockAnchor) -> None:
        self._runner.send_message(
            "bench_go", {"monotonic_ns": zero.monotonic_ns, "wall_ns": zero.wall_ns, "host": host_id()}
        )

    def drained(self) -> bool:
        return len(self._drained | self._gone()) >= self.size

    def facts(self) -> dict[str, Any]:
        return next(iter(self._ready.values()), {})

    def view(self) -> View:
        return {**merge(self._views.values()), "leases": leases_of(self._managers)}

    def finish(self) -> None:
        deadline_ns = monotonic_ns() + _WRITTEN_WITHIN_NS
        while len(self._written | self._gone()) < len(self._ready) and monotonic_ns() < deadline_ns:
            gevent.sleep(_POLL_S)
        self._ready = {}
        if self._relay is not None:
            self._relay.close()
            self._relay = None
        for manager in self._managers:
            manager.close()
        self._managers = ()

    def _gone(self) -> set[str]:
        """Workers that died: their share is lost, and the samples they wrote say so; the run must end all the same."""
        return {worker for worker in self._ready if worker not in self._runner.clients}

    def _on_ready(self, msg: Any, **_: Any) -> None:
        if "error" in msg.data:
            error = BenchError(msg.data["error"])
            error.exit_code = msg.data["exit_code"]
            self._error = error
        else:
            self._ready[msg.node_id] = msg.data

    def _on_drained(self, msg: Any, **_: Any) -> None:
        self._drained.add(msg.node_id)

    def _on_written(self, msg: Any, **_: Any) -> None:
        self._written.add(msg.node_id)

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
