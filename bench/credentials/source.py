"""Where credentials come from: one method, `fetch`. The manager is the only one who calls it, one flight at a time.

A source answers with a `Grant` or a `Failure`; it does not cache, retry by policy or keep anybody waiting longer
than its own time limit. `StaticSource` does no IO; `AgentSource` talks to the credential agent.
"""

from __future__ import annotations

from typing import Protocol

from bench import clock
from bench.credentials.failure import Failure, FailureKind
from bench.credentials.lease import Grant, Lease, Validity
from bench.endpoint import AuthMode
from bench.errors import UsageError


class Source(Protocol):
    """Whatever can fetch a credential."""

    @property
    def kind(self) -> str:
        """One word for the flight's record: static, agent, relay."""

    @property
    def auth_mode(self) -> AuthMode | None:
        """What it is asked to fetch; None for whatever the endpoint uses."""

    def fetch(self, refused: Lease | None) -> Grant | Failure:
        """A new credential. `refused` is the lease the endpoint said 401 to, when that is why."""


class FetchesCredentials(Protocol):
    """The part of the credential agent's client a source needs."""

    def fetch(self, endpoint: str, auth_mode: AuthMode | None, *, reads: bool = True) -> Grant | Failure: ...


class StaticSource:
    """A key or token the user already has; it is granted again and again, as one without end."""

    kind = "static"

    def __init__(self, secret: str, *, auth_mode: AuthMode = AuthMode.KEY) -> None:
        if not secret.strip() or not secret.isascii() or any(character.isspace() for character in secret.strip()):
            raise UsageError("the static credential is empty or not one word", hint="set BENCH_KEY or BENCH_TOKEN")
        self._secret = secret.strip()
        self.auth_mode = auth_mode

    def fetch(self, refused: Lease | None) -> Grant:  # noqa: ARG002 - there is no other credential to fall back to
        return Grant(secrets=(self._secret,), auth_mode=self.auth_mode, valid=Validity(issued_at=clock.monotonic_ns()))


class AgentSource:
    """The credential of one endpoint, fetched by the agent process.

    `auth_mode` is what the run measures: another one on the endpoint is a failure, lest a report call a key a token.
    None takes whatever the endpoint uses. Without `reads` the endpoint is not read for it: its mode is believed.
    """

    kind = "agent"

    def __init__(
        self, agent: FetchesCredentials, *, endpoint: str, auth_mode: AuthMode | None = None, reads: bool = True
    ) -> None:
        self._agent = agent
        self._reads = reads
        self._endpoint = endpoint
        self.auth_mode = auth_mode

    def fetch(self, refused: Lease | None) -> Grant | Failure:  # noqa: ARG002 - the agent always fetches anew
        answer = self._agent.fetch(self._endpoint, self.auth_mode, reads=self._reads)
        if isinstance(answer, Grant) and self.auth_mode not in (None, answer.auth_mode):
            return Failure(
                kind=FailureKind.AUTH_MODE,
                message=f"endpoint {self._endpoint!r} now uses {answer.auth_mode}, this run measures {self.auth_mode}",
                hint="run again with the endpoint's auth mode",
            )
        return answer
