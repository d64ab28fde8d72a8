"""What a master orders of a worker, as plain values for a Locust message.

Locust's messages cross the network in the clear. So the whole order (target, scoring URIs, options, folder) is sealed
with the relay key. A worker that shares no key with the master is sent numbers and hashes only: the rest it has on its
own command line (see `own_plan`), so no master can direct a worker's secrets elsewhere. Edge: the folder.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

import msgspec

from bench.credentials import RelayKey
from bench.credentials.relay.messages import MASTER
from bench.credentials.relay.seal import OtherKey, SealBroken, Sealer
from bench.load.roles.messages import Message
from bench.load.roles.own_plan import Numbers, PlanHashes
from bench.load.roles.part import Part
from bench.plan.run_plan import RunPlan
from bench.rundir import RunDir
from bench.target.spec import TargetSpec

SAME_KEY = "set the same BENCH_RELAY_KEY on every host"


class OpenOrder(msgspec.Struct, frozen=True):
    """All that a worker without the master's key is sent."""

    numbers: Numbers
    hashes: PlanHashes
    part: Part


class OrderMessage(Message, frozen=True):
    """An order on its way. `open` is there only where the master was given no BENCH_RELAY_KEY."""

    kind = "bench_order"
    run_id: Annotated[str, msgspec.Meta(pattern=r"\A[0-9A-Za-z][0-9A-Za-z._-]{0,99}\Z")]
    sealed: dict[str, str | int]
    open: OpenOrder | None = None

    @property
    def mark(self) -> str:
        """What it is known by: no other order has the same."""
        return hashlib.sha256(msgspec.json.encode(self.sealed, order="sorted")).hexdigest()[:32]


class OrderRefused(Exception):
    """Why a worker does not take an order, in one line. `detail` is for its own stderr: it may name what is local."""

    def __init__(self, why: str, *, detail: str = "") -> None:
        super().__init__(why)
        self.detail = detail


class OrderForged(OrderRefused):
    """It is not the master's, or not for this worker, or altered: the master's own may still come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One worker's share of a run."""

    plan: RunPlan
    spec: TargetSpec
    run: RunDir
    part: Part

    def as_message(self, key: RelayKey, *, worker: str) -> OrderMessage:
        """For the worker called that."""
        whole = _Sealed(plan=self.plan, spec=self.spec, run=str(self.run.path.resolve()), part=self.part)
        sealer = Sealer(key, run_id=_purpose(self.run.run_id), me=MASTER)
        numbers_and_hashes = OpenOrder(numbers=Numbers.of(self.plan), hashes=PlanHashes.of(self.plan), part=self.part)
        return OrderMessage(
            run_id=self.run.run_id,
            sealed=sealer.seal(msgspec.to_builtins(whole), to=worker),
            open=None if key.is_given else numbers_and_hashes,
        )

    @classmethod
    def from_message(cls, message: OrderMessage, key: RelayKey, *, me: str) -> Self | None:
        """The inverse, for the worker called `me`. None where the order is an open one that this worker may take.

        Raises OrderRefused: who was given a key takes nothing that was not sealed with it. OrderForged where it is no
        mistake of whoever started the two.
        """
        try:
            opened = Sealer(key, run_id=_purpose(message.run_id), me=me).open(message.sealed)
            whole = msgspec.convert(opened, _Sealed)
        except OtherKey as exc:
            if message.open is not None and not key.is_given:
                return None
            raise OrderRefused(_other_key(message, key)) from exc
        except (SealBroken, msgspec.ValidationError) as exc:
            raise OrderForged("that was altered on its way, or is another's; see who is on the network") from exc
        run = RunDir(Path(whole.run))
        if run.run_id != message.run_id:
            raise OrderForged("for another run; see who is on the network")
        return cls(plan=whole.plan, spec=whole.spec, run=run, part=whole.part)


class _Sealed(msgspec.Struct, frozen=True):
    plan: RunPlan
    spec: TargetSpec
    run: str
    part: Part


def _other_key(message: OrderMessage, key: RelayKey) -> str:
    if not key.is_given:
        return f"the master has a BENCH_RELAY_KEY and this worker has none; {SAME_KEY}"
    if message.open is not None:
        return f"its order is not sealed, and this worker has a BENCH_RELAY_KEY; {SAME_KEY}"
    return f"its order is sealed with another BENCH_RELAY_KEY; {SAME_KEY}"


def _purpose(run_id: str) -> str:
    """Orders have a key of their own, lest they and the relay's messages share sequence numbers."""
    return f"{run_id} order"
