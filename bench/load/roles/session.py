"""A Locust process's hooks: which part it plays, and when. Edge.

    standalone   leads and takes part        master + its local senders
    master       leads                       master + worker senders
    worker       takes part                  worker

Nothing is fetched or opened when the locustfile is imported: Locust forks its `--processes` after that.
"""

from __future__ import annotations

from typing import Any

import gevent
from locust.exception import StopTest
from locust.runners import MasterRunner, WorkerRunner

from bench.credentials import RelayKey
from bench.endpoint import AuthMode
from bench.errors import RunInvalid, first_of
from bench.load.roles import locust_messages
from bench.load.roles.endings import Endings, exit_now
from bench.load.roles.locust_options import others_failed
from bench.load.roles.master import Master
from bench.load.roles.sender import Sender
from bench.load.roles.senders import LocalSender
from bench.load.roles.shape import Shapes
from bench.load.roles.worker import Worker
from bench.process import supervise


class Session:
    """This process's view of the runs that one Locust makes, one after the other."""

    def __init__(self, environment: Any, *, default_modes: tuple[AuthMode, ...], relay_key: RelayKey) -> None:
        runner = environment.runner
        supervise.watch_hub()
        locust_messages.harden(runner)
        self.master: Master | None = None
        self.worker: Worker | None = None
        if isinstance(runner, WorkerRunner):
            self.worker = Worker(environment, relay_key, default_modes=default_modes)
        else:
            shared_key = relay_key if isinstance(runner, MasterRunner) else None
            shapes = Shapes(environment, stop=StopTest)
            self.master = Master(
                environment,
                default_modes=default_modes,
                relay_key=shared_key,
                shape=lambda: shapes.chosen,
                make_room=self._make_room,
            )
        self._environment = environment
        self._runner = runner
        self._began = False
        self._over = False
        self._cut_short = False
        # Python would raise KeyboardInterrupt in whatever greenlet runs, which is a user's more often than not
        self._endings = Endings(self._end, is_worker=self.worker is not None)
        events = environment.events
        events.test_start.add_listener(self._on_test_start)
        events.test_stopping.add_listener(self._on_test_stopping)
        events.test_stop.add_listener(self._on_test_stop)
        events.quitting.add_listener(self._on_quitting)

    def _make_room(self, users: int) -> None:
        """In this process, where it sends: workers have their own descriptors."""
        if self.sender is not None:
            self.sender.make_room(users)

    @property
    def sender(self) -> Sender | None:
        """Whoever sends requests in this process; None in a master, and between runs."""
        if self.worker is not None:
            return self.worker.sender
        assert self.master is not None  # noqa: S101 - one of the two
        return self.master.senders.sender if isinstance(self.master.senders, LocalSender) else None

    @property
    def wanted_users(self) -> int:
        """How many Locust wants in this process by now."""
        return int(self._runner.target_user_count)

    def _end(self, *, by_person: bool) -> None:
        """The run ends in order, and Locust with it."""
        if self.master is None:
            self._runner.quit()
            return
        if self._over:
            return
        plan = self.master.plan
        endless = plan is not None and plan.duration_s is None and self._environment.shape_class is None
        self._cut_short = not (by_person and endless)
        if not self._began and self._environment.web_ui is None:
            self.master.close(signal=True)
            exit_now(RunInvalid.exit_code)
        self.master.interrupt("stopped" if by_person and endless else "signal")

    def _on_test_start(self, **_: Any) -> None:
        with supervise.run("the start of the test"):
            self._began = True
            if self.master is not None:
                self.master.begin()

    def _on_test_stopping(self, **_: Any) -> None:
        """Users are about to be taken away: arrivals due from here on would have nobody to send them."""
        with supervise.run("the end of the test"):
            if self.master is not None:
                if gevent.getcurrent() is self._runner.shape_greenlet:
                    self.master.shape_has_ended()
                self.master.cut()
            elif self.sender is not None:
                self.sender.cut()

    def _on_test_stop(self, **_: Any) -> None:
        with supervise.run("the end of the test"):
            if self.worker is not None:
                self.worker.end()
                self._environment.stop_timeout = 0  # Locust's worker sleeps for so long before it is ready again
            elif self.master is not None:
                self.master.end()
                self._over = self._environment.web_ui is None

    def _on_quitting(self, **_: Any) -> None:
        with supervise.run("the end of Locust"):
            if self.worker is not None:
                self.worker.close()
            elif self.master is not None:
                self._close_master(self.master)

    def _close_master(self, master: Master) -> None:
        master.close(signal=True)
        if self._environment.web_ui is None:
            code = self._environment.process_exit_code or 0
            self._environment.process_exit_code = first_of(
                code,
                RunInvalid.exit_code if self._cut_short else 0,
                1 if others_failed(self._environment, master.variants) else 0,
            )
