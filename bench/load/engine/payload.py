"""A request framed for the wire, once. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bench.plan.request_plan import Header, Route

JSON = "application/json"
DEFAULT_BODY = b'{"input_data": [[0.1, 0.2, 0.3, 0.4]]}'


@dataclass(frozen=True, slots=True)
class Payload:
    """What of a request is its own: `head` + client request id + `tail` follow a lane's request line and headers.

    `route` is None for the lane's own method and path; `request_class` is empty where requests are all of one kind.
    """

    head: bytes
    tail: bytes
    request_class: str = ""
    route: Route | None = None

    @classmethod
    def of(
        cls,
        body: bytes,
        *,
        content_type: str = JSON,
        headers: Iterable[Header] = (),
        request_class: str = "",
        route: Route | None = None,
    ) -> Payload:
        """Framed; without a body there is no content type."""
        lines = [*headers, ("Content-Type", content_type)] if body else [*headers]
        own = "".join(f"{name}: {value}\r\n" for name, value in lines).encode("ascii")
        head = b"%bContent-Length: %d\r\nx-ms-client-request-id: " % (own, len(body))
        return cls(head, b"\r\n\r\n" + body, request_class, route)
