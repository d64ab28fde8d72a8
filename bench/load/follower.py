"""A worker's part of a run: takes the master's orders. Edge; called by `session`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gevent

from bench.credentials import RelayClient, RelayKey
from bench.errors import BenchError
from bench.load.crew import zero_here
from bench.load.managers import ManagerPool
from bench.load.participant import Part, Participant
from bench.load.view import view_of
from bench.plan import RunPlan
from bench.rundir import RunDir
from bench.target import TargetSpec

_POLL_S = 0.02


class Follower:
    """Speaks the messages of `crew` from the worker's side."""

    def __init__(self, environment: Any, relay_key: RelayKey) -> None:
        self._relay_key = relay_key
        self._relay: RelayClient | None = None
        self.participant: Participant | None = None
        self._environment = environment
        self._runner = environment.runner
        self._pool: ManagerPool | None = None
        self._runner.register_message("bench_order", self._on_order, concurrent=True)
        self._runner.register_message("bench_go", self._on_go)
        self._runner.register_message("bench_relay", self._on_relay)
        environment.events.report_to_master.add_listener(self._on_report)

    def end(self) -> None:
        """The test has stopped here: write everything. Safe to call twice."""
        if self.participant is not None:
            self.participant.finish()
            self.participant = None
            self._runner.send_message("bench_written", {})

    def close(self) -> None:
        self.end()
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def _on_order(self, msg: Any, **_: Any) -> None:
        order = msg.data
        plan, spec, run = (
            RunPlan.from_json(order["plan"]),
            TargetSpec.from_json(order["spec"]),
            RunDir(Path(order["run"])),
        )
        self._relay = RelayClient(
            self._relay_key,
            run_id=run.run_id,
            me=self._runner.client_id,
            send=lambda envelope: self._runner.send_message("bench_relay", envelope),
            notice=_say,
        )
        try:
            if self._pool is None or self._pool.spec != spec:
                if self._pool is not None:
                    self._pool.close()
                self._pool = ManagerPool(spec)
            participant = Participant(
                plan,
                part=Part(index=order["index"], workers=order["workers"]),
                run=run,
                managers=self._pool.relayed(plan.variants, self._relay, on_flight=self._on_flight),
                fire=self._environment.events.request.fire,
            )
            participant.make_ready()
        except BenchError as exc:
            self._runner.send_message("bench_ready", {"error": exc.describe(), "exit_code": exc.exit_code})
        else:
            self.participant = participant
            self._runner.send_message("bench_ready", participant.facts())

    def _on_go(self, msg: Any, **_: Any) -> None:
        if self.participant is not None:
            self.participant.go(zero_here(msg.data))
            gevent.spawn(self._tell_when_drained, self.participant)

    def _tell_when_drained(self, participant: Participant) -> None:
        while not participant.drained():
            gevent.sleep(_POLL_S)
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
        if self.participant is not None:
            data["bench"] = view_of(self.participant)


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
