"""The real emulator as a process, for tests of any room: start it, ask it, break it, stop it.

Talks to it with http.client only, which knows nothing of what either side of the project believes.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

BODY = b'{"data": [[1, 2, 3, 4]]}'
_READY_WITHIN_S = 20


@dataclass(frozen=True)
class Answer:
    """One HTTP answer; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class EmulatorProcess:
    """A running emulator; `said` is its ready line."""

    process: subprocess.Popen[str]
    said: dict[str, Any] = field(default_factory=dict)

    def call(
        self, url: str, *, method: str = "GET", headers: dict[str, str] | None = None, body: bytes | None = None
    ) -> Answer:
        parts = urlsplit(url)
        if parts.scheme == "https":
            context = ssl.create_default_context(cafile=self.said["ca_file"])
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                parts.netloc, context=context, timeout=20
            )
        else:
            connection = http.client.HTTPConnection(parts.netloc, timeout=20)
        with contextlib.closing(connection):
            target = f"{parts.path}?{parts.query}" if parts.query else parts.path
            connection.request(method, target, body=body, headers=headers or {})
            response = connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, names, response.read())

    def msi_token(self, resource: str) -> str:
        env = self.said["env"]
        url = f"{env['IDENTITY_ENDPOINT']}?api-version=2019-08-01&resource={resource}"
        return str(self.call(url, headers={"X-IDENTITY-HEADER": env["IDENTITY_HEADER"]}).json["access_token"])

    def arm(self, method: str, path: str, *, body: bytes | None = None, token: str | None = None) -> Answer:
        """`path` is relative to the workspace, such as `/onlineEndpoints/ep-key`."""
        token = token or self.msi_token("https://management.azure.com")
        headers = {"Authorization": f"Bearer {token}"}
        return self.call(self.arm_url(path), method=method, headers=headers, body=body)

    def arm_url(self, path: str) -> str:
        workspace = self.said["workspace"]
        return (
            f"{self.said['control_plane']}/subscriptions/{workspace['subscription_id']}"
            f"/resourceGroups/{workspace['resource_group']}/providers/Microsoft.MachineLearningServices"
            f"/workspaces/{workspace['workspace_name']}{path}?api-version=2022-02-01-preview"
        )

    def secret(self, mode: str) -> str:
        """A current credential for the endpoint of that auth mode."""
        name = self.said["endpoints"][mode]
        if mode == "key":
            return str(self.arm("POST", f"/onlineEndpoints/{name}/listKeys").json["primaryKey"])
        if mode == "aml_token":
            return str(self.arm("POST", f"/onlineEndpoints/{name}/token").json["accessToken"])
        return self.msi_token("https://ml.azure.com")

    def chat(self, secret: str, body: dict[str, Any], *, request_id: str = "", path: str = "") -> Answer:
        """One request to the key endpoint's chat route; the whole answer, however it is framed."""
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {secret}"}
        if request_id:
            headers["x-ms-client-request-id"] = request_id
        uri = self.said["scoring_uri"]["key"].replace("/score", path or "/v1/chat/completions")
        return self.call(uri, method="POST", headers=headers, body=json.dumps(body).encode())

    def score(self, mode: str, secret: str | None, *, tls: bool = False, **headers: str) -> Answer:
        """One scoring request; an underscore in a header's keyword stands for a hyphen."""
        sent = {"Content-Type": "application/json"} | {name.replace("_", "-"): text for name, text in headers.items()}
        if secret is not None:
            sent["Authorization"] = f"Bearer {secret}"
        uri = self.said["scoring_uri_tls" if tls else "scoring_uri"][mode]
        return self.call(uri, method="POST", headers=sent, body=BODY)

    def admin(self, method: str, what: str, document: Any = None) -> Any:
        body = None if document is None else json.dumps(document).encode()
        answer = self.call(f"{self.said['admin']}/{what}", method=method, body=body)
        assert answer.status == 200, answer.body
        return answer.json

    def fault(self, **words: Any) -> None:
        """Post one fault; `for_` stands for the word `for`."""
        self.admin("POST", "faults", {name.rstrip("_"): value for name, value in words.items()})

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(timeout=300)


def pending(running: EmulatorProcess) -> int:
    """Requests in service or waiting on the key endpoint's blue deployment."""
    return int(running.admin("GET", "stats")["endpoints"]["ep-key"]["deployments"]["blue"]["pending"])


@dataclass(frozen=True)
class TrueTimes:
    """One record of a truth file; times are monotonic ns."""

    request_id: str
    received_ns: int
    answered_ns: int
    service_ns: int


def read_truth(path: Path) -> list[TrueTimes]:
    """The records of a truth file, read as docs/guides/emulator.md describes it."""
    raw = path.read_bytes()
    assert raw[:64].rstrip(b"\0") == b"BENCHTRUTH1"
    assert len(raw) % 64 == 0
    records = struct.iter_unpack("<40sqqq", raw[64:])
    return [TrueTimes(words[0].rstrip(b"\0").decode(), *words[1:]) for words in records]


@dataclass(frozen=True)
class TrueStream:
    """One streamed answer of a truth file; `tokens` are (due, sent) in monotonic ns."""

    request_id: str
    received_ns: int
    tokens: list[tuple[int, int]]


def read_true_streams(path: Path) -> list[TrueStream]:
    """The streams beside a truth file, read as docs/guides/emulator.md describes them."""
    raw = path.with_name(f"{path.name}.streams").read_bytes()
    assert raw[:64].rstrip(b"\0") == b"BENCHSTREAM1"
    found, place = [], 64
    while place < len(raw):
        request_id, received_ns, count = struct.unpack_from("<40sqq", raw, place)
        tokens = list(struct.iter_unpack("<qq", raw[place + 56 : place + 56 + 16 * count]))
        found.append(TrueStream(request_id.rstrip(b"\0").decode(), received_ns, tokens))
        place += 56 + 16 * count
    return found


@contextlib.contextmanager
def emulator(*options: str) -> Iterator[EmulatorProcess]:
    """The emulator with these options on free ports, stopped at the end."""
    command = [sys.executable, "-m", "bench.emulator", "--json", "--die-with-parent", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    running = EmulatorProcess(process)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, f"the emulator ended with {process.wait(timeout=_READY_WITHIN_S)}"
        running.said = json.loads(line)
        yield running
    finally:
        running.stop()
        if process.stdout is not None:
            process.stdout.close()


def until(condition: Callable[[], bool], *, within_s: float = 300.0) -> None:
    """Wait for `condition`, however long that takes up to `within_s`."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)
