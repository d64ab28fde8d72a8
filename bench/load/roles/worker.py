"""A worker's part of a run: takes the master's orders. Edge."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from typing import Any

import gevent

from bench.credentials import RelayClient, RelayKey
from bench.errors import BenchError
from bench.live.view import view_of
from bench.load.roles import worker_files as worker_files
from bench.load.roles.locust_stats import RequestEvents
from bench.load.roles.managers import ManagerPool
from bench.load.roles.order import Order
from bench.load.roles.sender import Sender
from bench.load.roles.workers import zero_here
from bench.rundir import RunDir

_POLL_S = 0.02


class Worker:
    """Speaks the messages of `senders` from the worker's side."""

    def __init__(self, environment: Any, relay_key: RelayKey) -> None:
        self._relay_key = relay_key
        self._relay: RelayClient | None = None
        self.sender: Sender | None = None
        self._environment = environment
        self._runner = environment.runner
        self._pool: ManagerPool | None = None
        self._runner.register_message("bench_order", self._on_order, concurrent=True)
        self._runner.register_message("bench_go", self._on_go)
        self._runner.register_message("bench_cut", self._on_cut)
        self._runner.register_message("bench_relay", self._on_relay)
        environment.events.report_to_master.add_listener(self._on_report)
        self._order: Order | None = None
        self._own: RunDir | None = None
        self._runner.send_message("bench_here", {})

    def end(self) -> None:
        """The test has stopped here: write everything. Safe to call twice."""
        if self.sender is not None:
            self.sender.finish()
            self.sender = None
        if self._own is not None and self._order is not None:
            for piece in worker_files.pieces(self._own, self._order.part):
                self._runner.send_message("bench_piece", piece)
            shutil.rmtree(self._own.path.parent)
            self._own = None

    def close(self) -> None:
        self.end()
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def _on_order(self, msg: Any, **_: Any) -> None:
        order = Order.from_message(msg.data, self._relay_key, me=self._runner.client_id)
        if self._order is not None and order.run.run_id == self._order.run.run_id:
            return  # said twice, because the first time nobody might have listened
        self._order = order
        self._relay = RelayClient(
            self._relay_key,
            run_id=order.run.run_id,
            me=self._runner.client_id,
            send=lambda envelope: self._runner.send_message("bench_relay", envelope),
            notice=_say,
        )
        try:
            self.sender = self._sender(order, self._relay)
        except BenchError as exc:
            self._runner.send_message("bench_ready", {"error": exc.describe(), "exit_code": exc.exit_code})
        except Exception as exc:
            broke = {"error": f"a worker broke: {type(exc).__name__}: {exc}", "exit_code": BenchError.exit_code}
            self._runner.send_message("bench_ready", broke)
            raise
        else:
            self._runner.send_message("bench_ready", self.sender.facts())

    def _sender(self, order: Order, relay: RelayClient) -> Sender:
        """One with its leases. Its files are sent to the master in the end where that cannot see them."""
        if self._pool is None or self._pool.spec != order.spec:
            if self._pool is not None:
                self._pool.close()
            self._pool = ManagerPool(order.spec)
        self._own = None if worker_files.is_shared(order.run) else worker_files.own_folder(order.run)
        sender = Sender(
            order.plan,
            part=order.part,
            run=self._own or order.run,
            managers=self._pool.relayed(order.plan.variants, relay, on_flight=self._on_flight),
            events=RequestEvents(self._environment),
        )
        try:
            sender.make_ready()
        except BaseException:
            sender.finish()
            raise
        return sender

    def _on_go(self, msg: Any, **_: Any) -> None:
        if self.sender is not None:
            self.sender.go(zero_here(msg.data))
            gevent.spawn(self._tell_when_drained, self.sender)

    def _on_cut(self, **_: Any) -> None:
        if self.sender is not None:
            self.sender.cut()

    def _tell_when_drained(self, sender: Sender) -> None:
        """All sent and answered: the files are whole before the master hears of it, for then it makes the report."""
        while not sender.drained():
            gevent.sleep(_POLL_S)
        if self.sender is sender:
            self.end()
        self._runner.send_message("bench_drained", {})

    def _on_relay(self, msg: Any, **_: Any) -> None:
        if self._relay is not None:
            self._relay.receive(msg.data)

    def _on_flight(self, record: Mapping[str, Any]) -> None:
        """A flight of this worker's own; those the master flew are in the master's record."""
        if record["source"] != "relay":
            self._runner.send_message("bench_flight", dict(record))

    def _on_report(self, client_id: str, data: dict[str, Any], **_: Any) -> None:
        del client_id
        if self.sender is not None:
            data["bench"] = view_of(self.sender)


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
