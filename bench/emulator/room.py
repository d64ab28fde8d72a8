"""What a machine may lack for the emulator, in words; and all the descriptors that it may have. Edge: limits."""

from __future__ import annotations

import errno
import os
import resource
from contextlib import ExitStack

_FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
_LACKED = {
    errno.EMFILE: "out of file descriptors (raise `ulimit -n`)",
    errno.ENFILE: "this machine is out of file descriptors (end other processes, or raise fs.file-max)",
    errno.EAGAIN: "no further process or thread can be started (raise `ulimit -u`)",
    errno.ENOMEM: "this machine is out of memory",
    errno.EADDRNOTAVAIL: "no local port is free",
}
_FEWEST_CONNECTIONS = 32
"""An emulator that has room for fewer would look like a target in trouble."""
_NO_TEMPORARY_FOLDER = "temporary directory"
"""What `tempfile` says, in the midst of it, when it has tried every folder it knows."""


def lacking(exc: OSError) -> str:
    """What the machine has no room for, where that is what `exc` says; else empty."""
    if exc.errno in _FULL_DISK:
        return f"{exc.filename or 'a file'}: {exc.strerror}"
    if _NO_TEMPORARY_FOLDER in str(exc):
        return "no temporary file can be written (set TMPDIR to a folder with room)"
    return _LACKED.get(exc.errno or 0, "")


def take_descriptors() -> None:
    """Let this process open as many as it ever may: each connection of a client takes one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError):  # macOS takes no more than its own maximum, whatever it said of the hard limit
            return


def have_descriptors() -> None:
    """OSError where the first clients would find none left."""
    with ExitStack() as tried:
        for _ in range(_FEWEST_CONNECTIONS):
            tried.callback(os.close, os.open(os.devnull, os.O_RDONLY))
