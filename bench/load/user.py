"""The user that Locust runs. Edge: the only way into this room from a locustfile.

    from bench.load.user import ScoringUser

    class KeyUser(ScoringUser):
        auth_modes = ("key",)

Importing it adds the harness's options to Locust's command line and web form, and a `Session` to each
Locust process. Nothing is fetched or opened before a run starts.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

try:
    import resource
except ImportError:  # Windows, which writes no core files
    resource = None  # type: ignore[assignment]

import gevent
from gevent.event import Event
from locust import TaskSet, User, events
from locust.exception import InterruptTaskSet, RescheduleTask, StopUser
from locust.user.task import LOCUST_STATE_RUNNING, LOCUST_STATE_STOPPING, LOCUST_STATE_WAITING

from bench.credentials import RelayKey
from bench.endpoint import AuthMode
from bench.errors import BenchError, UsageError
from bench.load.engine.task_run import TaskAnswer, TaskRun
from bench.load.roles import (
    locust_children,
    locust_monitor,
    locust_options,
    locust_sockets,
    locust_stats,
    settings_defaults,
)
from bench.load.roles.master import Master
from bench.load.roles.session import Session
from bench.plain_text import write_line
from bench.plan.options import RUN_OPTIONS, WEB_UI_OPTIONS, Repeated
from bench.plan.reading import is_on
from bench.plan.run_plan import DEFAULT_USERS
from bench.process import handover, supervise

log = logging.getLogger(__name__)

_POLL_S = 0.02
_WEB_HOST = "127.0.0.1"
"""Locust's own default is every interface, and no login."""


def _relay_key() -> RelayKey:
    """BENCH_RELAY_KEY, or a new one; one that is no key ends Locust here, where nothing else would say so in a line."""
    try:
        return RelayKey.from_environment(os.environ)
    except BenchError as exc:
        sys.stderr.write(f"error: {exc.describe()}\n")
        sys.exit(exc.exit_code)


_RELAY_KEY = _relay_key()
"""Made before Locust forks its `--processes`, so that they share it; other hosts need BENCH_RELAY_KEY."""


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
        session = _sessions[self.environment]
        while (sender := session.sender) is None:
            gevent.sleep(_POLL_S)
        return sender

    def run(self) -> None:
        """As Locust's, and a user that died in its on_start leaves its place."""
        try:
            super().run()
        finally:
            self._end_before()
            sender = _sessions[self.environment].sender
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
        """A task that breaks is told to Locust, as Locust itself does, and the next arrival runs the next one."""
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
            sender.serve(self, users=_sessions[self.environment].wanted_users)
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
        sender = _sessions[self.environment].sender
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


_sessions: dict[Any, Session] = {}


ScoringUser.tasks = [_serve]
locust_monitor.outlast()
locust_children.outlive()
if handover.taken() is not None:  # all that is going to listen here is forked from this process
    locust_sockets.close_to_others(_RELAY_KEY)


class _Given(argparse.Action):
    """A value, and that somebody gave it."""

    def __call__(self, _: Any, namespace: Any, values: Any, *__: Any) -> None:
        setattr(namespace, self.dest, values)
        setattr(namespace, f"{self.dest}_given", True)


@events.init_command_line_parser.add_listener
def _add_options(parser: Any) -> None:
    """The harness's options, as Locust options; those that a browser may set are on the web UI's form too."""
    parser.set_defaults(num_users=DEFAULT_USERS, spawn_rate=None, web_host=_WEB_HOST)
    handed = handover.taken()
    ours = [option for option in RUN_OPTIONS + WEB_UI_OPTIONS if not option.locust]
    if handed is not None:  # `bench` has read them all, and Locust's command line has none
        parser.set_defaults(**{option.dest: option.default for option in ours} | handed.options)
        return
    found = _from_settings()
    locusts = {
        option.locust: int(found[option.dest]) for option in RUN_OPTIONS if option.locust and found.get(option.dest)
    }
    parser.set_defaults(**locusts)
    for option in ours:
        extra: dict[str, Any] = {"choices": list(option.choices)} if option.choices else {}
        if option.switch:
            extra |= {"action": "store_true", "default": bool(found.get(option.dest))}
        else:
            extra |= {
                "default": found.get(option.dest, option.default),
                "metavar": option.metavar,
                "action": Repeated if option.repeat else _Given,
            }
        parser.add_argument(
            option.flag, env_var=option.env, help=option.help, include_in_web_ui=option.from_browser, **extra
        )


def _from_settings() -> Mapping[str, str | bool]:
    """What the settings file says; one that cannot be understood ends Locust here."""
    try:
        return settings_defaults.defaults(RUN_OPTIONS, sys.argv[1:], os.environ)
    except BenchError as exc:
        write_line(sys.stderr, f"error: {exc.describe()}")
        sys.exit(exc.exit_code)


@events.init.add_listener
def _on_init(environment: Any, web_ui: Any = None, **_: Any) -> None:
    """A session for this process. A master reads its options now, for a mistake to end it at once."""
    if resource is not None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash must not write the lease to disk
    scoring = [cls for cls in environment.user_classes if issubclass(cls, ScoringUser)]
    if not scoring:  # somebody else's users, who only want the options
        if web_ui is not None:
            _guard(web_ui, dict(vars(environment.parsed_options)), None)
        return
    try:
        locust_options.settle(environment, scoring, waits=ScoringUser)
    except BenchError as exc:
        sys.stderr.write(f"error: {exc.describe()}\n")
        sys.exit(exc.exit_code)
    _refuse_task_sets(scoring)
    modes = tuple(AuthMode(mode) for mode in scoring[0].auth_modes)
    session = Session(environment, default_modes=modes, relay_key=_RELAY_KEY)
    _sessions[environment] = session
    locust_stats.refine()
    if session.master is None:
        return
    try:
        _serve_figures(session.master)
        _export_figures(environment, session.master)
        if web_ui is None:
            _serve_live_page(session.master)
            session.master.prepare()
        else:
            _open_web_ui(web_ui, session.master)
    except Exception as exc:  # noqa: BLE001 - Locust would log it, and go on
        error = session.master.told(exc, where="the start")
        write_line(sys.stderr, f"error: {error.describe()}")
        session.master.close(signal=False)
        sys.exit(error.exit_code)


def _serve_figures(master: Master) -> None:
    """To Prometheus, where that was asked for. UsageError for a port that cannot be had."""
    if text := str(master.options.get("prometheus_port") or "").strip():
        from bench.live import prometheus

        if not text.isdecimal() or not 0 < int(text) < 65536:
            raise UsageError(f"--prometheus-port: {text!r} is no port", hint="write 9464")
        prometheus.serve(int(text), master)


def _export_figures(environment: Any, master: Master) -> None:
    """To a collector, where that was asked for. UsageError for what is none."""
    if url := str(master.options.get("otlp_endpoint") or "").strip():
        from bench.live.otlp_export import Export

        export = Export(url, master)
        environment.events.quitting.add_listener(lambda **_: export.finish())


def _serve_live_page(master: Master) -> None:
    """Of a headless run, where that was asked for. UsageError for a port that cannot be had."""
    port = str(master.options.get("live_port") or "").strip()
    if port or is_on(master.options.get("live")):
        from bench.live import headless

        headless.serve(headless.port_of(port), master)


def _open_web_ui(web_ui: Any, master: Master) -> None:
    """The Auth tab, and the guard. Raises BenchError when no run can be started with these options."""
    from bench.live import auth_tab, page

    if not is_on(master.options.get("allow_from_browser")):
        master.check(master.options)
    auth_tab.add(web_ui, master)
    page.add(web_ui, master)
    _guard(web_ui, master.options, master)


def _guard(web_ui: Any, started: Mapping[str, Any], master: Master | None) -> None:
    from bench.live import web_guard

    web_guard.install(web_ui, started, master)


def _refuse_task_sets(classes: Sequence[Any]) -> None:
    """TaskSets have a loop and a clock of their own; here an arrival runs one function."""
    for cls in classes:
        nested = [one.__name__ for one in cls.tasks if isinstance(one, type) and issubclass(one, TaskSet)]
        if nested:
            sys.stderr.write(f"error: {cls.__name__} has the TaskSet {nested[0]} (write its tasks as @task methods)\n")
            sys.exit(UsageError.exit_code)
