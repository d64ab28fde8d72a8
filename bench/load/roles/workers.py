"""A run's senders where they are Locust workers, as the master sees them. Edge: speaks `messages` from its side.

One that joins while a run goes on has its lease at once and, in the closed model, the users that Locust gives it; the
arrivals of an open model were dealt when the run began. One that is lost is named, and what it had not begun is dealt
to the others; should it wake, it is ordered to begin nothing more.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

import gevent

from bench.clock import ClockAnchor, monotonic_ns
from bench.credentials import CredentialManager, RelayKey, RelayServer
from bench.errors import BenchError
from bench.live.view import View, leases_of
from bench.load.roles import messages, worker_files
from bench.load.roles.commands import Command, Commander, Cut, Dismiss, Go, GoOn
from bench.load.roles.dealing import give_up
from bench.load.roles.losses import Loss
from bench.load.roles.managers import ManagerPool
from bench.load.roles.member import Member
from bench.load.roles.membership import DIED, Membership
from bench.load.roles.order import Order
from bench.load.roles.part import Part
from bench.load.roles.processes import host_id, process_space
from bench.load.roles.senders import DiskLoss
from bench.plan.run_plan import RunPlan
from bench.rundir import RunDir

_POLL_S = 0.02
_LOOK_NS = 50_000_000
LEAD_NS = 200_000_000
"""How far ahead of now the start lies that workers are sent, so that the message has arrived by then."""

OnFailed = Callable[[str, messages.Failed], None]


class Workers:
    """The workers of one run after the other."""

    lead_ns = LEAD_NS

    def __init__(
        self,
        runner: Any,
        relay_key: RelayKey,
        *,
        on_flight: Callable[[Mapping[str, Any]], None],
        on_worker_flight: Callable[[Mapping[str, Any]], None],
        on_failed: OnFailed,
    ) -> None:
        """`on_flight` receives the master's own fetches, `on_worker_flight` those of workers, in the run's time."""
        self._relay_key = relay_key
        self._relay: RelayServer | None = None
        self.managers: tuple[CredentialManager, ...] = ()
        self._runner = runner
        self._on_flight = on_flight
        self._on_worker_flight = on_worker_flight
        self._on_failed = on_failed
        self._error: BenchError | None = None
        self._order: Callable[[Part], Order] | None = None
        self._plan: RunPlan | None = None
        self._run: RunDir | None = None
        self._go: Go | None = None
        self._commander: Commander | None = None
        self._members = members = Membership(runner)
        self._looked_ns = 0
        self._pieces_lost = 0
        self._channel = channel = messages.Channel(runner)
        channel.on(messages.Here, self._on_here, expected=lambda node: node in runner.clients)
        channel.on(messages.Ready, self._on_ready, expected=members.__contains__)
        channel.on(messages.Refused, self._on_refused, expected=members.__contains__)
        channel.on(messages.Progress, self._on_progress, expected=members.__contains__)
        channel.on(messages.Woke, self._on_woke, expected=members.__contains__)
        channel.on(messages.Look, self._on_look, expected=members.__contains__)
        channel.on(messages.Piece, self._on_piece, expected=members.__contains__)
        channel.on(messages.Idle, self._on_idle, expected=members.__contains__)
        channel.on(messages.Drained, self._on_drained, expected=members.__contains__)
        channel.on(messages.Flight, self._on_flight_message, expected=members.__contains__)
        channel.on(messages.Failed, self._on_failed_message, expected=lambda node: node in runner.clients)
        channel.on(messages.Relay, self._on_relay, expected=members.__contains__)

    def order(self, plan: RunPlan, pool: ManagerPool, run: RunDir) -> None:
        self._run, self._plan = run, plan
        self._error = self._go = None
        self._commander = Commander(self._relay_key, run_id=run.run_id)
        self._pieces_lost = 0
        self.managers = pool.managers(plan.variants, on_flight=self._on_flight)
        self._relay = RelayServer(
            self._relay_key,
            run_id=run.run_id,
            managers={variant.name: manager for variant, manager in zip(plan.variants, self.managers, strict=True)},
            send=lambda worker, envelope: self._channel.send(messages.Relay(envelope=envelope), to=worker),
        )
        self._order = lambda part: Order(plan=plan, spec=pool.spec, run=run, part=part)
        for node in self._members.begin():
            self._give_order(node)

    @property
    def names(self) -> tuple[str, ...]:
        return self._members.names

    @property
    def awaited(self) -> str:
        return self._members.awaited

    def ready(self) -> bool:
        if self._error is not None:
            raise self._error
        return self._members.all_ready()

    @property
    def complete(self) -> bool:
        return self._members.complete

    @property
    def all_lost(self) -> bool:
        return self._members.all_lost

    @property
    def losses(self) -> tuple[Loss, ...]:
        return self._members.losses

    def go(self, zero: ClockAnchor) -> None:
        self._go = Go(monotonic_ns=zero.monotonic_ns, wall_ns=zero.wall_ns, host=host_id())
        self._looked_ns = 0
        for member in self._members:
            if not member.refused:
                self._command(self._go, member.node)

    def look(self) -> None:
        """See who is still there; deal again what those who are not had not begun. Call it all the time."""
        now_ns = monotonic_ns()
        if now_ns - self._looked_ns >= _LOOK_NS:
            self._looked_ns = now_ns
            self._give_up_who_is_gone()

    def _give_up_who_is_gone(self) -> None:
        if self._go is None:
            return
        for node, why in self._members.newly_gone().items():
            self._lose(self._members[node], why)

    def change(self, plan: RunPlan) -> None:
        self._plan = plan
        for member in self._members:
            if member.can_take_over:
                self._command(member.change(plan.changes), member.node)

    def cut(self) -> None:
        if self._go is not None:
            for member in self._members:
                self._command(Cut(), member.node)

    def drained(self) -> bool:
        return self._members.drained()

    def facts(self) -> dict[str, Any]:
        facts = self._members.facts()
        return {"request_bytes": facts.request_bytes, "pacer": facts.pacer} if facts is not None else {}

    def view(self) -> View:
        return {**self._members.view(monotonic_ns()), "leases": leases_of(self.managers)}

    def disk_loss(self) -> DiskLoss:
        return self._members.disk_loss(pieces=self._pieces_lost)

    def finish(self) -> None:
        """Waits for the workers' files: a run that was cut short has workers that were not asked for them before."""
        self._order = None
        go = self._go
        deadline_ns = monotonic_ns() + round((self._runner.environment.stop_timeout or 0) * 1e9)
        if go is not None:
            self.cut()
            while not self._members.all_reported() and monotonic_ns() < deadline_ns:
                self.look()
                gevent.sleep(_POLL_S)
        self._go = None
        if self._relay is not None:
            self._relay.close()
            self._relay = None
        for manager in self.managers:
            manager.close()
        self.managers = ()

    def close(self) -> None:
        self._members.end_those_that_are_stopped()

    def _lose(self, member: Member, why: str) -> None:
        """Name the loss, and deal what was not begun to whoever is left."""
        plan, go = self._plan, self._go
        assert plan is not None and go is not None  # noqa: S101, PT018 - a run goes on
        others = [other for other in self._members if other.can_take_over]
        at_ns = max(monotonic_ns() - go.monotonic_ns, 0)
        dealt = give_up(member, others, plan=plan, at_ns=at_ns, why=why, by_system=why == DIED)
        assert member.loss is not None  # noqa: S101 - it has been given up
        sys.stderr.write(f"warning: {member.loss.line}\n")
        if self._relay is not None:
            self._relay.forget(member.node)
        for node, command in dealt:
            self._command(command, node)

    def _give_order(self, node: str) -> None:
        if self._order is not None:
            member = self._members.join(node)
            message = self._order(member.part).as_message(self._relay_key, worker=node)
            member.marks.add(message.mark)
            self._channel.send(message, to=node)

    def _command(self, command: Command, node: str) -> None:
        if self._commander is not None:
            self._channel.send(self._commander.message(command, to=node), to=node)

    # -- what they say ---------------------------------------------------------------------------------

    def _on_here(self, node: str, message: messages.Here) -> None:
        """A worker can take orders: late if a run goes on, or so early that it missed those of one that just began."""
        if message.pid and message.host == process_space():
            self._members.runs_as(node, message.pid)
        member = self._members.get(node)
        if member is None or (member.ready is None and not member.refused):
            self._give_order(node)

    def _on_ready(self, node: str, message: messages.Ready) -> None:
        if self._members[node].refused:
            return
        if not message.error:
            self._members[node].ready = message
            if self._go is not None:
                self._command(self._go, node)
        elif self._go is not None:
            sys.stderr.write(f"a worker that joined late cannot take part: {message.error}\n")
        else:
            self._error = BenchError(message.error)
            self._error.exit_code = message.exit_code

    def _on_refused(self, node: str, message: messages.Refused) -> None:
        """It does not take its order. Only before it was ready: from then on it has its part of the run."""
        member = self._members[node]
        if message.mark not in member.marks:
            self._channel.drop(message.kind, "of an order that was not given; see who is on the network")
            return
        if member.ready is not None or member.refused:
            return
        member.refused = " ".join(message.why.split())
        member.is_lost = not member.part.has_share
        sys.stderr.write(f"warning: worker {member.name} ({node[:60]}) is refused: {member.refused}\n")

    def _on_progress(self, node: str, message: messages.Progress) -> None:
        member = self._members[node]
        if member.runs_on(message):
            sys.stderr.write(f"warning: {member.come_back(message)}\n")
            self._command(Dismiss(), node)
        member.heard(message)

    def _on_woke(self, node: str, message: messages.Woke) -> None:
        """It stood still, and has begun nothing since that others may have been dealt."""
        self._give_up_who_is_gone()
        member = self._members[node]
        member.heard(message.progress)
        if member.is_lost:
            member.dismiss()
            self._command(Dismiss(), node)
        else:
            self._command(GoOn(number=message.number), node)

    def _on_look(self, node: str, message: messages.Look) -> None:
        member = self._members[node]
        member.view, member.looked_ns = message.view, monotonic_ns()

    def _on_idle(self, node: str, message: messages.Idle) -> None:
        self._members[node].idle_after = message.taken

    def _on_drained(self, node: str, message: messages.Drained) -> None:
        member = self._members[node]
        member.drained = True
        if message.progress is not None:
            member.heard(message.progress)

    def _on_piece(self, node: str, message: messages.Piece) -> None:
        """Also after the run has ended: a worker that is asked to quit sends what it has."""
        if self._run is None:
            return
        try:
            worker_files.put(self._run, self._members[node].part, {"file": message.file, "data": message.data})
        except KeyError:
            self._channel.drop(message.kind, f"of a file called {message.file[:40]!r}")
        except OSError:
            self._pieces_lost += 1

    def _on_flight_message(self, node: str, message: messages.Flight) -> None:
        times = [message.record.get(name) for name in ("started_ns", "ended_ns")]
        if not all(isinstance(time, int) for time in times):
            self._channel.drop(message.kind, "without its times")
            return
        self._on_worker_flight({**message.record, "worker": self._members[node].name})

    def _on_failed_message(self, node: str, message: messages.Failed) -> None:
        member = self._members.get(node)
        self._on_failed(member.name if member is not None else "worker", message)

    def _on_relay(self, node: str, message: messages.Relay) -> None:
        """Only in the sender's own name: an answer goes to whom the envelope says it is from."""
        if message.envelope.get("from") != node:
            self._channel.drop(message.kind, f"in another's name, from {node[:60]!r}")
        elif self._relay is not None:
            self._relay.receive(message.envelope)
