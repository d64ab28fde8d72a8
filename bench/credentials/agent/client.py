"""The credential agent as greenlets use it: many questions at a time, none blocks the hub. Edge: gevent, one process.

Works whether or not the process is
monkey-patched: it waits for the pipe on gevent's hub and leaves `subprocess`, `threading` and `select` alone. An agent
that dies is replaced at once (with back-off when it never came up), so that it is warm again when it is needed. After a
fork the child starts an agent of its own.
"""

from __future__ import annotations

import contextlib
import itertools
import random
from collections.abc import Callable
from typing import Any

import gevent
from gevent.event import AsyncResult, Event
from gevent.socket import wait_read

from bench.credentials.agent.calls import (
    START_DEADLINE_S,
    AgentCalls,
    cannot_start,
    died,
    hung,
    parse_reply,
)
from bench.credentials.agent.process import AgentProcess
from bench.credentials.backoff import next_delay_s
from bench.credentials.failure import Failure
from bench.process import supervise

_RESTART_BASE_S = 0.2
_RESTART_CAP_S = 5.0


class Agent(AgentCalls):
    """The agent of one workspace, shared by all sources of the process. Started by the first question."""

    _running: _Running | None = None
    _restart_delay_s = 0.0

    def ask(self, op: str, **parameters: str | bool | None) -> dict[str, Any] | Failure:
        try:
            running = self._started()
        except OSError as exc:
            return cannot_start(exc)
        if not running.ready.wait(START_DEADLINE_S):
            running.fail(hung(START_DEADLINE_S))
        return running.ask({"op": op, **parameters}, self._call_deadline_s)

    def close(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            running.close()

    def _started(self) -> _Running:
        """The running agent, or a new one. One that died is of no use even before its reader has replaced it."""
        running = self._running
        if running is None or not running.process.is_ours or (running.has_ended and running.was_ready):
            running = self._running = _Running(AgentProcess(self.workspace, self._env, self.sign_in), self._replace)
        return running

    def _replace(self, dead: _Running) -> None:
        """Called in the reader of a process that ended by itself or was killed for hanging."""
        if dead.was_ready:
            self._restart_delay_s = 0.0
        else:
            self._restart_delay_s = next_delay_s(
                self._restart_delay_s,
                base_s=_RESTART_BASE_S,
                cap_s=_RESTART_CAP_S,
                jitter=random.random(),  # noqa: S311 - spreads restarts
            )
            gevent.sleep(self._restart_delay_s)
        if self._running is dead:
            self._running = None
            with contextlib.suppress(OSError):  # the next question tries again, and says why not
                self._started()


class _Running:
    """One agent process, and the questions it owes an answer."""

    def __init__(self, process: AgentProcess, on_end: Callable[[_Running], None]) -> None:
        self.process = process
        self.ready = Event()
        self.was_ready = False
        self.reader = supervise.start(self._read, on_end, where="the credential agent")
        self._ended: Failure | None = None
        self._ids = itertools.count(1)
        self._pending: dict[int, AsyncResult] = {}

    @property
    def has_ended(self) -> bool:
        """Whether it has died, been killed or been closed."""
        return self._ended is not None

    def ask(self, message: dict[str, Any], deadline_s: float) -> dict[str, Any] | Failure:
        """Send one question and wait for its answer; an agent that exceeds the deadline is killed."""
        number, reply = next(self._ids), AsyncResult()
        if self._ended is not None:
            return self._ended
        self._pending[number] = reply
        try:
            if not self.process.write({"id": number, **message}):
                self.fail(died())
            answer: dict[str, Any] | Failure = reply.get(timeout=deadline_s)
        except gevent.Timeout:
            self.fail(hung(deadline_s))
            return hung(deadline_s)
        finally:
            self._pending.pop(number, None)
        return answer

    def fail(self, failure: Failure) -> None:
        """The process is of no use any more: end it; whoever waits for it gets the failure."""
        if self._ended is None:
            self._ended = failure
            self.process.kill()
            self.ready.set()
            for reply in self._pending.values():
                reply.set(failure)

    def close(self) -> None:
        """End it on purpose: no successor."""
        self.fail(died())
        self.reader.kill()
        self.process.close()

    def _read(self, on_end: Callable[[_Running], None]) -> None:
        while True:
            wait_read(self.process.reading)
            if not self.process.is_ours:
                return  # a fork woke up with its parent's pipe
            if not self._take():
                break
        self.fail(died())
        self.process.close()
        on_end(self)

    def _take(self) -> bool:
        """Hand out what has come; False at the end. Apart from `_read`, whose frame would keep the last secret."""
        messages = self.process.read()
        for message in messages or ():
            self._received(message)
        return messages is not None

    def _received(self, message: dict[str, Any]) -> None:
        if "ready" in message:
            self.was_ready = True
            self.ready.set()
        elif (reply := self._pending.get(message["id"])) is not None:
            reply.set(parse_reply(message))
