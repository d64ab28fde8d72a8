"""Credentials for Azure ML online endpoints, shared by every greenlet, worker and host of a load test.

Usable in anybody's own locustfile; nothing is fetched at import:

    agent = Agent(workspace)
    manager = CredentialManager(AgentSource(agent, endpoint="my-endpoint"))
    lease = manager.lease()                          # hot path: no lock, no call while it is fresh
    ... send with lease.headers; after a 401:
    lease = manager.refused(lease, status=401)       # replay once with it

The names below are the public ones. Those that bring gevent or requests along are imported on first use, so that the
pure parts and the agent stay free of both.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from bench.credentials.failure import Denied, Failure, FailureKind
from bench.credentials.lease import NEVER_NS, Grant, Lease
from bench.credentials.source import AgentSource, Source, StaticSource

if TYPE_CHECKING:
    from bench.credentials.agent.client import Agent
    from bench.credentials.agent.plain import PlainAgent
    from bench.credentials.manager import CredentialManager, Snapshot
    from bench.credentials.relay.master import RelayServer
    from bench.credentials.relay.seal import RelayKey
    from bench.credentials.relay.worker import RelayClient
    from bench.credentials.requests_auth import RequestsAuth

__all__ = [
    "NEVER_NS",
    "Agent",
    "AgentSource",
    "CredentialManager",
    "Denied",
    "Failure",
    "FailureKind",
    "Grant",
    "Lease",
    "PlainAgent",
    "RelayClient",
    "RelayKey",
    "RelayServer",
    "RequestsAuth",
    "Snapshot",
    "Source",
    "StaticSource",
]

_ON_FIRST_USE = {
    "Agent": "agent.client",
    "CredentialManager": "manager",
    "PlainAgent": "agent.plain",
    "RelayClient": "relay.worker",
    "RelayKey": "relay.seal",
    "RelayServer": "relay.master",
    "RequestsAuth": "requests_auth",
    "Snapshot": "manager",
}


def __getattr__(name: str) -> Any:
    if name not in _ON_FIRST_USE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_ON_FIRST_USE[name]}"), name)
