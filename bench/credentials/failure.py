"""Why no credential could be had, as plain data that crosses pipes, greenlets and hosts. Pure.

A `Failure` is made once where things go wrong (agent, source, policy) and shared by everybody who waited;
each of them raises an exception of its own from it, so that no two greenlets share a traceback.
No field ever holds a secret.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from bench.errors import CredentialError, PermissionMissing


class FailureKind(StrEnum):
    """What went wrong, seen from the one who asked."""

    PERMISSION = "permission"
    """ARM answered 403: the principal lacks `action`."""
    NOT_FOUND = "not_found"
    """ARM knows no such endpoint or workspace."""
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
    DENIED = "denied"
    """The endpoint refused a credential right after it was renewed."""
    CLOSED = "closed"
    UNEXPECTED = "unexpected"


class Denied(CredentialError):
    """The endpoint refuses a credential that renewing does not cure: a role, the audience or the wrong endpoint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One failed attempt. `retry_after_s` is what the server asked for, None when it did not."""

    kind: FailureKind
    message: str
    hint: str = ""
    action: str = ""
    retry_after_s: float | None = None

    def error(self) -> CredentialError:
        """A new exception that says this."""
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
