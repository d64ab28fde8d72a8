"""A Locust process's hooks: which part it plays, and when. Edge; made by `user`, one a process.

    standalone   leads and takes part        leader + its local crew
    master       leads                       leader + worker crew
    worker       takes part                  follower

Nothing is fetched or opened when the locustfile is imported: Locust forks its `--processes` after that.
"""

from __future__ import annotations

import signal
from typing import Any

import gevent
from locust.runners import MasterRunner, WorkerRunner

from bench.credentials import RelayKey
from bench.endpoint import AuthMode
from bench.load.crew import LocalCrew
from bench.load.follower import Follower
from bench.load.leader import Leader
from bench.load.participant import Participant

_MASTER_SPEAKS_FIRST_S = 2.0
"""A terminal's Ctrl-C reaches master and workers alike; a worker leaves the end to the master, if there is one."""


class Session:
    """This process's view of the runs that one Locust makes, one after the other."""

    def __init__(self, environment: Any, *, default_modes: tuple[AuthMode, ...], relay_key: RelayKey) -> None:
        runner = environment.runner
        self.leader: Leader | None = None
        self.follower: Follower | None = None
        if isinstance(runner, WorkerRunner):
            self.follower = Follower(environment, relay_key)
        else:
            shared_key = relay_key if isinstance(runner, MasterRunner) else None
            self.leader = Leader(environment, default_modes=default_modes, relay_key=shared_key)
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
    def participant(self) -> Participant | None:
        """Whoever sends requests in this process; None in a master, and between runs."""
        if self.follower is not None:
            return self.follower.participant
        assert self.leader is not None  # noqa: S101 - one of the two
        return self.leader.crew.participant if isinstance(self.leader.crew, LocalCrew) else None

    def next_user(self) -> int:
        """A new user's number in this process."""
        self._users += 1
        return self._users - 1

    def _on_interrupt(self) -> None:
        """Ctrl-C: the first ends the run in order, the second ends the process."""
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        if self.leader is not None:
            self.leader.interrupt()
        else:
            gevent.sleep(_MASTER_SPEAKS_FIRST_S)
            self._runner.quit()

    def _on_test_start(self, **_: Any) -> None:
        self._users = 0
        if self.leader is not None:
            self.leader.begin()

    def _on_test_stopping(self, **_: Any) -> None:
        """Users are about to be taken away: arrivals due from here on would have nobody to send them."""
        if self.leader is not None:
            self.leader.cut()
        elif self.participant is not None:
            self.participant.cut()

    def _on_test_stop(self, **_: Any) -> None:
        self._finish_participant()
        if self.leader is not None:
            self.leader.end()

    def _on_quitting(self, **_: Any) -> None:
        self._finish_participant()
        if self.leader is not None:
            self.leader.close(signal=True)
        elif self.follower is not None:
            self.follower.close()

    def _finish_participant(self) -> None:
        if self.follower is not None:
            self.follower.end()
        elif self.leader is not None:
            self.leader.crew.finish()
