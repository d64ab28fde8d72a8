"""The errors a user can meet, each carrying its exit code and a hint. Pure; imports nobody.

    BenchError                exit 1    anything else
     ├ UsageError             exit 2    bad option, payload, folder or gate expression; unknown endpoint
     ├ CredentialError        exit 3    no key or token could be had
     │  ├ PermissionMissing             the principal lacks a role action (named)
     │  └ credentials.Denied            the endpoint refuses what renewing does not cure
     ├ RunInvalid             exit 4    the run cannot be believed, is incomplete or never reached its target
     ├ GateFailed             exit 10
     └ GateInconclusive       exit 11   a gate straddles its threshold, or has no data

Whoever catches one prints `describe()` on one line and exits with `exit_code`; nothing else is shown.
No message may ever hold a secret.
"""

from __future__ import annotations

EXIT_CODES = (1, 2, 3, 4, 10, 11, 0)
"""Every exit code there is. Where several hold, the first of them wins."""


def first_of(*codes: int) -> int:
    """The exit code of a command for which all of `codes` hold; one that is in no table counts as 1."""
    return min((code if code in EXIT_CODES else 1 for code in codes), key=EXIT_CODES.index)


class BenchError(Exception):
    """Base of everything the harness raises on purpose.

    `message` says what is wrong and where; `hint` says what to do next.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def describe(self) -> str:
        """One line: what is wrong, where, and what to do."""
        line = self.message if not self.hint else f"{self.message} ({self.hint})"
        return " ".join(line.split())


class UsageError(BenchError):
    """An option, file or name the user gave cannot be used."""

    exit_code = 2


class CredentialError(BenchError):
    """No key or token could be had from the control plane."""

    exit_code = 3


class PermissionMissing(CredentialError):
    """ARM answered 403: the principal lacks `action`."""

    def __init__(self, message: str, *, action: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.action = action


class RunInvalid(BenchError):
    """The run is incomplete, cannot be believed, or never reached its target."""

    exit_code = 4


class GateFailed(BenchError):
    """A gate's whole interval lies beyond its threshold."""

    exit_code = 10


class GateInconclusive(BenchError):
    """A gate straddles its threshold, or there is nothing to judge."""

    exit_code = 11
