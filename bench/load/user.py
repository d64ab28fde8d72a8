"""The user that Locust runs. Edge: the only way into this room from a locustfile.

    from bench.load.user import ScoringUser

    class KeyUser(ScoringUser):
        auth_modes = ("key",)

Importing it makes Locust load the harness (`locust_plugin`): its options, and a `Session` in each Locust process.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping
from typing import Any

import gevent
from gevent.event import Event
from locust import User
from locust.exception import InterruptTaskSet, RescheduleTask, StopUser
from locust.user.task import LOCUST_STATE_RUNNING, LOCUST_STATE_STOPPING, LOCUST_STATE_WAITING

from bench.load.engine.task_run import TaskAnswer, TaskRun
from bench.load.roles import locust_plugin
from bench.process import supervise

log = logging.getLogger(__name__)

_POLL_S = 0.02


def _serve(user: Any) -> None:
    """The task of a ScoringUser without tasks of its own: Locust calls it once."""
    user.serve()


class ScoringUser(User):
    """Sends scoring requests with the shared credential manager, in the open or the closed model.

    `auth_modes` are the variants it measures when `--auth-mode` says nothing else; more than one are interleaved. None
    means the endpoint's own.
    Set Locust's `wait_time` to have users of the closed model pause between requests. With @task methods each arrival
    runs one of them, and they send what they like by `self.score(...)`.
    """

    abstract = True
    host = "the endpoint's own"  # Locust's form asks for one; the scoring URI comes from the target
    auth_modes: tuple[str, ...] = ("key",)
    tasks: list[Any]
    wait_time: Any = None  # Locust's own default waits for 0 s, which costs 5 % of a saturated run's CPU

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self._authored = [one for one in type(self).tasks if one is not _serve]
        self._task_run: TaskRun | None = None
        self._before: TaskRun | None = None
        self._served = False
        self.tasks = [_serve]  # Locust's one; it runs the author's, an arrival each

    def __init_subclass__(cls, **arguments: Any) -> None:
        """Tasks of the author's own take the place of the built-in one."""
        super().__init_subclass__(**arguments)
        authored = [one for one in cls.tasks if one is not _serve]
        cls.tasks = authored or [_serve]

    def score(
        self,
        body: Any,
        *,
        name: str = "",
        content_type: str = "",
        path: str = "",
        method: str = "",
        headers: Mapping[str, str] | None = None,
        catch_response: bool = False,
    ) -> TaskAnswer:
        """Send one request from a @task and wait for its answer; what cannot be sent raises UsageError.

        In `on_start` it waits for the run's clock, and its sample is of the warm-up: in no figure, unless
        `--warm-up auto` finds that all was settled by then.

        `body`: bytes and text go as they are, anything else as JSON. `name` is the request's class in every figure.
        `catch_response` is for habit: every answer may be failed, and may be used in a `with`.
        """
        del catch_response
        task_run = self._task_run or self._before_serving()
        return task_run.score(body, name=name, content_type=content_type, path=path, method=method, headers=headers)

    def _before_serving(self) -> TaskRun:
        """The requests of on_start: sent once the clock has started, and of no figure."""
        if self._served:
            raise RuntimeError("score() works within a @task and in on_start; in on_stop the run is over")
        if self._before is None:
            self._state = LOCUST_STATE_WAITING
            found = self._sender().before_serving(self)
            if found is None:
                raise StopUser
            scorer, lane = found
            self._before = TaskRun(scorer, self._run_a_task)
            self._before.begin(lane)
        if not self.working():
            raise StopUser
        return self._before

    def _end_before(self) -> None:
        before, self._before = self._before, None
        if before is not None:
            before.end()

    def _sender(self) -> Any:
        """Whoever sends in this process, once the target is found and the leases are fetched."""
        session = locust_plugin.sessions[self.environment]
        while (sender := session.sender) is None:
            gevent.sleep(_POLL_S)
        return sender

    def run(self) -> None:
        """As Locust's, and a user that died in its on_start leaves its place."""
        try:
            super().run()
        finally:
            self._end_before()
            sender = locust_plugin.sessions[self.environment].sender
            if sender is not None:
                sender.leave(self)

    def sending(self, scorer: Any) -> Callable[..., bool]:
        """What an arrival does: send the run's next request, or run one of the author's tasks."""
        if not self._authored:
            send: Callable[..., bool] = scorer.score
            return send
        self._task_run = TaskRun(scorer, self._run_a_task)
        return self._task_run.perform

    def _run_a_task(self) -> None:
        """A task that breaks is reported to Locust, as Locust itself does, and the next arrival runs the next one."""
        try:
            random.choice(self._authored)(self)  # noqa: S311 - a load test's mix
        except (RescheduleTask, InterruptTaskSet):
            return
        except StopUser:
            raise
        except Exception as exc:
            log.exception("a task failed")
            self.environment.events.user_error.fire(user_instance=self, exception=exc, tb=exc.__traceback__)

    def serve(self) -> None:
        """Serve arrivals until the run is over, then wait to be stopped."""
        self._served = True
        self._end_before()
        self._state = LOCUST_STATE_WAITING
        sender = self._sender()
        try:
            sender.serve(self, users=locust_plugin.sessions[self.environment].wanted_users)
        except StopUser:
            raise
        except Exception as exc:
            if not supervise.failed("a user", exc):
                raise
        finally:
            self._task_run = None
        self._state = LOCUST_STATE_WAITING
        Event().wait()

    def stop(self, force: bool = False) -> bool:
        """Locust ends this user, as when it moves users to a new worker; the greenlet dies a moment later."""
        sender = locust_plugin.sessions[self.environment].sender
        if sender is not None:
            sender.withdraw(self.greenlet)
        return bool(super().stop(force=force))

    def waiting(self) -> None:
        """Nothing is under way: Locust may end this user at once."""
        if self._state == LOCUST_STATE_STOPPING:
            raise StopUser
        self._state = LOCUST_STATE_WAITING

    def working(self) -> bool:
        """A request begins: Locust must let it finish. False when the user is to stop instead."""
        if self._state == LOCUST_STATE_STOPPING:
            return False
        self._state = LOCUST_STATE_RUNNING
        return True


ScoringUser.tasks = [_serve]
locust_plugin.install(ScoringUser)
