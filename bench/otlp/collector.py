"""The way to a collector: OTLP over HTTP by the library, with bounds of our own. Edge: HTTP, a thread a message.

The standard variables (OTEL_EXPORTER_OTLP_ENDPOINT, _HEADERS, _TIMEOUT, _COMPRESSION, _CERTIFICATE, ..., and those of
traces and metrics alone) are read by the library, which also sends again what was refused for a while (429, 502, 503,
504, by Retry-After). Of our own: redirects are no success, and nobody follows them with the headers' secret; an answer
is read so far and no further; each message has a deadline that holds whatever the other side does; no error repeats
what the other side said, which may be that secret.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import requests

from bench.errors import BenchError, UsageError

DEFAULT_TIMEOUT_S = 10.0
_GRACE_S = 2.0
_MOST_BYTES = 1 << 16
SIGNALS = ("traces", "metrics")
_VARIABLE = "OTEL_EXPORTER_OTLP_ENDPOINT"


class NotTaken(BenchError):
    """The collector did not take it."""


def endpoints(asked: str, environment: Mapping[str, str], signals: Iterable[str] = SIGNALS) -> dict[str, str]:
    """By signal, the URL of its messages: from an option, or the standard variables. UsageError names what is wrong."""
    found = {}
    for signal in signals:
        own = environment.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT", "")
        base = asked or ("" if own else environment.get(_VARIABLE, ""))
        where = "--otlp-endpoint" if asked else _VARIABLE if base else f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT"
        url = f"{base.rstrip('/')}/v1/{signal}" if base else own
        if not url:
            raise UsageError(
                f"no collector to send {signal} to", hint=f"give --otlp-endpoint http://host:4318, or {_VARIABLE}"
            )
        found[signal] = _checked(url, where)
    return found


def _checked(url: str, where: str) -> str:
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fits = False
    if not fits or not url.isascii() or any(letter <= " " for letter in url):
        raise UsageError(f"{where} is no URL of a collector", hint="write http://host:4318 (OTLP over HTTP, not gRPC)")
    if parts.username is not None or parts.query or parts.fragment:
        raise UsageError(
            f"{where} has a user, a query or a fragment", hint="a secret belongs into OTEL_EXPORTER_OTLP_HEADERS"
        )
    return url


class Collector:
    """Where spans and metrics go. `rejected` counts what was taken in part only."""

    def __init__(self, asked: str = "", *, timeout_s: float | None = None, signals: Iterable[str] = SIGNALS) -> None:
        """UsageError when there is no such place, or no library."""
        self._urls = endpoints(asked, os.environ, signals)
        self._timeout_s = timeout_s if timeout_s is not None else _timeout_of(os.environ)
        self.rejected = 0
        _quiet()
        try:
            from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        except ImportError as exc:
            raise UsageError(
                "OpenTelemetry's exporter is not installed", hint="pip install 'azureml-endpoint-bench[otel]'"
            ) from exc
        kinds = {"traces": OTLPSpanExporter, "metrics": OTLPMetricExporter}
        self._sessions = {signal: _Session() for signal in self._urls}
        self._exporters = {
            signal: kinds[signal](url, timeout=self._timeout_s, session=self._sessions[signal])
            for signal, url in self._urls.items()
        }

    def send_spans(self, spans: Sequence[Any]) -> None:
        """Raises NotTaken."""
        self._send("traces", spans)

    def send_metrics(self, figures: Any) -> bool:
        """An SDK's MetricsData; whether figures were asked for. Raises NotTaken."""
        self._send("metrics", figures)
        return "metrics" in self._exporters

    def close(self) -> None:
        """Leave the connections, and whoever still waits there."""
        for session in self._sessions.values():
            session.close()

    def _send(self, signal: str, what: Any) -> None:
        """Nothing of a signal that was not asked for."""
        if signal not in self._exporters:
            return
        session = self._sessions[signal]
        session.outcome = ""
        result = _within(self._timeout_s + _GRACE_S, lambda: self._exporters[signal].export(what))
        where = f"the collector at {_shown(self._urls[signal])}"
        if result is None:
            raise NotTaken(
                f"{where} did not end its answer within {self._timeout_s + _GRACE_S:g} s", hint="is it well?"
            )
        if result.name != "SUCCESS":
            outcome = session.outcome or "was sent nothing: the exporter gave up without saying why"
            raise NotTaken(f"{where} {outcome}", hint=_HINTS.get(outcome, ""))
        self.rejected += _rejected(signal, session.body)


_HINTS = {
    "answered 401": "its secret belongs into OTEL_EXPORTER_OTLP_HEADERS",
    "answered 403": "its secret belongs into OTEL_EXPORTER_OTLP_HEADERS",
    "answered 404": "is it OTLP over HTTP (port 4318)?",
    "answered 415": "does it take protobuf?",
    "answered 429": "it refused for longer than OTEL_EXPORTER_OTLP_TIMEOUT",
    "cannot be reached": "is it OTLP over HTTP (port 4318)?",
}


class _Session(requests.Session):
    """Follows no redirect and reads little. `outcome` says how the last request ended, `body` what was answered."""

    def __init__(self) -> None:
        super().__init__()
        self.auth = _as_it_is
        self.outcome, self.body = "", b""

    def request(self, method: Any, url: Any, **given: Any) -> requests.Response:  # type: ignore[override]
        self.outcome, self.body = "cannot be reached", b""
        try:
            answer = super().request(method, url, **{**given, "allow_redirects": False, "stream": True})
        except requests.exceptions.Timeout:
            self.outcome = "did not answer in time"
            raise
        with answer:
            self.outcome = f"answered {answer.status_code}"
            self.body = answer.raw.read(_MOST_BYTES, decode_content=False) or b""
        if 300 <= answer.status_code < 400:
            self.outcome = f"answered {answer.status_code}, a redirect, which nobody follows"
            raise requests.exceptions.TooManyRedirects
        answer._content = self.body  # noqa: SLF001 - the exporter reads it again
        return answer


def _as_it_is(request: Any) -> Any:
    """No secret of ~/.netrc is added."""
    return request


def _within(seconds: float, call: Callable[[], Any]) -> Any:
    """What `call` returns, or None when it takes longer or breaks. A socket's time-out begins anew with each byte."""
    found: list[Any] = []

    def work() -> None:
        with contextlib.suppress(Exception):
            found.append(call())

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    return found[0] if found else None


def _rejected(signal: str, body: bytes) -> int:
    """How many the collector took the message without."""
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

    try:
        if signal == "traces":
            return max(int(ExportTraceServiceResponse.FromString(body).partial_success.rejected_spans), 0)
        return max(int(ExportMetricsServiceResponse.FromString(body).partial_success.rejected_data_points), 0)
    except (DecodeError, ValueError):  # JSON, or anything else: it said 200
        return 0


def _timeout_of(environment: Mapping[str, str]) -> float:
    try:
        value = float(environment.get("OTEL_EXPORTER_OTLP_TIMEOUT") or DEFAULT_TIMEOUT_S)
    except ValueError:
        value = 0.0
    if not 0 < value <= 600:
        raise UsageError("OTEL_EXPORTER_OTLP_TIMEOUT is no time", hint="seconds, at most 600")
    return value


def _quiet() -> None:
    """The library logs what we say ourselves, with a URL and an error's text in it."""
    logger = logging.getLogger("opentelemetry.exporter")
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())


def _shown(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
