"""What the machine lacks is neither a bug nor a mistake in options: one line, exit code 4."""

from __future__ import annotations

import errno
import os

import pytest

from bench import cli
from bench.errors import RunInvalid, UsageError, expected, unwritable

ROOM = {
    errno.ENOSPC: "x.json cannot be written: No space left on device (make room)",
    errno.EDQUOT: "x.json cannot be written: ",
    errno.EFBIG: "x.json cannot be written: File too large (make room)",
    errno.EROFS: "x.json cannot be written: Read-only file system (choose a folder that can be written)",
    errno.EMFILE: "this process is out of file descriptors (raise `ulimit -n`)",
    errno.ENFILE: "this machine is out of file descriptors",
    errno.EAGAIN: "no further process can be started",
    errno.ENOMEM: "this machine is out of memory",
    errno.EADDRNOTAVAIL: "no local port is free",
    errno.EADDRINUSE: "no local port is free",
}
BUGS = (
    OSError(errno.EBADF, "Bad file descriptor"),
    OSError("what?"),
    ValueError("x"),
    PermissionError(errno.EACCES, ""),
)


@pytest.mark.parametrize("number", ROOM)
def test_what_a_machine_lacks(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Whichever command meets it."""

    def command() -> int:
        raise OSError(number, os.strerror(number), "x.json")

    assert cli._guarded(command) == 4
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {ROOM[number]}")
    assert isinstance(unwritable("cannot write x", OSError(number, "why"), hint="h"), RunInvalid)


def test_memory(capsys: pytest.CaptureFixture[str]) -> None:
    """Python says it in an exception of its own."""

    def command() -> int:
        raise MemoryError

    assert cli._guarded(command) == 4
    assert capsys.readouterr().err == "error: this machine is out of memory (end other processes)\n"


@pytest.mark.parametrize("bug", BUGS)
def test_a_bug_stays_one(bug: Exception) -> None:
    """Its traceback is wanted."""
    assert expected(bug) is None
    with pytest.raises(type(bug)):
        cli._guarded(lambda: (_ for _ in ()).throw(bug))


def test_what_is_meant_to_be_said() -> None:
    """An error of this tool's own is what it is, and a folder that may not be written to was a wrong choice."""
    own = UsageError("no")
    assert expected(own) is own
    denied = unwritable("cannot write x", PermissionError(errno.EACCES, "Permission denied"), hint="choose another")
    assert (denied.exit_code, denied.describe()) == (2, "cannot write x: Permission denied (choose another)")
