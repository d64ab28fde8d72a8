"""A run's senders where they are Locust workers, as the master sees them. Edge: speaks `messages` from its side.

One that joins while a run goes on has its lease at once and, in the closed model, the users that Locust gives it; the
arrivals of an open model were dealt when the run began. One that is lost is named, and what it had not begun is dealt
to the others; should it come back, it is told to send nothing any more, and the run is not whole.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Mapping
from typing import Any

import gevent
import msgspec

from bench.clock import ClockAnchor, monotonic_ns
from bench.credentials import CredentialManager, RelayKey, RelayServer
from bench.errors import BenchError, RunInvalid
from bench.live.view import View, leases_of, merge
from bench.load.roles import messages, worker_files
from bench.load.roles.losses import Loss, begun_by
from bench.load.roles.managers import ManagerPool
from bench.load.roles.member import Member
from bench.load.roles.order import Order
from bench.load.roles.part import Part
from bench.load.roles.processes import end_child, host_id, is_alive, process_space
from bench.load.roles.senders import DiskLoss
from bench.plan.run_plan import RunPlan
from bench.rundir import RunDir
from bench.sample import WorkloadModel

_POLL_S = 0.02
_DIED = "its process died"
_LOOK_NS = 50_000_000
LEAD_NS = 200_000_000
"""How far ahead of now workers are told to start, so that the message has arrived by then."""

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
        """`on_flight` is told of the master's own fetches, `on_worker_flight` of workers', in the run's time."""
        self.losses: tuple[Loss, ...] = ()
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
        self._dealt_to = 0
        self._go: messages.Go | None = None
        self._members: dict[str, Member] = {}
        self._pids: dict[str, int] = {}
        self._looked_ns = 0
        self._pieces_lost = 0
        self._channel = channel = messages.Channel(runner)
        channel.on(messages.Here, self._on_here, expected=lambda node: node in runner.clients)
        channel.on(messages.Ready, self._on_ready, expected=self._is_member)
        channel.on(messages.Refused, self._on_refused, expected=self._is_member)
        channel.on(messages.Progress, self._on_progress, expected=self._is_member)
        channel.on(messages.Look, self._on_look, expected=self._is_member)
        channel.on(messages.Piece, self._on_piece, expected=self._is_member)
        channel.on(messages.Idle, self._on_idle, expected=self._is_member)
        channel.on(messages.Drained, self._on_drained, expected=self._is_member)
        channel.on(messages.Flight, self._on_flight_message, expected=self._is_member)
        channel.on(messages.Failed, self._on_failed_message, expected=lambda node: node in runner.clients)
        channel.on(messages.Relay, self._on_relay, expected=self._is_member)

    def order(self, plan: RunPlan, pool: ManagerPool, run: RunDir) -> None:
        workers = sorted(self._runner.clients)
        self._run, self._plan, self._dealt_to = run, plan, len(workers)
        self._error = self._go = None
        self._members, self.losses, self._pieces_lost = {}, (), 0
        self.managers = pool.managers(plan.variants, on_flight=self._on_flight)
        self._relay = RelayServer(
            self._relay_key,
            run_id=run.run_id,
            managers={variant.name: manager for variant, manager in zip(plan.variants, self.managers, strict=True)},
            send=lambda worker, envelope: self._channel.send(messages.Relay(envelope=envelope), to=worker),
        )
        self._order = lambda part: Order(plan=plan, spec=pool.spec, run=run, part=part)
        for worker in workers:
            self._give_order(worker)

    @property
    def names(self) -> tuple[str, ...]:
        """Of those that were given orders and took them, the late ones too."""
        return tuple(member.name for member in self._members.values() if not member.refused)

    @property
    def awaited(self) -> str:
        """Who is not ready yet, for people."""
        names = [member.name for node, member in self._members.items() if not self._has_answered(node, member)]
        return ", ".join(names)

    def ready(self) -> bool:
        if self._error is not None:
            raise self._error
        if self.all_lost:
            refused = [
                f"{member.name} is refused: {member.refused}" for member in self._members.values() if member.refused
            ]
            raise RunInvalid(
                f"no worker can send anything: {refused[0]}" if refused else "all workers died before the run began",
                hint="what they wrote on stderr says why",
            )
        return all(self._has_answered(node, member) for node, member in self._members.items())

    @property
    def complete(self) -> bool:
        return not any(self._is_gone(node) for node in self._members)

    @property
    def all_lost(self) -> bool:
        """Nobody is left to send anything."""
        return all(member.is_lost or self._is_gone(node) for node, member in self._members.items())

    def go(self, zero: ClockAnchor) -> None:
        self._go = messages.Go(monotonic_ns=zero.monotonic_ns, wall_ns=zero.wall_ns, host=host_id())
        self._looked_ns = 0
        for node, member in self._members.items():
            if not member.refused:
                self._channel.send(self._go, to=node)

    def look(self) -> None:
        """See who is still there; deal again what those who are not had not begun. Call it all the time."""
        now_ns = monotonic_ns()
        if self._go is None or now_ns - self._looked_ns < _LOOK_NS:
            return
        self._looked_ns = now_ns
        lost = {}
        for node, member in self._members.items():
            if member.is_lost or member.drained:
                continue
            if why := self._why_gone(node):
                lost[node] = why
        for node in lost:
            self._members[node].is_lost = True
        for node, why in lost.items():
            self._lose(node, why)

    def cut(self) -> None:
        if self._go is not None:
            for node in self._members:
                self._channel.send(messages.Cut(), to=node)

    def drained(self) -> bool:
        """A late worker that is not ready yet keeps nobody waiting."""
        return all(
            member.is_lost or member.drained or member.is_idle
            for member in self._members.values()
            if member.ready is not None or member.part.has_share
        )

    def facts(self) -> dict[str, Any]:
        facts = next((member.ready for member in self._members.values() if member.ready is not None), None)
        return {"request_bytes": facts.request_bytes, "pacer": facts.pacer} if facts is not None else {}

    def view(self) -> View:
        now_ns = monotonic_ns()
        return {
            **merge(member.seen(now_ns) for member in self._members.values()),
            "leases": leases_of(self.managers),
        }

    def disk_loss(self) -> DiskLoss:
        told = [member.progress for member in self._members.values() if member.progress is not None]
        since = [progress.lost_from_ns for progress in told if progress.lost_from_ns is not None]
        return DiskLoss(
            samples=sum(progress.unwritten for progress in told),
            lines=sum(progress.lost_lines for progress in told),
            pieces=self._pieces_lost,
            gaps=sum(progress.lost_gaps for progress in told),
            from_ns=min(since, default=None),
        )

    def finish(self) -> None:
        """Waits for the workers' files: a run that was cut short has workers that were not asked for them before."""
        self._order = None
        go = self._go
        deadline_ns = monotonic_ns() + round((self._runner.environment.stop_timeout or 0) * 1e9)
        if go is not None:
            self.cut()
            while not self._all_told() and monotonic_ns() < deadline_ns:
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
        """Workers of this process's own that do not listen are killed: they may be stopped, and would stay for ever."""
        for node, pid in self._pids.items():
            member = self._members.get(node)
            if member is not None and member.is_lost:
                end_child(pid)

    # -- who is there ----------------------------------------------------------------------------------

    def _is_member(self, node: str) -> bool:
        return node in self._members

    def _has_answered(self, node: str, member: Member) -> bool:
        return member.ready is not None or self._is_gone(node)

    def _all_told(self) -> bool:
        return all(member.is_lost or member.drained for member in self._members.values() if member.ready is not None)

    def _is_gone(self, node: str) -> bool:
        return bool(self._why_gone(node))

    def _why_gone(self, node: str) -> str:
        """Why a worker is given up; empty for one that is there."""
        if node in self._members and self._members[node].refused:
            return f"refused, {self._members[node].refused}"
        pid = self._pids.get(node)
        if pid is not None and not is_alive(pid):
            return _DIED
        clients = self._runner.clients
        if node not in clients:
            return "it left"
        return "it fell silent" if node in {client.id for client in clients.missing} else ""

    def _lose(self, node: str, why: str) -> None:
        """Name the loss, and deal what was not begun to whoever is left."""
        plan, go, member = self._plan, self._go, self._members[node]
        assert plan is not None and go is not None  # noqa: S101, PT018 - a run goes on
        is_open = plan.model is WorkloadModel.OPEN
        end_ns = None if plan.duration_s is None else round((plan.warm_up_s + plan.duration_s) * 1e9)
        at_ns = max(monotonic_ns() - go.monotonic_ns, 0)
        alive_ns = member.alive_until(at_ns, by_system=why == _DIED)
        begun = begun_by(plan, member.part, alive_ns if end_ns is None else min(alive_ns, end_ns))
        others = [other for other in self._members.values() if other.can_take_over]
        shares = member.shares_after(alive_ns)
        loss = Loss(
            worker=member.name,
            at_ns=at_ns,
            why=why,
            samples=max(max(begun, member.begun) if is_open and member.part.has_share else member.begun, 0)
            - member.kept,
            taken_over=is_open and (bool(others) or not shares),
        )
        self.losses = (*self.losses, loss)
        sys.stderr.write(f"warning: {loss.line}\n")
        if self._relay is not None:
            self._relay.forget(node)
        if is_open and shares:
            for number, other in enumerate(others):
                dealt = tuple(
                    msgspec.structs.replace(share, splits=(*share.splits, (number, len(others)))) for share in shares
                )
                self._channel.send(other.take_over(dealt), to=other.node)

    # -- what they say ---------------------------------------------------------------------------------

    def _give_order(self, node: str) -> None:
        if self._order is not None:
            if node not in self._members:
                self._members[node] = Member(node=node, part=Part(index=len(self._members), workers=self._dealt_to))
            order = self._order(self._members[node].part)
            self._channel.send(order.as_message(self._relay_key, worker=node), to=node)

    def _on_here(self, node: str, message: messages.Here) -> None:
        """A worker can take orders: late if a run goes on, or so early that it missed those of one that just began."""
        if message.pid and message.host == process_space():
            self._pids[node] = message.pid
        member = self._members.get(node)
        if member is None or (member.ready is None and not member.refused):
            self._give_order(node)

    def _on_ready(self, node: str, message: messages.Ready) -> None:
        if self._members[node].refused:
            return
        if not message.error:
            self._members[node].ready = message
            if self._go is not None:
                self._channel.send(self._go, to=node)
        elif self._go is not None:
            sys.stderr.write(f"a worker that joined late cannot take part: {message.error}\n")
        else:
            self._error = BenchError(message.error)
            self._error.exit_code = message.exit_code

    def _on_refused(self, node: str, message: messages.Refused) -> None:
        """It does not take its order. Only before it was ready: from then on it has its part of the run."""
        member = self._members[node]
        if self._run is None or message.run_id != self._run.run_id or member.ready is not None or member.refused:
            return
        member.refused = " ".join(message.why.split())
        member.is_lost = not member.part.has_share
        sys.stderr.write(f"warning: worker {member.name} ({node[:60]}) is refused: {member.refused}\n")

    def _on_progress(self, node: str, message: messages.Progress) -> None:
        member = self._members[node]
        if member.is_lost:
            self._came_back(member)
        member.progress = message

    def _on_look(self, node: str, message: messages.Look) -> None:
        member = self._members[node]
        member.view, member.looked_ns = message.view, monotonic_ns()

    def _came_back(self, member: Member) -> None:
        """It was given up, and has sent meanwhile what others have sent too."""
        if not member.came_back:
            member.came_back = True
            self.losses = tuple(
                dataclasses.replace(loss, taken_over=False, why=f"{loss.why}, and came back")
                if loss.worker == member.name
                else loss
                for loss in self.losses
            )
            self._channel.send(messages.Dismiss(), to=member.node)

    def _on_idle(self, node: str, message: messages.Idle) -> None:
        self._members[node].idle_after = message.taken

    def _on_drained(self, node: str, message: messages.Drained) -> None:
        member = self._members[node]
        member.drained = True
        if message.progress is not None:
            member.progress = message.progress

    def _on_piece(self, node: str, message: messages.Piece) -> None:
        """Also after the run has ended: a worker that is told to quit sends what it has."""
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
