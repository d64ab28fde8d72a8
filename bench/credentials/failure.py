"""Why no credential could be had, as plain data that crosses pipes, greenlets and hosts. Pure.

A `Failure` is made once where things go wrong (agent, source, policy) and shared by everybody who waited;
each of them raises an exception of its own from it, so that no two greenlets share a traceback.
No field ever holds a secret.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from bench.errors import BenchError, CredentialError, PermissionMissing, RunInvalid, UsageError


class FailureKind(StrEnum):
    """What went wrong, seen from the one who asked."""

    PERMISSION = "permission"
    """ARM answered AuthorizationFailed: the principal lacks `action`."""
    FORBIDDEN = "forbidden"
    """ARM refuses, and no role would help: a policy, a deny assignment, a lock, the subscription."""
    NETWORK = "network"
    """Something stands between here and ARM: a proxy, a firewall, a private network."""
    NOT_FOUND = "not_found"
    """ARM knows no such subscription, resource group, workspace or endpoint."""
    IDENTITY = "identity"
    """No Entra token for the principal: none configured, refused, or the identity service is down."""
    THROTTLED = "throttled"
    UNAVAILABLE = "unavailable"
    """The control plane is down, unreachable or answers 5xx."""
    TIMED_OUT = "timed_out"
    MALFORMED = "malformed"
    """An answer that cannot be understood, or a token without life left."""
    AUTH_MODE = "auth_mode"
    """The endpoint's auth mode is not the one this run measures."""
    AGENT = "agent"
    """The credential agent died or could not be started."""
    NO_ROOM = "no_room"
    """This machine has no room for the agent: descriptors, processes, memory."""
    DENIED = "denied"
    """The endpoint refused a credential right after it was renewed."""
    REFUSED = "refused"
    """The endpoint refuses a static secret, which nothing can renew."""
    CLOSED = "closed"
    UNEXPECTED = "unexpected"


_PASSING = {FailureKind.THROTTLED, FailureKind.UNAVAILABLE, FailureKind.TIMED_OUT, FailureKind.AGENT}
_TRY_AGAIN = re.compile(r"again after '(\d+)' seconds")
_LONG_WORD = re.compile(r"(?<![\w+/=.~-])(?!/subscriptions/|Microsoft\.|//sts\.windows\.net/|//login\.)[\w+/=.~-]{40,}")
_LONGEST_LINE = 300


class Denied(CredentialError):
    """The endpoint refuses a credential that renewing does not cure: a role, the audience or the wrong endpoint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One failed attempt. `retry_after_s` is what the server asked for, None when it did not.

    `temporary`: of an identity failure, that asking again may help.
    """

    kind: FailureKind
    message: str
    hint: str = ""
    action: str = ""
    retry_after_s: float | None = None
    temporary: bool = False

    @property
    def may_pass(self) -> bool:
        """Whether it is worth asking again before the run has begun."""
        return self.temporary or self.kind in _PASSING

    def error(self) -> BenchError:
        """A new exception that says this: exit 2 for a name that does not exist, 4 for this machine's own, else 3."""
        if self.kind is FailureKind.NOT_FOUND:
            return UsageError(self.message, hint=self.hint)
        if self.kind is FailureKind.NO_ROOM:
            return RunInvalid(self.message, hint=self.hint)
        if self.kind is FailureKind.PERMISSION:
            return PermissionMissing(self.message, action=self.action, hint=self.hint)
        if self.kind is FailureKind.DENIED:
            return Denied(self.message, hint=self.hint)
        return CredentialError(self.message, hint=self.hint)

    def as_json(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "kind": self.kind.value}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The inverse of `as_json`."""
        return cls(**{**values, "kind": FailureKind(values["kind"])})


def retry_after_s(headers: Mapping[str, Any], text: str) -> float | None:
    """What a server asks for: Retry-After in seconds, Azure's two in milliseconds, or ARM's sentence about it."""
    for name, unit_s in (("retry-after-ms", 0.001), ("x-ms-retry-after-ms", 0.001), ("Retry-After", 1.0)):
        try:
            return float(headers[name]) * unit_s
        except (KeyError, ValueError):
            continue
    found = _TRY_AGAIN.search(text)
    return float(found.group(1)) if found else None


def safe_line(text: str) -> str:
    """Foreign text on one short line, with whatever could be a key or token blotted out."""
    return _LONG_WORD.sub("***", " ".join(text.split()))[:_LONGEST_LINE]
