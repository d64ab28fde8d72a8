"""Whether another process of this machine lives. Edge: asks the system.

Locust misses a worker after three seconds without a heartbeat; the system knows at once.
"""

from __future__ import annotations

import contextlib
import os
import platform
import signal
from pathlib import Path


def host_id() -> str:
    """The same for all processes of one running machine: they share a monotonic clock."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return platform.node()


def process_space() -> str:
    """The same for all processes whose numbers mean the same."""
    try:
        return f"{host_id()} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return host_id()


def is_alive(pid: int) -> bool:
    """False once it has ended, also if its parent has not asked for its exit code yet."""
    if is_child(pid):
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0]
    except ProcessLookupError:
        return False
    except (OSError, IndexError):
        return True  # another user's, or a system without /proc
    return state not in {"Z", "X"}


def is_child(pid: int) -> bool:
    """Whether it is a child of this process that has not been waited for."""
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except (ChildProcessError, AttributeError):
        return False
    return True


def end_child(pid: int) -> None:
    """Kill a child that does not respond; never another process, whatever number a message named."""
    if is_child(pid):
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
