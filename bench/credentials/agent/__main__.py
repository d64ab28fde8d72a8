"""The credential agent: a process of its own that holds the Azure SDK. `python -m bench.credentials.agent`.

It is asked over stdin and stdout, one JSON object a line; it is of no use by hand. It may touch the
network and nothing else: no file, no port, no log. It ends with its parent: at the end of stdin, and by a signal of the
system's.

    -> {"life": {"parent": 4711, ...}, "workspace": {...}, "sign_in": {...},
        "connection_timeout_s": 3, "read_timeout_s": 5}                         first
    <- {"ready": true}                                                          the SDK is imported (it takes seconds)
    -> {"id": 1, "op": "fetch", "endpoint": "e", "auth_mode": "key"}
    <- {"id": 1, "answer": {...}}  or  {"id": 1, "failure": {...}}              in order of completion, not of asking

Operations: describe, fetch, regenerate, principal, arm_token, ping. A few threads serve them, so that one that hangs
holds up no other. Secrets travel through the pipe and are in no message about a failure.
"""

from __future__ import annotations

import contextlib
import gc
import json
import logging
import os
import resource
import signal
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from bench.credentials.failure import Failure, FailureKind
from bench.credentials.lease import Grant
from bench.endpoint import AuthMode, Endpoint, SignIn, Workspace
from bench.errors import UsageError
from bench.process import lifeline

if TYPE_CHECKING:
    from bench.credentials.agent.control_plane import ControlPlane

_THREADS = 4


def main() -> None:
    """Serve until stdin ends."""
    replies = _Replies()
    _keep_quiet()
    os.environ.pop("PYTHONPATH", None)  # it was for us; `az` is another Python's program
    first = json.loads(sys.stdin.readline() or "{}")
    if not first or not lifeline.follow(first["life"], number=signal.SIGKILL):
        return  # the parent was gone before that
    control_plane = _connected(first)
    replies.send({"ready": True})
    pool = ThreadPoolExecutor(max_workers=_THREADS)
    for line in sys.stdin:
        pool.submit(_serve, control_plane, json.loads(line), replies)
    os._exit(0)  # a hanging thread must not keep an orphan alive


def _serve(control_plane: ControlPlane | Failure, request: dict[str, Any], replies: _Replies) -> None:
    try:
        answer = _answer(control_plane, request)
    except Exception as exc:  # noqa: BLE001 - every request gets its reply
        answer = Failure(kind=FailureKind.UNEXPECTED, message=f"the credential agent broke: {type(exc).__name__}")
    if isinstance(answer, Failure):
        replies.send({"id": request["id"], "failure": answer.as_json()})
    else:
        replies.send({"id": request["id"], "answer": answer})


def _answer(control_plane: ControlPlane | Failure, request: dict[str, Any]) -> dict[str, Any] | Failure:
    if isinstance(control_plane, Failure):
        return control_plane
    match request["op"]:
        case "fetch":
            wanted = request["auth_mode"]
            mode = AuthMode(wanted) if wanted else None
            fetched = control_plane.fetch(request["endpoint"], mode, reads=request.get("reads", True))
            return fetched.as_json() if isinstance(fetched, Grant) else fetched
        case "describe":
            described = control_plane.describe(request["endpoint"])
            return described.as_json() if isinstance(described, Endpoint) else described
        case "regenerate":
            return control_plane.regenerate(request["endpoint"], request["key"])
        case "principal":
            return control_plane.principal()
        case "arm_token":
            return control_plane.arm_token()
        case _:
            return {}


def _connected(config: dict[str, Any]) -> ControlPlane | Failure:
    """What is wrong with the sign-in's own options is the answer to everything."""
    try:
        return _connect(config)
    except UsageError as exc:
        return Failure(kind=FailureKind.NOT_FOUND, message=exc.message, hint=exc.hint)


def _connect(config: dict[str, Any]) -> ControlPlane:
    gc.disable()  # while the SDK is imported, nothing of it is garbage: looking for some takes a fifth of a second
    from bench.credentials.agent.control_plane import ControlPlane

    gc.freeze()
    gc.enable()
    return ControlPlane(
        Workspace(**config["workspace"]),
        sign_in=SignIn(**config["sign_in"]),
        connection_timeout_s=config["connection_timeout_s"],
        read_timeout_s=config["read_timeout_s"],
    )


class _Replies:
    """The pipe to the parent, one whole line at a time from whatever thread."""

    def __init__(self) -> None:
        """Take stdout; whatever a library prints goes to stderr instead."""
        self._pipe = os.fdopen(os.dup(1), "w", encoding="utf-8")
        self._lock = threading.Lock()
        os.dup2(2, 1)

    def send(self, message: dict[str, Any]) -> None:
        with self._lock, contextlib.suppress(BrokenPipeError):
            self._pipe.write(json.dumps(message) + "\n")
            self._pipe.flush()


def _keep_quiet() -> None:
    """No log, no warning, no core file: nothing that could carry a secret out of here."""
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()
