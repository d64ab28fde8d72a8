"""What Locust gets from this package beside its users: options, a session in each process, live pages. Edge.

The options are on Locust's command line, and those that a browser may set on its web form too. Nothing is fetched or
opened before a run starts.
"""

from __future__ import annotations

import argparse
import functools
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

try:
    import resource
except ImportError:  # Windows, which writes no core files
    resource = None  # type: ignore[assignment]

from locust import TaskSet, events

from bench.credentials import RelayKey
from bench.endpoint import AuthMode
from bench.errors import BenchError, UsageError
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
from bench.process import handover

_WEB_HOST = "127.0.0.1"
"""Locust's own default is every interface, and no login."""

sessions: dict[Any, Session] = {}
"""Of this process, by Locust's environment."""


def _relay_key() -> RelayKey:
    """BENCH_RELAY_KEY, or a new one; one that is no key ends Locust here, where nothing else would say so in a line."""
    try:
        return RelayKey.from_environment(os.environ)
    except BenchError as exc:
        sys.stderr.write(f"error: {exc.describe()}\n")
        sys.exit(exc.exit_code)


_RELAY_KEY = _relay_key()
"""Made before Locust forks its `--processes`, so that they share it; other hosts need BENCH_RELAY_KEY."""


def install(users: type) -> None:
    """Once, before Locust reads its command line; `users` is the class whose subclasses send."""
    locust_monitor.outlast()
    locust_children.outlive()
    if handover.taken() is not None:  # all that is going to listen here is forked from this process
        locust_sockets.close_to_others(_RELAY_KEY)
    events.init_command_line_parser.add_listener(_add_options)
    events.init.add_listener(functools.partial(_on_init, users))


class _Given(argparse.Action):
    """A value, and that somebody gave it."""

    def __call__(self, _: Any, namespace: Any, values: Any, *__: Any) -> None:
        setattr(namespace, self.dest, values)
        setattr(namespace, f"{self.dest}_given", True)


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


def _on_init(users: type, environment: Any, web_ui: Any = None, **_: Any) -> None:
    """A session for this process. A master reads its options now, for a mistake to end it at once."""
    if resource is not None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash must not write the lease to disk
    scoring = [cls for cls in environment.user_classes if issubclass(cls, users)]
    if not scoring:  # somebody else's users, who only want the options
        if web_ui is not None:
            _guard(web_ui, dict(vars(environment.parsed_options)), None)
        return
    try:
        locust_options.settle(environment, scoring, waits=users)
    except BenchError as exc:
        sys.stderr.write(f"error: {exc.describe()}\n")
        sys.exit(exc.exit_code)
    _refuse_task_sets(scoring)
    modes = tuple(AuthMode(mode) for mode in scoring[0].auth_modes)
    session = Session(environment, default_modes=modes, relay_key=_RELAY_KEY)
    sessions[environment] = session
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
        error = session.master.error_of(exc, where="the start")
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
