"""The end of the process that started the emulator, for `--die-with-parent`. Edge: one system call.

The server also looks at its parent's number itself, which is all there is beyond Linux.
"""

from __future__ import annotations

import ctypes
import signal

_PR_SET_PDEATHSIG = 1


def signal_its_death() -> None:
    """Have the system say so with TERM when the parent ends.

    Linux says so when the thread ends that forked this process: who gives `--die-with-parent` starts it from a thread
    that lives as long.
    """
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    except (AttributeError, OSError):
        return
