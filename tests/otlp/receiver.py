"""A collector's OTLP/HTTP side that decodes with OpenTelemetry's own messages, and can misbehave."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="the extra `otel` is not installed")

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


@dataclass
class Receiver:
    """`answers` are (status, headers) given before it behaves. `drip`: it never ends its answer. `endless`: nor does it
    end its body, at full speed. `rejects` spans of each message it takes in vain."""

    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    drip: threading.Event | None = None
    endless: bool = False
    rejects: int = 0
    url: str = ""
    headers: list[dict[str, str]] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    traces: list[ExportTraceServiceRequest] = field(default_factory=list)
    metrics: list[ExportMetricsServiceRequest] = field(default_factory=list)

    @property
    def spans(self) -> list[Any]:
        return [s for one in self.traces for r in one.resource_spans for scope in r.scope_spans for s in scope.spans]

    def points(self, name: str) -> list[list[Any]]:
        """Of one metric, a list for each message that has it."""
        return [
            list(getattr(metric, metric.WhichOneof("data")).data_points)
            for one in self.metrics
            for r in one.resource_metrics
            for scope in r.scope_metrics
            for metric in scope.metrics
            if metric.name == name
        ]


def attributes(one: Any) -> dict[str, Any]:
    """Of a span, a point or a resource, as plain values."""
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in one.attributes}


@contextmanager
def receiving(receiver: Receiver) -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.headers.append(dict(self.headers))
            receiver.raw.append(body)
            if receiver.answers:
                status, headers = receiver.answers.pop(0)
                self.say(status, headers, b"the secret is hunter2")
                return
            if receiver.drip is not None:
                self.send_response(200)
                self.send_header("Content-Length", "100")
                self.end_headers()
                while not receiver.drip.wait(0.05):
                    self.wfile.write(b"x")
                return
            if receiver.endless:
                self.send_response(200)
                self.end_headers()
                while True:
                    self.wfile.write(b"x" * 65_536)
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            if self.path == "/v1/traces":
                receiver.traces.append(ExportTraceServiceRequest.FromString(body))
                said = ExportTraceServiceResponse(
                    partial_success=ExportTracePartialSuccess(rejected_spans=receiver.rejects, error_message="hunter2")
                )
                self.say(200, {"Content-Type": "application/x-protobuf"}, said.SerializeToString())
            else:
                assert self.path == "/v1/metrics"
                receiver.metrics.append(ExportMetricsServiceRequest.FromString(body))
                self.say(200, {}, b"")

        def do_GET(self) -> None:
            receiver.headers.append(dict(self.headers))
            self.say(200, {}, b"")

        def say(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        if receiver.drip is not None:
            receiver.drip.set()
        server.shutdown()
        server.server_close()
