"""The data plane's answers as bytes, header and body in one piece. Pure; on the hot path.

Headers of a 200 are those seen on a managed endpoint that runs azureml-inference-server-http; 424's two are
documented in Microsoft Learn, "Troubleshoot online endpoints". `x-ms-run-fn-exec-ms` is the true service time.
"""

from __future__ import annotations

import json
import uuid
from email.utils import formatdate

_REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    424: "Failed Dependency",
    429: "Too Many Requests",
}
_PREFIX = str(uuid.uuid4())[:24]


class Answers:
    """Writes answers; `set_date` is called once a second."""

    def __init__(self, response_bytes: int) -> None:
        prediction = {"predictions": [0.5]} | ({"padding": "x" * response_bytes} if response_bytes else {})
        self._body = json.dumps(prediction).encode()
        self._count = 0
        self._heads: dict[str, bytes] = {}
        self._date = ""

    def set_date(self, wall_s: float) -> None:
        self._date = formatdate(wall_s, usegmt=True)
        self._heads.clear()

    def scored(self, deployment: str, service_ns: int, client_request_id: bytes, *, closing: bool) -> bytes:
        """A 200 that took `service_ns`."""
        self._count += 1
        request_id = b"%b%012x" % (_PREFIX_BYTES, self._count)
        return b"%b%.3f\r\nx-ms-request-id: %b\r\nx-request-id: %b\r\n%b%b\r\n%b" % (
            self._heads.get(deployment) or self._head(deployment),
            service_ns / 1e6,
            client_request_id or request_id,
            request_id,
            b"x-ms-client-request-id: %b\r\n" % client_request_id if client_request_id else b"",
            b"connection: close\r\n" if closing else b"",
            self._body,
        )

    def streamed(
        self, deployment: str, client_request_id: bytes, *, closing: bool, headers: tuple[tuple[str, str], ...] = ()
    ) -> bytes:
        """The head of a 200 whose body is a stream of events, in chunks."""
        self._count += 1
        ours = f"{_PREFIX}{self._count:012x}"
        theirs = client_request_id.decode()
        lines = [
            "HTTP/1.1 200 OK",
            "server: azureml-frontdoor",
            f"date: {self._date}",
            "content-type: text/event-stream; charset=utf-8",
            "transfer-encoding: chunked",
            f"azureml-model-deployment: {deployment}",
            f"x-ms-request-id: {theirs or ours}",
            f"x-request-id: {ours}",
            *((f"x-ms-client-request-id: {theirs}",) if theirs else ()),
            *(f"{name}: {value}" for name, value in headers),
            *(("connection: close",) if closing else ()),
        ]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def refused(self, status: int, text: str, *, closing: bool, headers: tuple[tuple[str, str], ...] = ()) -> bytes:
        """Any other answer: `text` as plain text, or as the JSON it is."""
        self._count += 1
        lines = [
            f"HTTP/1.1 {status} {_REASONS[status]}",
            "server: azureml-frontdoor",
            f"date: {self._date}",
            f"content-type: {'application/json' if text.startswith('{') else 'text/plain'}",
            f"content-length: {len(text)}",
            f"x-request-id: {_PREFIX}{self._count:012x}",
            *(f"{name}: {value}" for name, value in headers),
            *(("connection: close",) if closing else ()),
        ]
        return ("\r\n".join(lines) + "\r\n\r\n" + text).encode()

    def _head(self, deployment: str) -> bytes:
        head = (
            "HTTP/1.1 200 OK\r\nserver: azureml-frontdoor\r\n"
            f"date: {self._date}\r\ncontent-type: application/json\r\ncontent-length: {len(self._body)}\r\n"
            f"azureml-model-deployment: {deployment}\r\nazureml-model-session: {deployment}\r\n"
            "x-ms-run-function-failed: False\r\nx-ms-server-version: azmlinfsrv/1.5.1\r\nx-ms-run-fn-exec-ms: "
        ).encode()
        self._heads[deployment] = head
        return head


_PREFIX_BYTES = _PREFIX.encode()


def model_error_headers(status: str) -> tuple[tuple[str, str], ...]:
    """What a 424 carries: the status the model container answered with, and a word for it."""
    return (("ms-azureml-model-error-statuscode", status), ("ms-azureml-model-error-reason", "model_error"))
