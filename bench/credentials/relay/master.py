"""The master's end of the relay: workers ask, one flight serves them all, new leases are pushed. Edge: gevent.

Who calls it: the load engine on a Locust master, which lends it the transport: `send` for envelopes out, `receive` for
those that come in. It may touch the managers it is given and nothing else.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from bench import clock
from bench.credentials.failure import Failure, FailureKind
from bench.credentials.lease import Lease
from bench.credentials.manager import CredentialManager
from bench.credentials.moves import Asked, Refused
from bench.credentials.relay.messages import MASTER, WORKING_EVERY_S, lease_as_json
from bench.credentials.relay.seal import OtherKey, RelayKey, SealBroken, Sealer
from bench.process import supervise

_ANSWER_WITHIN_S = 60.0
_REMEMBERED_LEASES = 4
_UNAUTHORIZED = 401


class RelayServer:
    """Serves the leases of `managers` (by variant) to the workers of one run.

    `send(worker, envelope)` hands an envelope of plain values to the worker called that.
    """

    def __init__(
        self,
        key: RelayKey,
        *,
        run_id: str,
        managers: Mapping[str, CredentialManager],
        send: Callable[[str, dict[str, Any]], None],
    ) -> None:
        self.rejected = 0
        """Envelopes that were forged, replayed, or sealed with another key."""
        self._sealer = Sealer(key, run_id=run_id, me=MASTER)
        self._managers = managers
        self._send = send
        self._workers: set[str] = set()
        self._leases: dict[str, deque[Lease]] = {}
        for variant, manager in managers.items():
            self._leases[variant] = deque(maxlen=_REMEMBERED_LEASES)
            manager.listen(partial(self._published, variant))

    def receive(self, envelope: Mapping[str, Any]) -> None:
        """An envelope came from a worker. Returns at once; what is wrong with it never raises."""
        try:
            message = self._sealer.open(envelope)
        except OtherKey:
            self.rejected += 1
            self._send(str(envelope.get("from", "")), {"from": MASTER, "other_key": True})
        except SealBroken:
            self.rejected += 1
        else:
            worker = str(envelope["from"])
            self._workers.add(worker)
            supervise.start(self._answer, worker, message, where="the relay")

    def forget(self, worker: str) -> None:
        """The worker is gone: push it nothing any more."""
        self._workers.discard(worker)

    def close(self) -> None:
        """Forget every lease, and send nothing more to anybody."""
        self._workers.clear()
        self._leases = {variant: deque(maxlen=_REMEMBERED_LEASES) for variant in self._managers}

    def _answer(self, worker: str, message: dict[str, Any]) -> None:
        reply = {"reply": message["ask"], "variant": message["variant"]}
        asked = supervise.start(self._ask_manager, message, where="the relay")
        while not asked.ready():
            self._tell(worker, {**reply, "working": True})
            asked.join(timeout=WORKING_EVERY_S)
        answer = asked.get()
        if isinstance(answer, Lease):
            self._tell(worker, {**reply, "lease": lease_as_json(answer)})
        elif isinstance(answer, Failure):
            self._tell(worker, {**reply, "failure": answer.as_json()})

    def _ask_manager(self, message: dict[str, Any]) -> Lease | Failure:
        manager = self._managers.get(message["variant"])
        if manager is None:
            return Failure(kind=FailureKind.NOT_FOUND, message=f"the master has no variant {message['variant']!r}")
        refused = next(
            (lease for lease in self._leases[message["variant"]] if lease.generation == message["refused"]), None
        )
        event = Asked(message["newer_than"]) if refused is None else Refused(refused, _UNAUTHORIZED)
        return manager.ask(event, _ANSWER_WITHIN_S)

    def _published(self, variant: str, lease: Lease) -> None:
        self._leases[variant].append(lease)
        for worker in self._workers:
            self._tell(worker, {"variant": variant, "lease": lease_as_json(lease)})

    def _tell(self, worker: str, message: dict[str, Any]) -> None:
        self._send(worker, self._sealer.seal({**message, "sent_at": clock.monotonic_ns()}, to=worker))
