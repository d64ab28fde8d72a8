"""The two control planes of the table, each with one warm agent, and how a row's trouble is made on each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from bench.credentials.agent.calls import AgentCalls
from bench.endpoint import AuthMode, Workspace
from tests.azure_stub.plane import BASE, PLACE, Answer, Script, Stub
from tests.credentials.emulated import Emulator
from tests.credentials.table.rows import Row

_ANSWERS = {
    "DenyAssignmentAuthorizationFailed": (403, "access is denied because of the deny assignment 'd'"),
    "ExpiredAuthenticationToken": (401, "The access token expiry UTC time is earlier than current UTC time."),
    "InvalidAuthenticationToken": (401, "The access token is invalid."),
    "InvalidAuthenticationTokenTenant": (
        401,
        "wrong issuer; must match 'https://sts.windows.net/1/' of the subscription",
    ),
    "InvalidSubscriptionId": (400, "The provided subscription identifier is malformed or invalid."),
    "LinkedAuthorizationFailed": (403, "no permission to perform action 'x/y' on the linked scope(s) '/s'"),
    "MissingSubscriptionRegistration": (409, "not registered to use namespace"),
    "NoRegisteredProviderFound": (400, "No registered resource provider found for location"),
    "PublicNetworkAccessDisabled": (403, "public access off"),
    "ReadOnlyDisabledSubscription": (409, "disabled and therefore marked as read only"),
    "RequestDisallowedByAzure": (403, "disallowed by Azure"),
    "RequestDisallowedByPolicy": (403, "disallowed by policy 'p'"),
    "ResourceGroupNotFound": (404, "Resource group could not be found."),
    "ResourceNotFound": (404, f"The Resource '{BASE.partition('providers/')[2]}' was not found."),
    "ScopeLocked": (409, "cannot perform write operation because scope(s) are locked"),
    "SubscriptionNotFound": (404, "The subscription could not be found."),
    "SubscriptionNotRegistered": (409, "not registered"),
}
"""ARM's code -> status and the stub's words for it, which are not the emulator's."""
_LACKS = {
    "read": ("GET", "/ep", "read"),
    "listkeys/action": ("POST", "/listkeys", "listKeys/action"),
    "deployments/read": ("GET", "/deployments", "deployments/read"),
}


@dataclass(frozen=True)
class EmulatorPlane:
    """The emulator of this package."""

    emulator: Emulator
    agent: AgentCalls

    @property
    def workspace(self) -> Workspace:
        return self.emulator.workspace

    @property
    def places(self) -> dict[str, str]:
        """What `{...}` in a row's words stands for."""
        return {"endpoint": "ep-key", "uri": self.emulator.facts["scoring_uri"][AuthMode.AAD_TOKEN.value]}

    def knows(self, row: Row) -> bool:
        return bool(row.emulator)

    def make_trouble(self, row: Row) -> None:
        self.emulator.fault_all(row.emulator)

    def recover(self) -> None:
        self.emulator.calm()


@dataclass(frozen=True)
class StubPlane:
    """The one that was written from the contract alone."""

    stub: Stub
    agent: AgentCalls
    workspace: Workspace = PLACE

    @property
    def places(self) -> dict[str, str]:
        return {"endpoint": "ep", "uri": f"{self.stub.origin}/score"}

    def knows(self, row: Row) -> bool:
        return bool(row.stub)

    def make_trouble(self, row: Row) -> None:
        trouble = row.stub
        self.stub.endpoint_extra = dict(trouble.get("endpoint", {}))
        if "deployment" in trouble:
            state = {"provisioningState": "Succeeded", **trouble["deployment"]}
            self.stub.deployments = [{"name": "blue", "properties": state}]
        self.stub.script = _script(trouble)

    def recover(self) -> None:
        fresh = Stub()
        self.stub.__dict__.update({**fresh.__dict__, "origin": self.stub.origin})


def _script(trouble: Any) -> Script:
    """What the stub answers in place of the right thing."""
    if "entra" in trouble:
        said = f"AADSTS{trouble['entra']}: Entra's own words. Trace ID: 1-2 Correlation ID: 3-4"
        return lambda _, path: (400, {}, {"error": "x", "error_description": said}) if path == "/identity" else None
    if "identity" in trouble:
        answer = (trouble["identity"], {}, {"error": "busy"})
        return lambda _, path: answer if path == "/identity" else None
    if "lacks" in trouble:
        method, ending, action = _LACKS[trouble["lacks"]]
        text = f"does not have authorization to perform action '{_ACTIONS}/{action}' over scope '/s'"
        return _of(method, ending, _error(403, "AuthorizationFailed", text))
    if not trouble.get("operation"):
        return lambda _method, _path: None
    method, ending = ("POST", "/listkeys") if trouble["operation"] == "listkeys" else ("GET", "/ep")
    if "arm" in trouble:
        status, text = _ANSWERS[trouble["arm"]]
        return _of(method, ending, _error(status, trouble["arm"], text))
    if "page" in trouble:
        return _of(method, ending, (trouble["page"], {"Content-Type": "text/html"}, "<html>blocked</html>"))
    if "malformed" in trouble:
        return _of(method, ending, (200, {}, json.dumps({"name": "ep", "properties": {}})[:-4]))
    return _of(method, ending, _error(trouble["status"], f"Status{trouble['status']}", "in its own words"))


_ACTIONS = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints"


def _error(status: int, code: str, message: str) -> Answer:
    return status, {}, {"error": {"code": code, "message": message}}


def _of(method: str, ending: str, answer: Answer) -> Script:
    return lambda seen, path: answer if seen == method and path.lower().endswith(ending) else None
