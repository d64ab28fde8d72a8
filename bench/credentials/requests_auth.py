"""The shared credential for `requests`: Locust's HttpUser, or any session. The only file that imports requests.

    session.auth = RequestsAuth(manager)

Who calls it: anybody's locustfile. Locust must be imported before this is (it patches what requests builds on).
"""

from __future__ import annotations

from functools import partial
from typing import Any

from requests import PreparedRequest, Response
from requests.auth import AuthBase

from bench.credentials.lease import Lease
from bench.credentials.manager import DEFAULT_TIMEOUT_S, CredentialManager
from bench.errors import BenchError

_UNAUTHORIZED = 401


class RequestsAuth(AuthBase):
    """Signs each request with the manager's lease and replays one that got a 401, once, with a newer lease.

    BenchError from `session.get` and the like when no lease could be had within `timeout_s`. A 401 that no newer
    lease cures is handed to the caller as it came; so is the 401 to a body that cannot be sent twice.
    """

    def __init__(self, manager: CredentialManager, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> None:
        self._manager = manager
        self._timeout_s = timeout_s

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        lease = self._manager.lease(self._timeout_s)
        request.headers.update(lease.headers)
        request.register_hook("response", partial(self._replayed, lease))
        return request

    def _replayed(self, lease: Lease, response: Response, **options: Any) -> Response:
        """requests' response hook: the answer to the replay, or the response itself."""
        request = response.request
        ours = request.headers.get("Authorization") == lease.headers["Authorization"]  # gone after a foreign redirect
        if response.status_code != _UNAUTHORIZED or not ours:
            return response
        try:
            newer = self._manager.refused(lease, status=_UNAUTHORIZED, timeout_s=self._timeout_s)
        except BenchError:
            return response
        if not isinstance(request.body, bytes | str | None):
            return response
        _ = response.content  # the connection is free for the replay once the answer is read
        response.close()
        again = request.copy()
        again.headers.update(newer.headers)
        answer: Response = response.connection.send(again, **options)
        answer.request = again
        answer.history.append(response)
        return answer
