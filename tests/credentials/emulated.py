"""A running emulator as the tests see it: its facts, its admin interface, its log of control-plane calls."""

import contextlib
import json
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections import Counter
from typing import Any
from urllib.parse import urlsplit

from bench.endpoint import AuthMode, Workspace


class Emulator:
    """`python -m bench.emulator`, ended by `stop` or with its parent."""

    def __init__(self, *options: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.emulator", "--json", "--die-with-parent", "--service-zero", *options],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.facts: dict[str, Any] = json.loads(self._process.stdout.readline())
        self.workspace = Workspace(**self.facts["workspace"])
        self.env: dict[str, str] = self.facts["env"]

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=300)
        self._process.stdout.close()

    def endpoint(self, mode: AuthMode) -> str:
        return self.facts["endpoints"][mode.value]

    def fault(self, **words: Any) -> None:
        """Add a fault; left in place until `calm`."""
        self._admin("POST", "faults", {name.rstrip("_"): value for name, value in words.items()})

    def calm(self) -> None:
        """Forget all faults, and wait until ports that were closed are open again."""
        self._admin("DELETE", "faults")
        for name in ("AZUREML_DEV_URL_MFE", "IDENTITY_ENDPOINT"):
            address = urlsplit(self.env[name])
            while True:
                with contextlib.suppress(ConnectionRefusedError):
                    socket.create_connection((address.hostname, address.port), timeout=20).close()
                    break

    def calls(self) -> Counter[str]:
        """Control-plane and identity calls so far, by operation."""
        return Counter(self._admin("GET", "stats")["control_plane"])

    def score(self, mode: AuthMode, headers: dict[str, str]) -> int:
        """The status of one scoring request."""
        request = urllib.request.Request(
            self.facts["scoring_uri"][mode.value],
            data=b'{"data": [1]}',
            headers={"Content-Type": "application/json", **headers},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status
        except urllib.error.HTTPError as exc:
            with exc:
                return exc.code

    def _admin(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.facts['admin']}/{path}", data=data, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())
