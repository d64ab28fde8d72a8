"""A control-plane request and its answer, as values. Pure; `routes`, `identity` and `admin` trade in them.

The bytes on the socket are `controlplane`'s business, and the data plane's hot path has its own.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

Headers = tuple[tuple[str, str], ...]


class Ending(StrEnum):
    """What happens to the connection: an answer, silence, or a closed socket."""

    ANSWER = "answer"
    HANG = "hang"
    DROP = "drop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One whole request. Header names are lower case; `secure` says that it came over TLS."""

    method: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    secure: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One answer; `delay_s` is waited before it goes out."""

    status: int
    headers: Headers = ()
    body: bytes = b""
    delay_s: float = 0.0
    ending: Ending = Ending.ANSWER

    def with_headers(self, *headers: tuple[str, str]) -> Response:
        return replace(self, headers=self.headers + headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Handled:
    """An answer and what the log says about the request: never a secret, never a body."""

    response: Response
    operation: str
    endpoint: str = ""
    principal: str = ""
    fault: str = ""


def as_json(status: int, value: Any, *headers: tuple[str, str]) -> Response:
    """`value` as an `application/json` answer."""
    body = json.dumps(value, separators=(",", ":")).encode()
    return Response(status=status, headers=(("content-type", "application/json; charset=utf-8"), *headers), body=body)


def as_text(status: int, text: str, *headers: tuple[str, str]) -> Response:
    """`text` as a `text/plain` answer."""
    return Response(status=status, headers=(("content-type", "text/plain"), *headers), body=text.encode())


def arm_error(status: int, code: str, message: str, *headers: tuple[str, str]) -> Response:
    """Azure Resource Manager's error body."""
    return as_json(status, {"error": {"code": code, "message": message}}, *headers)
