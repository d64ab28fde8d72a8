"""A Locust process's hooks: which part it plays, and when. Edge.

    standalone   leads and takes part        master + its local senders
    master       leads                       master + worker senders
    worker       takes part                  worker

Nothing is fetched or opened when the locustfile is imported: Locust forks its `--processes` after that.
"""

from __future__ import annotations

import signal
from typing import Any

import gevent
from locust.runners import MasterRunner, WorkerRunner

from bench import supervise
from bench.credentials import RelayKey
from bench.endpoint import AuthMode
from bench.load.roles import locust_messages
from bench.load.roles.master import Master
from bench.load.roles.sender import Sender
from bench.load.roles.senders import LocalSender
from bench.load.roles.worker import Worker

_MASTER_SPEAKS_FIRST_S = 2.0
"""A terminal's Ctrl-C reaches master and workers alike; a worker leaves the end to the master, if there is one."""


class Session:
    """This process's view of the runs that one Locust makes, one after the other."""

    def __init__(self, environment: Any, *, default_modes: tuple[AuthMode, ...], relay_key: RelayKey) -> None:
        runner = environment.runner
        supervise.watch_hub()
        locust_messages.harden(runner)
        self.master: Master | None = None
        self.worker: Worker | None = None
        if isinstance(runner, WorkerRunner):
            self.worker = Worker(environment, relay_key)
        else:
            shared_key = relay_key if isinstance(runner, MasterRunner) else None
            self.master = Master(environment, default_modes=default_modes, relay_key=shared_key)
        self._users = 0
        # Python would raise KeyboardInterrupt in whatever greenlet runs, which is a user's more often than not
        gevent.signal_handler(signal.SIGINT, self._on_interrupt)
        self._runner = runner
        events = environment.events
        events.test_start.add_listener(self._on_test_start)
        events.test_stopping.add_listener(self._on_test_stopping)
        events.test_stop.add_listener(self._on_test_stop)
        events.quitting.add_listener(self._on_quitting)

    @property
    def sender(self) -> Sender | None:
        """Whoever sends requests in this process; None in a master, and between runs."""
        if self.worker is not None:
            return self.worker.sender
        assert self.master is not None  # noqa: S101 - one of the two
        return self.master.senders.sender if isinstance(self.master.senders, LocalSender) else None

    def next_user(self) -> int:
        """A new user's number in this process."""
        self._users += 1
        return self._users - 1

    def _on_interrupt(self) -> None:
        """Ctrl-C: the first ends the run in order, the second ends the process."""
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        if self.master is not None:
            self.master.interrupt()
        else:
            gevent.sleep(_MASTER_SPEAKS_FIRST_S)
            self._runner.quit()

    def _on_test_start(self, **_: Any) -> None:
        with supervise.run("the start of the test"):
            self._users = 0
            if self.master is not None:
                self.master.begin()

    def _on_test_stopping(self, **_: Any) -> None:
        """Users are about to be taken away: arrivals due from here on would have nobody to send them."""
        with supervise.run("the end of the test"):
            if self.master is not None:
                self.master.cut()
            elif self.sender is not None:
                self.sender.cut()

    def _on_test_stop(self, **_: Any) -> None:
        with supervise.run("the end of the test"):
            if self.worker is not None:
                self.worker.end()
            elif self.master is not None:
                self.master.end()

    def _on_quitting(self, **_: Any) -> None:
        with supervise.run("the end of Locust"):
            if self.master is not None:
                self.master.close(signal=True)
            elif self.worker is not None:
                self.worker.close()
