"""A second control plane, written from the contract's text alone: it shares no line and no constant with the emulator.

Where the two agree about the agent, they agree about Azure. Standard library only, one thread a connection.
"""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from bench.endpoint import Workspace

PLACE = Workspace(subscription_id="sub-1", resource_group="rg-1", workspace_name="ws-1")
BASE = (
    f"/subscriptions/{PLACE.subscription_id}/resourceGroups/{PLACE.resource_group}"
    f"/providers/Microsoft.MachineLearningServices/workspaces/{PLACE.workspace_name}"
)
MANAGEMENT, SCORING = "https://management.azure.com", "https://ml.azure.com"

Answer = tuple[int, dict[str, str], Any]
Script = Callable[[str, str], Answer | None]


class Stub:
    """What the service holds. `script(method, path)` may answer in its place; `asked` are the operations so far."""

    def __init__(self) -> None:
        self.mode = "Key"
        self.endpoint_extra: dict[str, Any] = {}
        self.deployments: list[dict[str, Any]] = [{"name": "blue", "properties": {"provisioningState": "Succeeded"}}]
        self.script: Script = lambda _method, _path: None
        self.asked: list[str] = []
        self.scored_with: list[str] = []
        self.keys = {"primary": "first-key", "secondary": "second-key"}
        self.polls = 0
        self.clouds: Any = []
        self.manager = MANAGEMENT
        self.origin = ""

    @property
    def env(self) -> dict[str, str]:
        return {
            "AZUREML_DEV_URL_MFE": self.origin,
            "IDENTITY_ENDPOINT": f"{self.origin}/identity",
            "IDENTITY_HEADER": "proof",
            "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
            "NO_PROXY": "127.0.0.1",
        }

    def answer(self, method: str, target: str, headers: Any, body: bytes = b"") -> Answer:
        parts = urlsplit(target)
        if (scripted := self.script(method, parts.path)) is not None:
            return scripted
        if parts.path == "/identity":
            return self._identity(parse_qs(parts.query), headers)
        if method == "POST" and parts.path == "/score":
            return self._score(headers.get("Authorization", ""))
        if parts.path == "/metadata/endpoints":
            return 200, {}, self.clouds
        if headers.get("Authorization") not in (f"Bearer token-for {self.manager}", f"Bearer token-for {self.origin}"):
            return _error(401, "InvalidAuthenticationToken", "The access token is invalid.")
        if parts.path == "/operations/1":
            return self._operation()
        if "api-version" not in parse_qs(parts.query):
            return _error(
                400, "MissingApiVersionParameter", "The api-version query parameter (?api-version=) is required"
            )
        if parts.path.lower().startswith(f"{BASE}/serverlessEndpoints/model".lower()):
            return self._serverless(method, parts.path.lower().endswith("/listkeys"))
        match = re.fullmatch(rf"{re.escape(BASE)}/onlineEndpoints/([^/]+)(?:/(\w+))?", parts.path, re.IGNORECASE)
        if match is None:
            return _error(404, "ResourceNotFound", f"The Resource '{parts.path}' was not found.")
        return self._arm(method, match[1], (match[2] or "").lower(), body)

    def _identity(self, query: dict[str, list[str]], headers: Any) -> Answer:
        if headers.get("X-IDENTITY-HEADER") != "proof":
            return 401, {}, {"error": "no proof"}
        self.asked.append("identity")
        (resource,) = query["resource"]
        return 200, {}, {"access_token": f"token-for {resource}", "expires_on": str(int(time.time()) + 3600)}

    def _score(self, authorization: str) -> Answer:
        self.scored_with.append(authorization)
        secrets = (*self.keys.values(), "scoring-token", f"token-for {SCORING}", "token-for https://ml.azure.sovereign")
        good = authorization.removeprefix("Bearer ") in secrets
        return (200, {}, {"ok": True}) if good else (401, {}, "key_auth_access_denied")

    def _serverless(self, method: str, keys: bool) -> Answer:
        """One called `model`."""
        self.asked.append(f"{method} serverless{' keys' if keys else ''}")
        if keys:
            return 200, {}, {"primaryKey": self.keys["primary"], "secondaryKey": self.keys["secondary"]}
        properties = {
            "authMode": self.mode,
            "modelSettings": {"modelId": "m"},
            "inferenceEndpoint": {"uri": f"{self.origin}/score", "headers": {}},
            "provisioningState": "Succeeded",
        }
        return (
            200,
            {},
            {"id": f"{BASE}/serverlessEndpoints/model", "name": "model", "location": "x", "properties": properties},
        )

    def _operation(self) -> Answer:
        """A long-running one: in progress when it is asked for first, then done."""
        self.polls += 1
        if self.polls > 1:
            return 200, {}, {"status": "Succeeded"}
        return 200, {"Retry-After": "1"}, {"status": "InProgress"}

    def _regenerate(self, body: bytes) -> Answer:
        """202 with where to look. The SDK sends the key it has just listed: that asks for a new one."""
        asked = json.loads(body)
        kind = asked["keyType"].lower()
        given = asked.get("keyValue")
        self.keys[kind] = given if given and given != self.keys[kind] else f"new-{self.keys[kind]}"
        place = f"{self.origin}/operations/1"
        return 202, {"Azure-AsyncOperation": place, "Location": place, "Retry-After": "1"}, {}

    def _arm(self, method: str, name: str, what: str, body: bytes) -> Answer:
        self.asked.append(f"{method} {what or 'endpoint'}")
        if name != "ep":
            text = f"The Resource '{BASE[1:]}/onlineEndpoints/{name}' under resource group 'rg-1' was not found."
            return _error(404, "ResourceNotFound", text)
        now_s = int(time.time())
        match method, what:
            case "GET", "":
                properties = {
                    "authMode": self.mode,
                    "scoringUri": f"{self.origin}/score",
                    "provisioningState": "Succeeded",
                    "traffic": {"blue": 100},
                    **self.endpoint_extra,
                }
                return (
                    200,
                    {},
                    {"id": f"{BASE}/onlineEndpoints/ep", "name": "ep", "location": "x", "properties": properties},
                )
            case "GET", "deployments":
                return 200, {}, {"value": self.deployments, "nextLink": None}
            case "POST", "listkeys":
                return 200, {}, {"primaryKey": self.keys["primary"], "secondaryKey": self.keys["secondary"]}
            case "POST", "regeneratekeys":
                return self._regenerate(body)
            case "POST", "token":
                times = {"expiryTimeUtc": now_s + 1800, "refreshAfterTimeUtc": now_s + 900}
                return 200, {}, {"accessToken": "scoring-token", "tokenType": "Bearer", **times}
        return _error(405, "MethodNotAllowed", "no such thing")


def _error(status: int, code: str, message: str, **headers: str) -> Answer:
    return status, headers, {"error": {"code": code, "message": message}}


@contextmanager
def serving() -> Iterator[Stub]:
    """A stub on a free port."""
    stub = Stub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1
        disable_nagle_algorithm = True

        def _reply(self) -> None:
            asked = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, headers, body = stub.answer(self.command, self.path, self.headers, asked)
            data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_OPTIONS = _reply  # noqa: N815 - http.server's names

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    stub.origin = f"http://127.0.0.1:{server.server_port}"
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
