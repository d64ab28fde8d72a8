"""The credential managers of one process. Edge: owns the credential agent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bench.credentials import Agent, AgentSource, CredentialManager, RelayClient, StaticSource
from bench.endpoint import Endpoint
from bench.plan import Variant
from bench.target import TargetSpec, static_secret


class ManagerPool:
    """One agent at most, started when something has to be asked; new managers for every run."""

    def __init__(self, spec: TargetSpec) -> None:
        self.spec = spec
        self._agent: Agent | None = None
        self._described: dict[str, Endpoint] = {}

    def describe(self) -> Mapping[str, Endpoint]:
        """What ARM says of the spec's endpoints, by name; empty for a bare scoring URI. Raises BenchError."""
        for name in self.spec.endpoints:
            if name not in self._described:
                self._described[name] = self._ask().describe(name)
        return self._described

    def managers(
        self, variants: tuple[Variant, ...], *, on_flight: Callable[[Mapping[str, Any]], None]
    ) -> tuple[CredentialManager, ...]:
        """A manager for each variant, with nothing fetched yet."""
        return tuple(
            CredentialManager(self._source(variant), variant=variant.name, on_flight=on_flight) for variant in variants
        )

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
        return AgentSource(self._ask(), endpoint=variant.endpoint, auth_mode=variant.auth_mode)

    def _ask(self) -> Agent:
        if self._agent is None:
            assert self.spec.workspace is not None  # noqa: S101 - only a bare URI has none
            self._agent = Agent(self.spec.workspace, env=dict(self.spec.agent_env))
        return self._agent
