"""The agent as its parent sees it: started, written to, read from, killed. Plain Python; it never waits.

The two clients do the waiting, each in its own way (gevent's hub or select). It may touch one
child process and two pipes. `posix_spawn` keeps clear of the `subprocess` module, which gevent replaces in a patched
parent.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.credentials.agent.environment import needed_to_sign_in
from bench.endpoint import SignIn, Workspace
from bench.plan.options import without_secrets
from bench.process import lifeline

CONNECTION_TIMEOUT_S = 3.0
READ_TIMEOUT_S = 5.0
_CHUNK = 65536


class AgentProcess:
    """A running agent. `reading` and `writing` are non-blocking pipe ends, closed on exec.

    OSError where the system does not let it start; nothing is left open then.
    """

    def __init__(self, workspace: Workspace, env: Mapping[str, str], sign_in: SignIn) -> None:
        command = [sys.executable, "-P", "-m", "bench.credentials.agent"]
        with contextlib.ExitStack() as ours, contextlib.ExitStack() as its:
            agent_reads, self.writing = os.pipe()
            its.callback(os.close, agent_reads)
            ours.callback(os.close, self.writing)
            self.reading, agent_writes = os.pipe()
            its.callback(os.close, agent_writes)
            ours.callback(os.close, self.reading)
            self.pid = _spawn(command, _environment(env), reads=agent_reads, writes=agent_writes)
            ours.pop_all()
        self._pidfd = _pidfd(self.pid)
        os.set_blocking(self.reading, False)
        os.set_blocking(self.writing, False)
        self._parent = os.getpid()
        self._partial = b""
        self._closed = False
        self.write(
            {
                "life": lifeline.terms(),
                "workspace": dataclasses.asdict(workspace),
                "sign_in": dataclasses.asdict(sign_in),
                "connection_timeout_s": CONNECTION_TIMEOUT_S,
                "read_timeout_s": READ_TIMEOUT_S,
            }
        )

    def write(self, message: dict[str, Any]) -> bool:
        """Hand one message over; False when the agent is dead or its pipe full. Short ones are written whole or not."""
        try:
            return os.write(self.writing, json.dumps(message).encode() + b"\n") > 0
        except (BrokenPipeError, BlockingIOError):
            return False

    def read(self) -> list[dict[str, Any]] | None:
        """The whole messages that have come; none when there is nothing to read, None when the agent has ended."""
        try:
            data = os.read(self.reading, _CHUNK)
        except BlockingIOError:
            return []
        if not data:
            return None
        *lines, self._partial = (self._partial + data).split(b"\n")
        return [json.loads(line) for line in lines]

    def kill(self) -> None:
        """End it at once. Its pipes stay open until `close`, for a reader may be waiting on one."""
        if self.is_ours and not self._closed:
            _kill(self.pid, self._pidfd)

    def close(self) -> None:
        """Kill it, let go of the pipes and, unless somebody else has, of the dead process."""
        if self._closed:
            return
        self.kill()
        self._closed = True
        for fd in (self.writing, self.reading, self._pidfd):
            if fd is not None:
                os.close(fd)
        if self.is_ours:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self.pid, 0)

    @property
    def is_ours(self) -> bool:
        """False in a fork of the process that started it: two readers of one pipe would steal each other's replies."""
        return os.getpid() == self._parent


def _spawn(command: list[str], environment: dict[str, str], *, reads: int, writes: int) -> int:
    """Start `command` on two pipe ends, in a process group of its own; the child's number.

    Ctrl-C reaches the whole group of a terminal, and the parent decides when the agent ends.
    """
    if hasattr(os, "posix_spawn"):
        pipes = [(os.POSIX_SPAWN_DUP2, reads, 0), (os.POSIX_SPAWN_DUP2, writes, 1)]
        return os.posix_spawn(command[0], command, environment, setpgroup=0, file_actions=pipes)
    if pid := os.fork():
        return pid
    try:
        os.setpgid(0, 0)
        os.dup2(reads, 0)
        os.dup2(writes, 1)
        os.execve(command[0], command, environment)
    finally:
        os._exit(127)


def _pidfd(pid: int) -> int | None:
    """A hold on a child whose number may be given to somebody else once it is reaped; None where there is none."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None


def _kill(pid: int, pidfd: int | None) -> None:
    with contextlib.suppress(ProcessLookupError, ChildProcessError):
        if pidfd is not None:
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        elif os.waitpid(pid, os.WNOHANG) == (0, 0):  # still this process's child, and running
            os.kill(pid, signal.SIGKILL)


def _environment(env: Mapping[str, str]) -> dict[str, str]:
    """What signing in may need, and `env`; `bench` is found wherever we found it."""
    home, theirs = str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")
    kept = without_secrets({**needed_to_sign_in(os.environ), **env})
    return {**kept, "PYTHONPATH": os.pathsep.join(filter(None, (home, theirs)))}
