"""A worker's part of a run: takes the master's orders. Edge."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gevent

from bench.clock import ClockAnchor
from bench.credentials import RelayClient, RelayKey
from bench.credentials.relay.seal import SealBroken
from bench.endpoint import AuthMode, Endpoint
from bench.errors import BenchError
from bench.live.view import view_of
from bench.load.engine.request_source import OtherFile
from bench.load.roles import messages, worker_files
from bench.load.roles.closing import close_all
from bench.load.roles.commands import Change, CommandMessage, CommandReader, Cut, Dismiss, Go, GoOn, TakeOver
from bench.load.roles.failure_file import message_of
from bench.load.roles.fence import Fence
from bench.load.roles.flight_file import FlightTimes
from bench.load.roles.managers import ManagerPool
from bench.load.roles.order import Order, OrderForged, OrderMessage, OrderRefused
from bench.load.roles.own_plan import PlanHashes, own_plan
from bench.load.roles.processes import host_id, process_space
from bench.load.roles.request_events import RequestEvents
from bench.load.roles.sender import Sender
from bench.process import supervise
from bench.rundir import RunDir
from bench.target.spec import TargetSpec

_POLL_S = 0.02


class Worker:
    """Speaks `messages` from the worker's side."""

    def __init__(self, environment: Any, relay_key: RelayKey, *, default_modes: tuple[AuthMode, ...] = ()) -> None:
        self.sender: Sender | None = None
        self._options = dict(vars(environment.parsed_options))  # a copy: Locust writes the master's into its own
        self._default_modes = default_modes
        self._orders: set[str] = set()
        self._asked = ""
        self._relay_key = relay_key
        self._relay: RelayClient | None = None
        self._environment = environment
        self._me: str = environment.runner.client_id
        self._pool: ManagerPool | None = None
        self._order: Order | None = None
        self._own: RunDir | None = None
        self._commands: CommandReader | None = None
        self._fence: Fence | None = None
        self._flights = FlightTimes(self._tell_flight)
        self._taken = 0
        self._taking = 0
        self._is_over = False
        self._channel = channel = messages.Channel(environment.runner)
        channel.on(OrderMessage, self._on_order, concurrent=True)
        channel.on(CommandMessage, self._on_command)
        channel.on(messages.Relay, self._on_relay)
        supervise.report_to(self._on_failure)
        channel.send(messages.Here(pid=os.getpid(), host=process_space()))

    def end(self) -> None:
        """The test has stopped here: write everything. Safe to call twice."""
        sender, self.sender = self.sender, None
        fence, self._fence = self._fence, None
        steps = [("sending", sender.finish)] if sender is not None else []
        steps += [("the word to the master", fence.stop)] if fence is not None else []
        for name, error in close_all([*steps, ("files for the master", self._send_files)]):
            supervise.failed(f"closing: {name}", error)
        if sender is not None:
            self._tell_look(sender)
            self._channel.send(messages.Drained(progress=sender.progress()))

    def close(self) -> None:
        self.end()
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def _send_files(self) -> None:
        own, self._own = self._own, None
        if own is None or self._order is None:
            return
        try:
            for piece in worker_files.pieces(own, self._order.part):
                self._channel.send(messages.Piece(**piece))
        finally:
            shutil.rmtree(own.path.parent, ignore_errors=True)

    def _on_order(self, _: str, message: OrderMessage) -> None:
        run_id = message.run_id
        if run_id == self._asked:
            return  # said twice, because the first time nobody might have listened
        if run_id in self._orders:
            self._channel.drop(message.kind, "of an earlier run, sent again; see who is on the network")
            return
        try:
            sealed = Order.from_message(message, self._relay_key, me=self._me)
            self._asked = run_id
            order = sealed or self._own_order(message)
        except OrderForged as exc:
            self._channel.drop(message.kind, str(exc))
            return
        except OrderRefused as exc:
            self._refuse(message, str(exc), detail=exc.detail)
            return
        self._orders.add(run_id)
        self._order = order
        self._taken = 0
        self._is_over = False
        self._flights = FlightTimes(self._tell_flight)
        self._commands = CommandReader(self._relay_key, run_id=run_id, me=self._me, takes_open=sealed is None)
        self._relay = RelayClient(
            self._relay_key,
            run_id=run_id,
            me=self._me,
            send=lambda envelope: self._channel.send(messages.Relay(envelope=envelope)),
            notice=_say,
        )
        try:
            self.sender = self._sender(order, self._relay, sees_folder=sealed is not None)
        except OtherFile as exc:
            self._refuse(message, exc.describe())
        except BenchError as exc:
            self._channel.send(messages.Ready(error=exc.describe(), exit_code=exc.exit_code))
        else:
            facts = self.sender.facts()
            self._channel.send(messages.Ready(request_bytes=facts["request_bytes"], pacer=facts["pacer"]))

    def _own_order(self, message: OrderMessage) -> Order:
        """What this worker's own command line says, with the master's numbers. OrderRefused where the rest differs."""
        numbers_and_hashes = message.open
        assert numbers_and_hashes is not None  # noqa: S101 - else it would have been refused
        try:
            plan, spec = own_plan(
                self._options, numbers_and_hashes.numbers, default_modes=self._default_modes, describe=self._described
            )
        except BenchError as exc:
            raise OrderRefused(
                "without BENCH_RELAY_KEY its own options count, and they make no run: its stderr says why",
                detail=exc.describe(),
            ) from exc
        if difference := PlanHashes.of(plan).differing(numbers_and_hashes.hashes):
            raise OrderRefused(difference)
        return Order(plan=plan, spec=spec, run=RunDir(Path(message.run_id)), part=numbers_and_hashes.part)

    def _described(self, spec: TargetSpec) -> Mapping[str, Endpoint]:
        return self._pool_of(spec).describe()

    def _refuse(self, order: OrderMessage, why: str, *, detail: str = "") -> None:
        """The master names this worker, and the run goes on without it."""
        why = " ".join(why.split())[:300]
        _say(f"this worker takes no part in run {order.run_id}: {why}{': ' * bool(detail)}{detail}")
        self._channel.send(messages.Refused(mark=order.mark, why=why))

    def _pool_of(self, spec: TargetSpec) -> ManagerPool:
        if self._pool is None or self._pool.spec != spec:
            if self._pool is not None:
                self._pool.close()
            self._pool = ManagerPool(spec)
        return self._pool

    def _sender(self, order: Order, relay: RelayClient, *, sees_folder: bool) -> Sender:
        """One with its leases. Its files are sent to the master in the end where that cannot see them."""
        pool = self._pool_of(order.spec)
        shared = sees_folder and worker_files.is_shared(order.run)
        self._own = None if shared else worker_files.own_folder(order.run)
        sender = Sender(
            order.plan,
            part=order.part,
            run=self._own or order.run,
            managers=pool.relayed(order.plan.variants, relay, on_flight=self._on_flight),
            events=RequestEvents(self._environment),
            on_tick=self._tell_progress,
        )
        try:
            sender.make_ready()
        except BaseException:
            sender.finish()
            raise
        return sender

    def _on_command(self, _: str, message: CommandMessage) -> None:
        if self._commands is None:
            self._channel.drop(message.kind, "before an order")
            return
        try:
            command = self._commands.read(message)
        except SealBroken:
            self._channel.drop(message.kind, "that the master did not send, or sent before; see who is on the network")
            return
        if isinstance(command, Go):
            self._on_go(command)
        elif isinstance(command, TakeOver):
            supervise.start(self._on_take_over, command, where=message.kind)
        elif isinstance(command, Change):
            supervise.start(self._on_change, command, where=message.kind)  # after what it took over before
        elif isinstance(command, GoOn):
            if self._fence is not None:
                self._fence.go_on(command.number)
        else:
            self._on_end(command)

    def _on_go(self, command: Go) -> None:
        if self.sender is not None and not self.sender.bench.zero_ns:
            zero_ns = zero_here(command)
            self._flights.start(zero_ns)
            self._fence = Fence(self.sender, self._channel)
            self.sender.go(zero_ns)
            self._fence.start()
            supervise.start(self._follow, self.sender, where="the end of sending")

    def _on_take_over(self, command: TakeOver) -> None:
        sender = self.sender
        if sender is not None and command.number > self._taken:
            self._taking += 1
            try:
                for share in command.shares:
                    sender.take_over(share)
            finally:
                self._taking -= 1
        self._taken = max(self._taken, command.number)

    def _on_change(self, command: Change) -> None:
        if self.sender is not None and command.number > self._taken:
            self.sender.change(command.changes)
        self._taken = max(self._taken, command.number)

    def _on_end(self, command: Cut | Dismiss) -> None:
        self._is_over = True
        if self.sender is not None:
            self.sender.cut() if isinstance(command, Cut) else self.sender.dismiss()

    def _follow(self, sender: Sender) -> None:
        """Report when all has been sent and answered, and after a cut write it all: the files are complete before the
        master knows, because it makes the report then."""
        reported = -1
        while self.sender is sender:
            if sender.drained() and self._is_over:
                self.end()
            elif sender.drained() and reported != self._taken and not self._taking:
                reported = self._taken
                self._channel.send(messages.Idle(taken=reported))
            gevent.sleep(_POLL_S)

    def _on_relay(self, _: str, message: messages.Relay) -> None:
        if self._relay is not None:
            self._relay.receive(message.envelope)

    def _on_flight(self, record: Mapping[str, Any]) -> None:
        """A flight of this worker's own; those the master flew are in the master's record."""
        if record["source"] != "relay":
            self._flights.add(record)

    def _tell_flight(self, record: Mapping[str, Any]) -> None:
        self._channel.send(messages.Flight(record=dict(record)))

    def _on_failure(self, failure: supervise.Failure) -> None:
        """Something broke here: the master ends the run."""
        managers = self.sender.managers if self.sender is not None else ()
        self._channel.send(message_of(failure, managers))

    def _tell_progress(self, progress: messages.Progress) -> None:
        if self._fence is not None:
            self._fence.tell(progress)
        if self.sender is not None:
            self._tell_look(self.sender)

    def _tell_look(self, sender: Sender) -> None:
        self._channel.send(messages.Look(view={**view_of(sender), "leases": []}))


def zero_here(message: Go) -> int:
    """The run's zero on this host's monotonic clock; another host's is met on the wall clock."""
    if message.host == host_id():
        return message.monotonic_ns
    here = ClockAnchor.now()
    return here.monotonic_ns + message.wall_ns - here.wall_ns


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
