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

import errno

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


_FULL_DISK = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "make room"),
    errno.EROFS: "choose a folder that can be written",
}
_LACKED = {
    errno.EMFILE: ("this process is out of file descriptors", "raise `ulimit -n`"),
    errno.ENFILE: ("this machine is out of file descriptors", "end other processes, or raise fs.file-max"),
    errno.EAGAIN: ("no further process can be started", "end other processes, or raise `ulimit -u`"),
    errno.ENOMEM: ("this machine is out of memory", "end other processes"),
    **dict.fromkeys(
        (errno.EADDRINUSE, errno.EADDRNOTAVAIL),
        ("no local port is free", "wait a minute, or widen /proc/sys/net/ipv4/ip_local_port_range"),
    ),
}
_NO_TEMPORARY_FOLDER = "No usable temporary directory"
"""How `tempfile` begins when it has tried every folder it knows."""


def lacking(exc: OSError) -> RunInvalid | None:
    """What this machine lacks, where that is what `exc` says: no bug of this tool, and no mistake in its options."""
    if exc.errno in _FULL_DISK:
        return RunInvalid(f"{exc.filename or 'a file'} cannot be written: {exc.strerror}", hint=_FULL_DISK[exc.errno])
    if exc.errno in _LACKED:
        what, hint = _LACKED[exc.errno]
        return RunInvalid(what, hint=hint)
    if _NO_TEMPORARY_FOLDER in str(exc):
        return no_temporary_file(exc)
    return None


def expected(exc: BaseException) -> BenchError | None:
    """What may be said of `exc` in one line. None where it is a bug."""
    if isinstance(exc, MemoryError):
        exc = OSError(errno.ENOMEM, "")
    return lacking(exc) if isinstance(exc, OSError) else exc if isinstance(exc, BenchError) else None


def unwritable(said: str, exc: OSError, *, hint: str) -> BenchError:
    """The error that says so: the machine has no room for it, or the file or folder was a wrong choice."""
    kind = UsageError if lacking(exc) is None else RunInvalid
    return kind(f"{said}: {exc.strerror or exc}", hint=hint)


def no_temporary_file(exc: OSError) -> RunInvalid:
    """None can be made, in no folder that there is for them."""
    return RunInvalid(
        f"no temporary file can be written: {exc.strerror or exc}", hint="set TMPDIR to a folder with room"
    )
