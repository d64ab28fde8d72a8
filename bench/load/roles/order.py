"""What a master orders of a worker, as plain values for a Locust message.

Locust's messages cross the network in the clear. One part of an order is a secret: what the credential agent needs in
its environment to use an emulator. It is sealed with the relay key; a worker without that key cannot fetch from the
emulator by itself.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from bench.credentials import RelayKey
from bench.credentials.relay.messages import MASTER
from bench.credentials.relay.seal import SealBroken, Sealer
from bench.load.roles.part import Part
from bench.plan import RunPlan
from bench.rundir import RunDir
from bench.target import TargetSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One worker's share of a run."""

    plan: RunPlan
    spec: TargetSpec
    run: RunDir
    part: Part

    def as_message(self, key: RelayKey, *, worker: str) -> dict[str, Any]:
        """For the worker called that."""
        sealer = Sealer(key, run_id=_purpose(self.run.run_id), me=MASTER)
        return {
            "plan": self.plan.as_json(),
            "spec": dataclasses.replace(self.spec, agent_env=()).as_json(),
            "agent_env": sealer.seal({"agent_env": self.spec.agent_env}, to=worker),
            "run": str(self.run.path.resolve()),
            "part": dataclasses.asdict(self.part),
        }

    @classmethod
    def from_message(cls, message: Mapping[str, Any], key: RelayKey, *, me: str) -> Self:
        """The inverse, for the worker called `me`."""
        run = RunDir(Path(message["run"]))
        spec = TargetSpec.from_json(message["spec"])
        try:
            opened = Sealer(key, run_id=_purpose(run.run_id), me=me).open(message["agent_env"])
        except SealBroken:
            opened = {"agent_env": ()}
        env = tuple((str(name), str(value)) for name, value in opened["agent_env"])
        return cls(
            plan=RunPlan.from_json(message["plan"]),
            spec=dataclasses.replace(spec, agent_env=env),
            run=run,
            part=Part(**message["part"]),
        )


def _purpose(run_id: str) -> str:
    """Orders have a key of their own, lest they and the relay's messages share sequence numbers."""
    return f"{run_id} order"
