"""What a master orders of a worker, as plain values for a Locust message.

Locust's messages cross the network in the clear. One part of an order is a secret: what the credential agent needs in
its environment to use an emulator. It is sealed with the relay key; a worker without that key cannot fetch from the
emulator by itself.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import msgspec

from bench.credentials import RelayKey
from bench.credentials.relay.messages import MASTER
from bench.credentials.relay.seal import SealBroken, Sealer
from bench.load.roles.messages import Message
from bench.load.roles.part import Part
from bench.plan.run_plan import RunPlan
from bench.rundir import RunDir
from bench.target.spec import TargetSpec


class OrderMessage(Message, frozen=True):
    """An order on its way: `spec` without its `agent_env`, which is sealed."""

    kind = "bench_order"
    plan: RunPlan
    spec: TargetSpec
    agent_env: dict[str, str | int]
    run: str
    part: Part


class _AgentEnv(msgspec.Struct, frozen=True):
    agent_env: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One worker's share of a run."""

    plan: RunPlan
    spec: TargetSpec
    run: RunDir
    part: Part

    def as_message(self, key: RelayKey, *, worker: str) -> OrderMessage:
        """For the worker called that."""
        sealer = Sealer(key, run_id=_purpose(self.run.run_id), me=MASTER)
        return OrderMessage(
            plan=self.plan,
            spec=dataclasses.replace(self.spec, agent_env=()),
            agent_env=sealer.seal({"agent_env": self.spec.agent_env}, to=worker),
            run=str(self.run.path.resolve()),
            part=self.part,
        )

    @classmethod
    def from_message(cls, message: OrderMessage, key: RelayKey, *, me: str) -> Self:
        """The inverse, for the worker called `me`."""
        run = RunDir(Path(message.run))
        try:
            opened: dict[str, Any] = Sealer(key, run_id=_purpose(run.run_id), me=me).open(message.agent_env)
            env = msgspec.convert(opened, _AgentEnv).agent_env
        except (SealBroken, msgspec.ValidationError):
            env = ()
        return cls(plan=message.plan, spec=dataclasses.replace(message.spec, agent_env=env), run=run, part=message.part)


def _purpose(run_id: str) -> str:
    """Orders have a key of their own, lest they and the relay's messages share sequence numbers."""
    return f"{run_id} order"
