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

from bench.endpoint import Workspace
from bench.options import without_secrets

CONNECTION_TIMEOUT_S = 3.0
READ_TIMEOUT_S = 5.0
_CHUNK = 65536


class AgentProcess:
    """A running agent. `reading` and `writing` are non-blocking pipe ends, closed on exec."""

    def __init__(self, workspace: Workspace, env: Mapping[str, str]) -> None:
        agent_reads, self.writing = os.pipe()
        self.reading, agent_writes = os.pipe()
        try:
            self.pid = os.posix_spawn(
                sys.executable,
                [sys.executable, "-P", "-m", "bench.credentials.agent"],
                _environment(env),
                setpgroup=0,  # Ctrl-C reaches the whole terminal group; the parent decides when the agent ends
                file_actions=[(os.POSIX_SPAWN_DUP2, agent_reads, 0), (os.POSIX_SPAWN_DUP2, agent_writes, 1)],
            )
        finally:
            os.close(agent_reads)
            os.close(agent_writes)
        self._pidfd = os.pidfd_open(self.pid)  # a pid may have been reaped by gevent and given to somebody else
        os.set_blocking(self.reading, False)
        os.set_blocking(self.writing, False)
        self._parent = os.getpid()
        self._partial = b""
        self._closed = False
        self.write(
            {
                "parent": self._parent,
                "workspace": dataclasses.asdict(workspace),
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
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def close(self) -> None:
        """Kill it, let go of the pipes and, unless somebody else has, of the dead process."""
        if self._closed:
            return
        self.kill()
        self._closed = True
        for fd in (self.writing, self.reading, self._pidfd):
            os.close(fd)
        if self.is_ours:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self.pid, 0)

    @property
    def is_ours(self) -> bool:
        """False in a fork of the process that started it: two readers of one pipe would steal each other's replies."""
        return os.getpid() == self._parent


def _environment(env: Mapping[str, str]) -> dict[str, str]:
    """What azure-identity may need, without the harness's own secrets; `bench` is found wherever we found it."""
    kept = without_secrets({**os.environ, **env})
    home = str(Path(__file__).parents[3])
    return {**kept, "PYTHONPATH": os.pathsep.join(filter(None, (home, kept.get("PYTHONPATH", ""))))}
