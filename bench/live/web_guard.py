"""What stands before every route of Locust's web UI. Edge: extends its Flask app.

Locust takes any option from its form, answers to any host name and lets any web page read its answers. Here a run is
started by the web UI's own page or by a program, with the target that Locust was started with (`start_form`), and a
page of another site gets nothing (`origin`).
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any, Protocol

from flask import Response, jsonify, request
from werkzeug.datastructures import ImmutableMultiDict

from bench.errors import BenchError, UsageError
from bench.live import shown_form
from bench.live.origin import WebHosts, is_loopback
from bench.live.start_form import Asked, StartForm
from bench.plan.reading import words_of

log = logging.getLogger(__name__)

_SWARM = "locust.swarm"
_REFUSED = {"locust.update_user": "it would change the users' attributes, their target among them"}
_CHANGING = {_SWARM, "locust.stop", "locust.reset_stats", *_REFUSED}
"""Endpoints that change something, whatever the method with which Locust offers them."""
_READING = {"GET", "HEAD", "OPTIONS"}
_LONGEST = 400
"""Characters of a message, which may quote what was sent."""
_HEADERS = {
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
}


class Starts(Protocol):
    """The part of the run's master that starts runs."""

    options: Mapping[str, Any]

    def check(self, values: Mapping[str, Any]) -> None: ...

    def change(self, options: Mapping[str, Any]) -> None: ...


def install(web_ui: Any, started: Mapping[str, Any], master: Starts | None) -> None:
    """Guard `web_ui`, which has not begun to listen. `master` starts the runs; None when the locustfile's users do."""
    app = web_ui.app
    missing = _CHANGING - app.view_functions.keys()
    if missing:
        raise RuntimeError(f"this Locust's web UI has other routes than the guard knows: {', '.join(sorted(missing))}")
    hosts = WebHosts.of(web_ui.host, words_of(str(started.get("web_allow_host") or "")))
    app.before_request(lambda: refusal(hosts))
    app.view_functions[_SWARM] = web_ui.auth_required_if_enabled(_guarded(web_ui, started, master))
    app.wsgi_app = with_own_headers(app.wsgi_app)
    shown_form.keep(
        web_ui,
        may_set=lambda: _form(web_ui, started).may_set,
        values=lambda: started if master is None else master.options,
    )
    if not is_loopback(web_ui.host) and not web_ui.web_login:
        sys.stderr.write(
            f"warning: the web UI listens on {web_ui.host or 'every interface'} and asks for no login: whoever reaches"
            " it can start and stop load; add --web-login, or leave --web-host out\n"
        )


def refusal(hosts: WebHosts) -> Response | None:
    """Flask's `before_request`: an answer ends the request here."""
    if why := hosts.wrong_host(request.environ.get("HTTP_HOST")):
        return _forbidden(why, hint="name the host with --web-allow-host")
    changes = request.method not in _READING or request.endpoint in _CHANGING
    if why := hosts.wrong_origin(dict(request.headers), changes=changes):
        return _forbidden(why, hint="open the web UI itself")
    if request.endpoint in _REFUSED:
        return _forbidden(_REFUSED[request.endpoint], hint="change the locustfile")
    return None


def _forbidden(why: str, *, hint: str) -> Response:
    log.warning("web UI: refused %s %r from %s: %s", request.method, request.path, request.remote_addr, why)
    return Response(f"refused: {why}; {hint}\n", status=403, mimetype="text/plain")


def _guarded(web_ui: Any, started: Mapping[str, Any], master: Starts | None) -> Callable[[], Any]:
    """Locust's /swarm, which is shown the listed fields only."""
    swarm = web_ui.app.view_functions[_SWARM]

    @wraps(swarm)
    def guarded() -> Any:
        if request.files or (request.mimetype not in {"", "application/x-www-form-urlencoded", "multipart/form-data"}):
            return _not_started("a form is wanted, without files", status=415)
        try:
            asked = _asked(web_ui, started, master)
        except BenchError as exc:
            why = "".join(character if character.isprintable() else " " for character in exc.describe())[:_LONGEST]
            log.warning("web UI: no run was started: %s", why)
            return _not_started(why)
        if master is not None:
            master.options = asked.options
        request.form = ImmutableMultiDict(asked.fields)
        return swarm()

    return guarded


def _asked(web_ui: Any, started: Mapping[str, Any], master: Starts | None) -> Asked:
    """The run that the request asks for. Raises BenchError when it must not, or cannot, be started."""
    fields = {name: request.form.getlist(name) for name in request.form}
    runs = web_ui.environment.runner is not None and web_ui.environment.runner.state in {"spawning", "running"}
    _refuse_without_workers(web_ui.environment.runner)
    if master is None:
        return _form(web_ui, started).read(fields)
    if runs:  # nothing but the load can change: the payload is not read again, which would hold up what is due
        asked = _form(web_ui, started).read(fields, running=master.options)
        master.change(asked.options)
        return asked
    asked = _form(web_ui, started).read(fields)
    master.check(asked.options)
    return asked


def _refuse_without_workers(runner: Any) -> None:
    """A master of nobody would say that it has started: after a loss the worker that is left takes a moment."""
    clients = getattr(runner, "clients", None)
    if clients is not None and not any(
        client.state in {"ready", "spawning", "running"} for client in list(clients.values())
    ):
        raise UsageError("no worker is there to send anything", hint="wait until one has connected")


def _form(web_ui: Any, started: Mapping[str, Any]) -> StartForm:
    environment = web_ui.environment
    return StartForm(
        started=started,
        choices=_choices(web_ui),
        hosts={str(host) for host in (environment.host, *(cls.host for cls in environment.user_classes)) if host},
        authored=web_ui.template_args.get("extra_options", ()),
    )


def _choices(web_ui: Any) -> dict[str, set[str]]:
    """What the class picker offers, when there is one."""
    if not web_ui.userclass_picker_is_active:
        return {}
    environment = web_ui.environment
    return {
        "user_classes": set(environment.available_user_classes or ()),
        "shape_class": {"Default", *(environment.available_shape_classes or ())},
    }


def _not_started(message: str, *, status: int = 200) -> Response:
    """As Locust refuses a number that is none: its page shows the message of an answer with status 200 only."""
    answer = jsonify({"success": False, "message": message})
    answer.status_code = status
    return answer


def with_own_headers(wsgi_app: Callable[..., Any]) -> Callable[..., Any]:
    """Without Locust's CORS headers, which flask_cors adds after every hook of Flask's."""

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            kept = [(name, value) for name, value in headers if not name.lower().startswith("access-control-")]
            present = {name.lower() for name, _ in kept}
            kept += [(name, value) for name, value in _HEADERS.items() if name.lower() not in present]
            return start_response(status, kept, *rest)

        answer: Iterable[bytes] = wsgi_app(environ, start)
        return answer

    return application
