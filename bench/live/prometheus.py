"""A run's live figures for Prometheus, on a port of their own (`--prometheus-port`). Edge: owns that port.

Histograms come from the live sketches, so a bucket's count is at most 1 % off in time; counters begin anew with each
run, as Prometheus expects of a restart. Who asks for protobuf, as a Prometheus with native histograms does, gets it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

from prometheus_client import make_wsgi_app, start_http_server
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector, CollectorRegistry

from bench.errors import UsageError
from bench.live.board import Board
from bench.live.prometheus_protobuf import CONTENT_TYPE, exposition
from bench.live.prometheus_series import measured
from bench.live.sketch import Sketch
from bench.live.view import View

_HOST = "127.0.0.1"
_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_FAMILIES = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily, "histogram": HistogramMetricFamily}
_LONGEST_ACCEPT = 2048
PROTOBUF, OPEN_METRICS, PLAIN = "application/vnd.google.protobuf", "application/openmetrics-text", "text/plain"
_PROTOBUF_AS = {"proto": "io.prometheus.client.MetricFamily", "encoding": "delimited"}

App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Watched(Protocol):
    """The part of the run's master that is looked at."""

    board: Board

    def view(self) -> View: ...


def serve(port: int, master: Watched) -> None:
    """Answer scrapes on a loopback port for as long as the process lives. UsageError when the port cannot be had."""
    registry = CollectorRegistry()
    registry.register(LiveCollector(master))
    try:
        server, _ = start_http_server(port, addr=_HOST, registry=registry)
    except OSError as exc:
        raise UsageError(f"--prometheus-port {port} cannot be had: {exc.strerror}", hint="choose another port") from exc
    server.set_app(negotiated(make_wsgi_app(registry), master))


def negotiated(text: App, master: Watched) -> App:
    """`text`, which is shown no stranger's Accept header but what came of it; protobuf for who wants that."""

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        form = wanted(environ.get("HTTP_ACCEPT", ""))
        if form != PROTOBUF or environ["REQUEST_METHOD"] != "GET":
            return text({**environ, "HTTP_ACCEPT": PLAIN if form == PROTOBUF else form}, start_response)
        body = exposition(measured(master.view(), master.board), _BOUNDS_S)
        start_response("200 OK", [("Content-Type", CONTENT_TYPE), ("Content-Length", str(len(body)))])
        return [body]

    return app


def wanted(accept: str) -> str:
    """The form that an Accept header likes best, protobuf before OpenMetrics before plain text; plain when in doubt."""
    liked = {PLAIN: 0.0}
    for one in accept.split(",") if len(accept) <= _LONGEST_ACCEPT else ():
        form, *parameters = (part.strip() for part in one.split(";"))
        values = dict(parameter.partition("=")[::2] for parameter in parameters)
        known = form in (OPEN_METRICS, PLAIN) or (form == PROTOBUF and values.items() >= _PROTOBUF_AS.items())
        weight = _weight(values.get("q", "1"))
        if known and weight:
            liked[form] = max(weight, liked.get(form, 0.0))
    return max((form for form in (PROTOBUF, OPEN_METRICS, PLAIN) if form in liked), key=liked.__getitem__)


def _weight(text: str) -> float:
    """Of a form in an Accept header, 0 to 1; 0 of what is no such number."""
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if 0 <= value <= 1 else 0.0


class LiveCollector(Collector):
    """The families of one scrape."""

    def __init__(self, master: Watched) -> None:
        self._master = master

    def collect(self) -> Iterator[Metric]:
        for series, rows in measured(self._master.view(), self._master.board).items():
            family: Any = _FAMILIES[series.kind](series.name, series.help, labels=series.labels)
            for labels, value in rows:
                if isinstance(value, Sketch):
                    buckets = [(str(bound), float(value.at_most_ms(bound * 1e3))) for bound in _BOUNDS_S]
                    family.add_metric(labels, [*buckets, ("+Inf", float(value.total))], value.sum_ms() / 1e3)
                else:
                    family.add_metric(labels, value)
            yield family
