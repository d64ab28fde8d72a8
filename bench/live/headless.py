"""The live page of a run without Locust's web UI: to look at, and to stop it. Edge: serves on loopback.

GET   what the live page reads (see `page`), but no form: the run is the one that was asked for
POST  /stop   ends the run as `stopped`

It lives as long as the process, which does not wait for browsers.
"""

from __future__ import annotations

import os
import sys
from typing import Any, Protocol

from flask import Flask, Response, redirect
from gevent.pywsgi import WSGIServer

from bench.errors import UsageError
from bench.live import page, web_guard
from bench.live.origin import WebHosts
from bench.plain_text import write_line
from bench.process import supervise

_HOST = "127.0.0.1"
_MOST_BYTES = 1024


class Stopped(page.Watched, Protocol):
    """The part of the run's master that is looked at, and can be stopped."""

    def stop_for_person(self) -> None: ...


def port_of(text: str) -> int:
    """Of `--live-port`; 0, any free one, where nothing is said. UsageError for what is no port."""
    if not text:
        return 0
    if not (text.isascii() and text.isdecimal()) or not 0 < int(text) < 65536:
        raise UsageError(f"--live-port: {text!r} is no port", hint="write 8090, or --live for a free one")
    return int(text)


def serve(port: int, master: Stopped) -> WSGIServer:
    """Listen, and say where on standard error. UsageError when the port cannot be had."""
    server = WSGIServer((_HOST, port), application(master), log=None, error_log=None)
    try:
        server.start()
    except OSError as exc:
        raise UsageError(
            f"--live-port {port} cannot be had: {os.strerror(exc.errno or 0)}", hint="--live takes a free one"
        ) from exc
    write_line(sys.stderr, f"live page: http://{_HOST}:{server.server_port}/bench")
    return server


def application(master: Stopped) -> Any:
    """The page's routes and Stop, behind the web UI's guard."""
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = _MOST_BYTES
    hosts = WebHosts.of(_HOST, ())
    app.before_request(lambda: web_guard.refusal(hosts))
    app.register_blueprint(page.blueprint(page.reading_routes(master, base="")))
    app.add_url_rule("/", "home", lambda: redirect("/bench"))
    app.add_url_rule("/stop", "stop", lambda: _stop(master), methods=["POST"])
    app.wsgi_app = web_guard.with_own_headers(app.wsgi_app)  # type: ignore[method-assign]
    return app


def _stop(master: Stopped) -> Response:
    """Answered first: the end of the run is the end of this page."""
    supervise.start_later(0.1, master.stop_for_person, where="stopping")
    return Response("", status=204)
