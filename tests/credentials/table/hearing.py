"""What `bench doctor` and `bench run` say, in this process: the commands' own code, with an agent that is warm already.

A run is led up to the first lease, which is where it would make its folder; Locust is not started for it.
"""

from __future__ import annotations

import argparse
import contextlib
import io
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from bench.arguments import settle_arguments
from bench.commands import doctor
from bench.credentials import CredentialManager, RelayKey
from bench.credentials.agent.calls import AgentCalls
from bench.credentials.patience import Patience
from bench.errors import BenchError
from bench.load.roles import master
from bench.load.roles.managers import ManagerPool
from bench.runset import make


@dataclass(frozen=True)
class Heard:
    """An exit code, all that was said, and the error's own line without its first word."""

    code: int
    said: str
    error: str


class Shared:
    """An agent that outlives whoever closes it."""

    def __init__(self, agent: Any) -> None:
        self.asked_by, self.described, self.fetch = agent.asked_by, agent.described, agent.fetch

    def close(self) -> None:
        """It is another test's as well."""


class _Begins(Exception):
    """Nothing is wrong: requests would be sent now."""


@contextlib.contextmanager
def asking(agent: AgentCalls | Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have both commands ask `agent`."""
    with monkeypatch.context() as patch:
        patch.setattr(doctor, "PlainAgent", lambda *_, **__: Shared(agent))
        patch.setattr(ManagerPool, "_ask", lambda _: agent)
        patch.setattr(make, "run_locust", _lead)
        patch.setattr(master.gevent, "signal_handler", lambda *_: None)
        yield


def hear(command: Any, words: list[str]) -> Heard:
    """Run one of the two."""
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            arguments = parser.parse_args(words)
            settle_arguments(arguments)
            code = command.run(arguments)
        except _Begins:
            code = 0
        except BenchError as exc:
            code = exc.exit_code
            err.write(f"error: {exc.describe()}\n")
    lines = err.getvalue().splitlines()
    errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    return Heard(code, out.getvalue() + err.getvalue(), errors[-1] if errors else "")


def _lead(_locustfile: Any, values: dict[str, Any], **_: Any) -> None:
    """As the leading part of a run does before it makes a folder; raises BenchError or `_Begins`."""
    reports = SimpleNamespace(add_listener=lambda _: None)
    runner = SimpleNamespace(
        register_message=lambda *_: None,
        environment=SimpleNamespace(events=SimpleNamespace(worker_report=reports)),
    )
    environment = SimpleNamespace(
        parsed_options=Namespace(**values, num_users=values["users"]),
        runner=runner,
        web_ui=None,
        stop_timeout=0,
        events=SimpleNamespace(request=SimpleNamespace(_handlers=[])),
    )
    leading = master.Master(environment, default_modes=(), relay_key=RelayKey(b"k" * 32))
    leading.prepare()
    assert leading.plan is not None
    assert leading.preparation.pool is not None
    patience = Patience(timeout_s=leading.plan.start_timeout_s, sleep=master.gevent.sleep, say=lambda _: None)
    for manager in leading.preparation.pool.managers(leading.plan.variants, on_flight=lambda _: None):
        try:
            if isinstance(manager, CredentialManager):
                manager.first_lease(patience)
        finally:
            manager.close()
    raise _Begins
