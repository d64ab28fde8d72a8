"""One request to an MLflow tracking server. Edge: HTTP with a secret, a thread that ends what takes too long.

No redirect is followed, for the secret would go along; an answer is read so far and no further; however slowly it
drips, it ends. An error says the status, MLflow's own word for it and what to do; never what the server said, which
may repeat the secret.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, IncompleteRead
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from bench.endpoint import SignIn, Workspace
from bench.errors import BenchError
from bench.history.mlflow.address import Address
from bench.history.mlflow.messages import Answer, Refusal, decoded
from bench.target.authorities import trusting_context
from bench.target.proxy import proxy_for

_TIMEOUT_S = 30.0
_LONGEST_S = 300.0
_MOST_BYTES = 64 << 20
_CHUNK = 1 << 16
_UNAUTHORIZED = 401
_TOO_MANY = 429
_TRUST = "name your authority's file in REQUESTS_CA_BUNDLE"
_HINTS = {
    0: "is MLFLOW_TRACKING_URI right, and the server up?",
    401: "the secret is not valid there: set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and _PASSWORD",
    403: "the secret may not do that, or the server does not know this name of its own (mlflow server --allowed-hosts)",
    404: "is it the address of an MLflow tracking server?",
    413: "a server before it takes no request of that size",
}
_AZURE_HINTS = {
    401: "the token is not valid there: is it of the workspace's tenant?",
    403: "the principal needs the role AzureML Data Scientist on the workspace, and a way through its network",
    404: "is that the workspace's own mlflow_tracking_uri?",
}


class Refused(BenchError):
    """The server's answer was no, or none. `code` is MLflow's own word."""

    def __init__(self, address: Address, status: int, *, code: str = "", why: str = "", hint: str = "") -> None:
        word = f" ({code})" if code else ""
        problem = why or f"answered {status}{word}"
        hints = _HINTS | (_AZURE_HINTS if address.workspace is not None else {})
        super().__init__(f"the tracking server at {address.host} {problem}", hint=hint or hints.get(status, ""))
        self.status = status
        self.code = code

    @property
    def unwell(self) -> bool:
        """Whether another try may go better."""
        return self.status == 0 or self.status >= 500 or self.status == _TOO_MANY


class TrackingServer:
    """Where `address` says. For a workspace without a secret of its own `fetch` gets Azure's token, once asked."""

    def __init__(self, address: Address, *, fetch: Callable[[Workspace, str], str] | None = None) -> None:
        self.address = address
        self._fetch = fetch or _azure_token
        self._authorization = address.authorization

    def ask(self, method: str, what: str, content: Mapping[str, Any], answer: type[Answer]) -> Answer:
        """`runs/create` and its like. Raises Refused; CredentialError when Azure gives no token."""
        path = f"/api/2.0/mlflow/{what}"
        if method == "GET":
            path, body = f"{path}?{urlencode(content)}", b""
        else:
            body = json.dumps(content).encode()
        found = decoded(self._send(method, path, {"Content-Type": "application/json"}, body), answer)
        if found is None:
            raise Refused(
                self.address, 200, why="answered what no MLflow answers: does a sign-in page stand before it?"
            )
        return found

    def upload(self, place: str, file: Path, kind: str) -> None:
        """Put a file where `place` says, through the server. Raises Refused, and OSError of the file."""
        size = file.stat().st_size
        headers = {"Content-Type": kind, "Content-Length": str(size)}
        with file.open("rb") as content:
            self._send("PUT", f"/api/2.0/mlflow-artifacts/artifacts/{quote(place)}", headers, content)

    def _send(self, method: str, path: str, headers: Mapping[str, str], body: Any) -> bytes:
        """Once more with another of Azure's tokens where one is refused: a run may take longer than a token lives."""
        workspace = None if self.address.authorization else self.address.workspace
        if workspace is None:
            return self._once(method, path, headers, body)
        if self._authorization:
            try:
                return self._once(method, path, headers, body)
            except Refused as exc:
                if exc.status != _UNAUTHORIZED:
                    raise
        self._authorization = f"Bearer {self._fetch(workspace, self.address.cloud)}"
        return self._once(method, path, headers, body)

    def _once(self, method: str, path: str, headers: Mapping[str, str], body: Any) -> bytes:
        secret = {"Authorization": self._authorization} if self._authorization else {}
        sent = {**headers, **secret, "User-Agent": "azureml-endpoint-bench"}
        with _connection(self.address) as connection:
            try:
                connection.connect()
                with _ended_in_time(connection.sock):
                    connection.request(method, f"{urlsplit(self.address.base).path}{path}", body=body, headers=sent)
                    found = connection.getresponse()
                    raw = _read(found)
            except ssl.SSLCertVerificationError:
                raise Refused(self.address, 0, why="shows a certificate that is not trusted", hint=_TRUST) from None
            except (OSError, HTTPException, ValueError):  # ValueError: closed by the thread that ends it
                raise Refused(self.address, 0, why="cannot be reached, or ended in mid-answer") from None
        if raw is None:
            raise Refused(self.address, found.status, why=f"answered with more than {_MOST_BYTES:,} bytes")
        if 300 <= found.status < 400:
            raise Refused(
                self.address,
                found.status,
                why=f"answered {found.status}, a redirect, which nobody follows with a secret",
            )
        if not 200 <= found.status < 300:
            refusal = decoded(raw, Refusal)
            raise Refused(self.address, found.status, code=refusal.error_code if refusal else "")
        return raw


@contextlib.contextmanager
def _connection(address: Address) -> Iterator[HTTPConnection]:
    """By way of the proxy that HTTPS_PROXY names, if any; not yet connected."""
    parts = urlsplit(address.base)
    host = parts.hostname or ""
    proxy = proxy_for(host, secure=address.secure)
    port = parts.port or (443 if address.secure else 80)
    where = (host, port) if proxy is None else (proxy.host, proxy.port)
    made: HTTPConnection = (
        HTTPSConnection(*where, timeout=_TIMEOUT_S, context=trusting_context())
        if address.secure
        else HTTPConnection(*where, timeout=_TIMEOUT_S)
    )
    if proxy is not None:
        user = {"Proxy-Authorization": f"Basic {proxy.authorization}"} if proxy.authorization else {}
        made.set_tunnel(host, port, headers=user)
    try:
        yield made
    finally:
        made.close()


@contextlib.contextmanager
def _ended_in_time(connected: socket.socket) -> Iterator[None]:
    """A socket's time-out begins anew with each byte."""

    def end() -> None:
        with contextlib.suppress(OSError):
            connected.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(_LONGEST_S, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _read(answer: HTTPResponse) -> bytes | None:
    """The whole of it; None when it is too much. HTTPException when it was cut off."""
    raw = bytearray()
    while part := answer.read1(_CHUNK):
        raw += part
        if len(raw) > _MOST_BYTES:
            return None
    if answer.length:
        raise IncompleteRead(bytes(raw), answer.length)
    return bytes(raw)


def _azure_token(workspace: Workspace, cloud: str) -> str:
    """A token of Azure's control plane. Raises CredentialError."""
    from bench.credentials import PlainAgent

    agent = PlainAgent(workspace, sign_in=SignIn(cloud=cloud))
    try:
        return agent.arm_token()
    finally:
        agent.close()
