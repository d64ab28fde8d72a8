"""The credential agent without gevent: one question at a time, from one thread. Edge: one process, two pipes.

For commands that are plain Python, such as `bench doctor`.
"""

from __future__ import annotations

import select
from typing import Any

from bench import clock
from bench.credentials.agent.calls import (
    START_DEADLINE_S,
    AgentCalls,
    cannot_start,
    died,
    hung,
    parse_reply,
)
from bench.credentials.agent.process import AgentProcess
from bench.credentials.failure import Failure
from bench.credentials.lease import NS_PER_S


class PlainAgent(AgentCalls):
    """The agent of one workspace. The first question starts it; one that died or hangs is replaced by the next."""

    _process: AgentProcess | None = None

    def ask(self, op: str, **parameters: str | bool | None) -> dict[str, Any] | Failure:
        if self._process is None:
            try:
                self._process = AgentProcess(self.workspace, self._env, self.sign_in)
            except OSError as exc:
                return cannot_start(exc)
            ready = self._next_message(self._process, START_DEADLINE_S)
            if isinstance(ready, Failure):
                return ready
        if not self._process.write({"id": 1, "op": op, **parameters}):
            self.close()
            return died()
        message = self._next_message(self._process, self._call_deadline_s)
        return message if isinstance(message, Failure) else parse_reply(message)

    def close(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.close()

    def _next_message(self, process: AgentProcess, deadline_s: float) -> dict[str, Any] | Failure:
        """The one message that is due; the agent is closed when it does not come."""
        poll = select.poll()
        poll.register(process.reading, select.POLLIN)
        deadline_ns = clock.monotonic_ns() + int(deadline_s * NS_PER_S)
        while poll.poll(max(0.0, (deadline_ns - clock.monotonic_ns()) / 1e6)):
            messages = process.read()
            if messages is None:
                self.close()
                return died()
            if messages:
                return messages[0]
        self.close()
        return hung(deadline_s)
