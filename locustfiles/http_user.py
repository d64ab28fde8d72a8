"""The credential manager in a locustfile of your own: HttpUser and FastHttpUser that share one lease.

    locust -f locustfiles/http_user.py --endpoint my-endpoint --auth-mode aml_token ...

`--endpoint`, `--subscription-id` and the like come from importing `bench.load.user`; the requests, their
names and their times are Locust's own here, so use `ScoringUser` where a millisecond matters.
"""

from __future__ import annotations

import threading
from functools import cache
from typing import Any

from locust import FastHttpUser, HttpUser, task

import bench.load.user  # noqa: F401 - for its options
from bench.credentials import Agent, AgentSource, CredentialManager, RequestsAuth
from bench.endpoint import AuthMode, Endpoint
from bench.errors import UsageError
from bench.plan.reading import auth_modes_of
from bench.target.spec import spec_of

BODY = '{"input_data": [[0.1, 0.2, 0.3, 0.4]]}'


@cache
def credentials(environment: Any) -> tuple[CredentialManager, Endpoint]:
    """One manager for all users of this process, made when the first of them starts; nothing is fetched at import."""
    options = vars(environment.parsed_options)
    mode = auth_modes_of(options["auth_mode"], default=(AuthMode.KEY,))[0]
    spec = spec_of(options, default_modes=(mode,), emulator=None)
    if spec.workspace is None:
        raise UsageError("this locustfile scores an online endpoint", hint="give --endpoint")
    agent = Agent(spec.workspace)
    source = AgentSource(agent, endpoint=spec.endpoints[0], auth_mode=mode)
    return CredentialManager(source), agent.describe(spec.endpoints[0])


_first = threading.Lock()


class ScoreWithRequests(HttpUser):
    """`RequestsAuth` puts the lease on every request and replays one that is refused."""

    host = "the endpoint's own"

    def on_start(self) -> None:
        with _first:
            manager, self.endpoint = credentials(self.environment)
        self.client.auth = RequestsAuth(manager)

    @task
    def score(self) -> None:
        self.client.post(
            self.endpoint.scoring_uri, data=BODY, headers={"Content-Type": "application/json"}, name="/score"
        )


class ScoreWithFastHttp(FastHttpUser):
    """One line: the headers of the current lease."""

    host = "http://the-endpoint.invalid"

    def on_start(self) -> None:
        with _first:
            self.manager, self.endpoint = credentials(self.environment)

    @task
    def score(self) -> None:
        headers = {"Content-Type": "application/json", **self.manager.lease().headers}
        self.client.post(self.endpoint.scoring_uri, data=BODY, headers=headers, name="/score fast")
