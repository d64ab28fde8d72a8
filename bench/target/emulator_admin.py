"""Orders and questions to an emulator of ours while it runs. Edge: HTTP over loopback, past any proxy."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any

_ANSWERS_WITHIN_S = 20.0


class EmulatorAdmin:
    """The emulator's admin interface; `url` comes with its facts.

    Each call raises OSError without an answer, ValueError for one that is no JSON.
    """

    def __init__(self, url: str) -> None:
        self._url = url

    def get(self, what: str) -> Any:
        return self._call(what, "GET", None)

    def script(self, faults: Sequence[Mapping[str, Any]]) -> None:
        """Add faults; `at` counts from the zero that `start` set."""
        self._call("faults", "POST", json.dumps(faults).encode())

    def start(self, zero_ns: int | None = None) -> dict[str, Any]:
        """Make this (monotonic; None: now) the script's zero. Its answer: that `zero_ns`, and the `faults`."""
        body = b"" if zero_ns is None else json.dumps({"zero_ns": zero_ns}).encode()
        answer: dict[str, Any] = self._call("start", "POST", body)
        return answer

    def _call(self, what: str, method: str, body: bytes | None) -> Any:
        request = urllib.request.Request(f"{self._url}/{what}", data=body, method=method)  # noqa: S310 - loopback
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(request, timeout=_ANSWERS_WITHIN_S) as answer:
            return json.loads(answer.read())
