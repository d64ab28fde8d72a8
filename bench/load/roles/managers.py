"""The credential managers of one process. Edge: owns the credential agent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import gevent

from bench import clock
from bench.credentials import Agent, AgentSource, CredentialManager, Failure, RelayClient, StaticSource
from bench.credentials.claims import seconds_left
from bench.credentials.patience import Patience
from bench.credentials.static_manager import StaticManager
from bench.endpoint import Endpoint
from bench.plan.run_plan import DEFAULT_START_TIMEOUT_S, Variant
from bench.target.spec import TargetSpec, static_secret


class ManagerPool:
    """One agent at most, started when something has to be asked; new managers for every run."""

    def __init__(self, spec: TargetSpec, *, say: Callable[[str], object] = lambda _: None) -> None:
        self.spec = spec
        self.say = say
        self._agent: Agent | None = None
        self._described: dict[str, Endpoint] = {}

    def describe(self, *, timeout_s: float = DEFAULT_START_TIMEOUT_S) -> Mapping[str, Endpoint]:
        """What ARM says of the spec's endpoints, by name; empty when nothing is to be read. Raises BenchError.

        While Azure is in trouble it is asked again, for up to `timeout_s`.
        """
        patience = Patience(timeout_s=timeout_s, sleep=gevent.sleep, say=self.say)
        for name in self.spec.endpoints if self.spec.reads_endpoints else ():
            if name not in self._described:
                answer = patience.ask(partial(self._ask().described, name))
                if isinstance(answer, Failure):
                    raise answer.error()
                self._described[name] = answer
        return self._described

    def managers(
        self, variants: tuple[Variant, ...], *, on_flight: Callable[[Mapping[str, Any]], None]
    ) -> tuple[CredentialManager, ...]:
        """A manager for each variant, with nothing fetched yet."""
        kind = StaticManager if self.spec.kind == "scoring_uri" else CredentialManager
        return tuple(kind(self._source(variant), variant=variant.name, on_flight=on_flight) for variant in variants)

    def notes(self, *, lasts_s: float | None) -> list[str]:
        """What should be known of static secrets before a run of `lasts_s` (None: without an end)."""
        if self.spec.kind != "scoring_uri":
            return []
        sent = zip(self.spec.auth_modes, self.spec.secret_numbers, strict=True)
        ends = {mode: seconds_left(static_secret(mode, number), wall_s=clock.wall_s()) for mode, number in sent}
        return [
            f"the static {mode} {'has expired' if left_s <= 0 else f'expires in {left_s:,.0f} s, before the run ends'}:"
            " its requests will be refused from then on"
            for mode, left_s in ends.items()
            if left_s is not None and (lasts_s is None or left_s < lasts_s)
        ]

    def relayed(
        self, variants: tuple[Variant, ...], client: RelayClient, *, on_flight: Callable[[Mapping[str, Any]], None]
    ) -> tuple[CredentialManager, ...]:
        """The same on a worker: the master flies, this process only when the master is silent.

        A static secret is everybody's own, so it is not relayed.
        """
        if self.spec.kind == "scoring_uri":
            return self.managers(variants, on_flight=on_flight)
        return tuple(client.manager(variant.name, self._source(variant), on_flight=on_flight) for variant in variants)

    def close(self) -> None:
        if self._agent is not None:
            self._agent.close()
            self._agent = None

    def _source(self, variant: Variant) -> StaticSource | AgentSource:
        if self.spec.kind == "scoring_uri":
            return StaticSource(static_secret(variant.auth_mode, variant.secret_number), auth_mode=variant.auth_mode)
        reads = self.spec.reads_endpoints
        return AgentSource(self._ask(), endpoint=variant.endpoint, auth_mode=variant.auth_mode, reads=reads)

    def _ask(self) -> Agent:
        if self._agent is None:
            assert self.spec.workspace is not None  # noqa: S101 - only a bare URI has none
            self._agent = Agent(self.spec.workspace, env=dict(self.spec.agent_env), sign_in=self.spec.sign_in)
        return self._agent
