"""The children a child leaves behind: awaited, then ended. Edge: processes; Linux only, elsewhere nothing is seen.

A Locust that is killed leaves workers, an agent and an emulator, which end by themselves within 2 s and write until
then. Who reads their files has to wait for that; one that was stopped with SIGSTOP hears nothing and has to be killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36
_PR_GET_CHILD_SUBREAPER = 37
_THEY_END_WITHIN_S = 2.5
_LOOK_EVERY_S = 0.02


class Orphans:
    """The children of children that are started until `see_off`: who is left behind becomes this process's own."""

    def __init__(self) -> None:
        self._inherited_before = _inherits()
        _inherit(True)
        self._others = children_of(os.getpid())

    def kill_below(self, pid: int) -> None:
        """Kill all descendants of `pid`, a stopped one too."""
        for child in children_of(pid):
            self.kill_below(child)
            _kill(child)

    def see_off(self) -> None:
        """Wait until all who were left behind have ended; kill those that do not."""
        began_s = time.monotonic()
        while (left := self._left()) and time.monotonic() - began_s < 2 * _THEY_END_WITHIN_S:
            if time.monotonic() - began_s > _THEY_END_WITHIN_S:
                for pid in left:
                    self.kill_below(pid)
                    _kill(pid)
            time.sleep(_LOOK_EVERY_S)
        _inherit(self._inherited_before)

    def _left(self) -> set[int]:
        """Those that still run; one that has ended is forgotten by the system here."""
        running = set()
        for pid in children_of(os.getpid()) - self._others:
            try:
                ended, _ = os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                continue
            if not ended:
                running.add(pid)
        return running


def _inherits() -> bool:
    """Whether orphans below this process become its children."""
    answer = ctypes.c_int(0)
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None, use_errno=True).prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(answer), 0, 0, 0)
    return bool(answer.value)


def _inherit(orphans: bool) -> None:
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, int(orphans), 0, 0, 0)


def children_of(pid: int) -> set[int]:
    """The processes that `pid` has started, or inherited."""
    found: set[int] = set()
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found |= set(map(int, path.read_text(encoding="ascii").split()))
    return found


def state_of(pid: int) -> str:
    """The kernel's letter for what a process is doing: T when it is stopped. Empty where nobody knows."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return ""


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)
