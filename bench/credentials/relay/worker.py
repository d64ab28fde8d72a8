"""A worker's end of the relay: its managers fetch from the master, and for themselves when the master is silent.

Who calls it: the load engine on a Locust worker, which lends it the transport: `send` for envelopes out, `receive` for
those that come in. Edge: gevent.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Mapping
from typing import Any

from gevent.queue import Empty, Queue

from bench import clock
from bench.credentials.failure import Failure
from bench.credentials.lease import Grant, Lease
from bench.credentials.manager import CredentialManager
from bench.credentials.relay.messages import MASTER, WORKING_EVERY_S, ClockBridge, grant_from_json
from bench.credentials.relay.seal import RelayKey, SealBroken, Sealer
from bench.credentials.source import Source
from bench.endpoint import AuthMode

SILENCE_S = 3 * WORKING_EVERY_S
"""A master that says nothing for this long while a question is open is taken for gone."""

_SILENT = "no word from the master"
_OTHER_KEY = "the master has another relay key (set the same BENCH_RELAY_KEY on every host)"


class RelayClient:
    """One worker's link to the master. `send(envelope)` hands an envelope of plain values to the master.

    `me` is unique in the run: Locust's client id. `notice` receives one line when the worker starts to fetch for
    itself, and one when it stops.
    """

    def __init__(
        self,
        key: RelayKey,
        *,
        run_id: str,
        me: str,
        send: Callable[[dict[str, Any]], None],
        notice: Callable[[str], None],
        silence_s: float = SILENCE_S,
    ) -> None:
        self.rejected = 0
        """Envelopes that were forged, replayed, or sealed with another key."""
        self.alone = False
        """Whether it fetches for itself."""
        self._sealer = Sealer(key, run_id=run_id, me=me)
        self._send = send
        self._notice = notice
        self._silence_s = silence_s
        self._bridge = ClockBridge()
        self._numbers = itertools.count(1)
        self._questions: dict[str, _Question] = {}
        self._ends: dict[str, tuple[RelaySource, CredentialManager]] = {}

    def manager(self, variant: str, own: Source, **options: Any) -> CredentialManager:
        """A manager of `variant` whose flights the master flies; `own` fetches when the master is silent.

        `options` are those of CredentialManager.
        """
        source = RelaySource(self, variant=variant, own=own)
        manager = CredentialManager(source, variant=variant, **options)
        self._ends[variant] = source, manager
        return manager

    def receive(self, envelope: Mapping[str, Any]) -> None:
        """An envelope came from the master. Returns at once; what is wrong with it never raises."""
        if "other_key" in envelope:
            self._go_alone(_OTHER_KEY)
            return
        try:
            message = self._sealer.open(envelope)
        except SealBroken:
            self.rejected += 1
            return
        if self.alone:
            self.alone = False
            self._notice("relay: the master is back; it fetches for this worker again")
        variant = message["variant"]
        question = self._questions.get(variant)
        if question is not None and question.number == message.get("reply"):
            self._bridge.learn(asked_at=question.asked_at, sent_at=message["sent_at"])
            if question.is_open:
                question.inbox.put(message)
        if "lease" in message and variant in self._ends and (question is None or not question.is_open):
            source, manager = self._ends[variant]
            if (grant := source.accept(message["lease"], self._bridge)) is not None:
                manager.push(grant)

    def ask(self, variant: str, *, newer_than: int, refused: int) -> dict[str, Any] | None:
        """The master's last word on a question, or None when it is silent. Alone, it only knocks and does not wait."""
        question = self._questions[variant] = _Question(next(self._numbers))
        message = {"ask": question.number, "variant": variant, "newer_than": newer_than, "refused": refused}
        self._send(self._sealer.seal(message, to=MASTER))
        try:
            while not self.alone:
                reply: dict[str, Any] | None = question.inbox.get(timeout=self._silence_s)
                if reply is None or "working" not in reply:
                    return reply
        except Empty:
            self._go_alone(_SILENT)
        finally:
            question.is_open = False
        return None

    def grant(self, lease: dict[str, Any]) -> Grant:
        """The master's lease on our clock."""
        return grant_from_json(lease, self._bridge)

    def _go_alone(self, why: str) -> None:
        if not self.alone:
            self.alone = True
            self._notice(f"relay: {why}; this worker fetches its own credentials")
        for question in self._questions.values():
            question.inbox.put(None)


class _Question:
    """The last one asked about a variant. While it is open its reply is waited for, and nothing else is taken."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.asked_at = clock.monotonic_ns()
        self.inbox: Queue = Queue()
        self.is_open = True


class RelaySource:
    """The master's credential of one variant, else the worker's own. Made by `RelayClient.manager`."""

    def __init__(self, client: RelayClient, *, variant: str, own: Source) -> None:
        self._client = client
        self._variant = variant
        self._own = own
        self._newest = 0
        self._reported = 0
        self._generations: dict[str, int] = {}

    @property
    def kind(self) -> str:
        """Who flew the last flight: the master, whose own record of it counts, or this worker."""
        return self._own.kind if self._client.alone else "relay"

    @property
    def auth_mode(self) -> AuthMode | None:
        return self._own.auth_mode

    def fetch(self, refused: Lease | None) -> Grant | Failure:
        generation = self._generations.get(_name(refused.secret), 0) if refused is not None else 0
        message = self._client.ask(
            self._variant,
            newer_than=self._newest,
            refused=generation if generation > self._reported else 0,  # once: the master's next flight is under way
        )
        if message is None:
            return self._own.fetch(refused)
        self._reported = max(self._reported, generation)
        if "failure" in message:
            return Failure.from_json(message["failure"])
        grant = self._client.grant(message["lease"])
        self._remember(grant)
        return grant

    def accept(self, lease: dict[str, Any], bridge: ClockBridge) -> Grant | None:
        """A lease that came unasked: a grant, unless an equal or newer one is known."""
        grant = grant_from_json(lease, bridge)
        if grant.generation <= self._newest:
            return None
        self._remember(grant)
        return grant

    def _remember(self, grant: Grant) -> None:
        self._newest = max(self._newest, grant.generation)
        newest = {_name(grant.secrets[0]): grant.generation}
        self._generations = newest | dict(list(self._generations.items())[:3])


def _name(secret: str) -> str:
    """What a secret is remembered by, so that it lives in the manager alone."""
    return hashlib.sha256(secret.encode()).hexdigest()
