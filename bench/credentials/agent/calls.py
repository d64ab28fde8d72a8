"""What the credential agent can be asked, typed. Pure; how the question gets there is the client's business.

`client` (gevent) and `plain` (no gevent) inherit it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from bench.credentials.failure import Failure, FailureKind
from bench.credentials.lease import Grant
from bench.endpoint import AuthMode, Endpoint, SignIn, Workspace
from bench.errors import lacking

START_DEADLINE_S = 60.0
"""From the start of the process until the SDK is imported: 2 to 4 s warm, more on a cold disk."""
CALL_DEADLINE_S = 20.0
"""For one call: an identity call and two ARM calls, each with a connect and a read timeout, fit in."""


class AgentCalls(ABC):
    """The agent's operations. Every one starts the agent if it does not run.

    `env` is what the agent shall find in its environment beyond this process's, such as an emulator's addresses.
    """

    def __init__(
        self,
        workspace: Workspace,
        *,
        env: Mapping[str, str] | None = None,
        sign_in: SignIn | None = None,
        call_deadline_s: float = CALL_DEADLINE_S,
    ) -> None:
        self.workspace = workspace
        self.sign_in = sign_in or SignIn()
        self._env = dict(env or {})
        self._call_deadline_s = call_deadline_s + max(0.0, self.sign_in.timeout_s - SignIn().timeout_s)

    def describe(self, endpoint: str) -> Endpoint:
        """What ARM says about the endpoint. UsageError when there is none; CredentialError when it cannot be asked."""
        answer = self.described(endpoint)
        if isinstance(answer, Failure):
            raise answer.error()
        return answer

    def described(self, endpoint: str) -> Endpoint | Failure:
        """The same, with a failure as a value."""
        answer = self.ask("describe", endpoint=endpoint)
        return answer if isinstance(answer, Failure) else Endpoint.from_json(answer)

    def fetch(self, endpoint: str, auth_mode: AuthMode | None, *, reads: bool = True) -> Grant | Failure:
        """The endpoint's credential, or why there is none. Without `reads` nothing of ARM is read for it."""
        mode = None if auth_mode is None else auth_mode.value
        answer = self.ask("fetch", endpoint=endpoint, auth_mode=mode, reads=reads)
        return answer if isinstance(answer, Failure) else Grant.from_json(answer)

    def regenerated(self, endpoint: str, key: str) -> dict[str, bool] | Failure:
        """Replace its `primary` or `secondary` key for everybody: whether Azure is `done`, and it has `changed`."""
        return self.ask("regenerate", endpoint=endpoint, key=key)

    def principal(self) -> dict[str, str]:
        """Who asks: the claims oid, tid, appid, upn, name of its ARM token. CredentialError when it has no token."""
        answer = self.asked_by()
        if isinstance(answer, Failure):
            raise answer.error()
        return answer

    def asked_by(self) -> dict[str, str] | Failure:
        """The same, with a failure as a value."""
        return self.ask("principal")

    def arm_token(self) -> str:
        """A token of the control plane's, which a workspace's MLflow API takes too. CredentialError for none."""
        answer = self.ask("arm_token")
        if isinstance(answer, Failure):
            raise answer.error()
        return str(answer["token"])

    def ping(self) -> None:
        """Start the agent ahead of time. CredentialError when it does not come up."""
        answer = self.ask("ping")
        if isinstance(answer, Failure):
            raise answer.error()

    @abstractmethod
    def ask(self, op: str, **parameters: str | bool | None) -> dict[str, Any] | Failure:
        """One round trip; kind AGENT when the agent died, TIMED_OUT when it had to be killed."""

    @abstractmethod
    def close(self) -> None:
        """End the agent. A later call starts a new one."""


def parse_reply(message: dict[str, Any]) -> dict[str, Any] | Failure:
    """The answer or the failure in an agent's reply."""
    if "failure" in message:
        return Failure.from_json(message["failure"])
    answer: dict[str, Any] = message["answer"]
    return answer


def died() -> Failure:
    """The agent ended while it was asked, or before it was ready."""
    return Failure(
        kind=FailureKind.AGENT,
        message="the credential agent died",
        hint="it is started again; if it keeps dying, see what `python -c 'import azure.ai.ml, azure.identity'` says",
    )


def cannot_start(exc: OSError) -> Failure:
    """The operating system did not let the agent start."""
    lacked = lacking(exc)
    if lacked is not None:
        message = f"the credential agent cannot be started: {lacked.message}"
        return Failure(kind=FailureKind.NO_ROOM, message=message, hint=lacked.hint)
    return Failure(kind=FailureKind.AGENT, message=f"the credential agent cannot be started: {exc.strerror}")


def hung(after_s: float) -> Failure:
    """The agent did not answer and was killed."""
    return Failure(
        kind=FailureKind.TIMED_OUT,
        message=f"the credential agent did not answer within {after_s:g} s and was killed",
        hint="the identity service or ARM hangs; a new agent tries again",
    )
