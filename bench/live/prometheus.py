"""A run's live figures for Prometheus, on a port of their own (`--prometheus-port`). Edge: owns that port.

`SERIES` is the list of what there is; the page of the guide is made of it. Histograms come from the live sketches, so a
bucket's count is at most 1 % off in time; counters begin anew with each run, as Prometheus expects of a restart.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from prometheus_client import start_http_server
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector, CollectorRegistry

from bench.errors import UsageError
from bench.live.board import Board, lights
from bench.live.sketch import Sketch
from bench.live.view import View

_HOST = "127.0.0.1"
_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_LIGHTS = {"ok": 0, "doubtful": 1, "bad": 2}


@dataclass(frozen=True, slots=True)
class Series:
    """One family: its name, kind, labels and help."""

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str


SERIES = (
    Series("bench_requests_total", "counter", ("variant", "outcome", "cause"), "Requests that ended, by how."),
    Series(
        "bench_response_time_seconds",
        "histogram",
        ("variant",),
        "From when a request was due to its complete answer, of answers that were ok.",
    ),
    Series(
        "bench_service_time_seconds",
        "histogram",
        ("variant",),
        "From when a request was sent to its complete answer, of answers that were ok.",
    ),
    Series("bench_replays_total", "counter", ("variant",), "Requests sent once more with a newer credential."),
    Series("bench_in_flight", "gauge", (), "Requests under way."),
    Series("bench_schedule_lag_seconds", "gauge", (), "How long the oldest arrival is overdue."),
    Series("bench_lease_generation", "gauge", ("variant", "auth_mode"), "Number of the credential in use."),
    Series("bench_lease_life_seconds", "gauge", ("variant", "auth_mode"), "What is left of a credential that expires."),
    Series("bench_credential_fetches_total", "counter", ("variant",), "Credential fetches that ended."),
    Series("bench_credential_fetch_failures_total", "counter", ("variant",), "Credential fetches that failed."),
    Series("bench_worker_cpu_ratio", "gauge", ("worker",), "CPU of a worker, as a share of a core."),
    Series("bench_light", "gauge", ("light",), "Could the figures be believed now: 0 yes, 1 doubtful, 2 no."),
    Series("bench_running", "gauge", (), "1 while a run goes on."),
)
_BY_NAME = {series.name: series for series in SERIES}


class Watched(Protocol):
    """The part of the run's master that is looked at."""

    board: Board

    def view(self) -> View: ...


def serve(port: int, master: Watched) -> None:
    """Answer scrapes on a loopback port for as long as the process lives. UsageError when the port cannot be had."""
    registry = CollectorRegistry()
    registry.register(LiveCollector(master))
    try:
        start_http_server(port, addr=_HOST, registry=registry)
    except OSError as exc:
        raise UsageError(f"--prometheus-port {port} cannot be had: {exc.strerror}", hint="choose another port") from exc


class LiveCollector(Collector):
    """The families of one scrape."""

    def __init__(self, master: Watched) -> None:
        self._master = master

    def collect(self) -> Iterator[Metric]:
        view, board = self._master.view(), self._master.board
        requests, replays = _family("bench_requests_total"), _family("bench_replays_total")
        times = {name: _family(f"bench_{name}_seconds") for name in ("response_time", "service_time")}
        for variant, figures in view["variants"].items():
            whole = figures["whole"]
            for kind, count in whole["outcomes"].items():
                outcome, _, cause = kind.partition(": ")
                requests.add_metric([variant, outcome, cause], count)
            replays.add_metric([variant], figures["replays"])
            for name, pairs in (("response_time", whole["response_time"]), ("service_time", whole["service_time"])):
                sketch = Sketch(pairs)
                buckets = [(str(bound), float(sketch.at_most_ms(bound * 1e3))) for bound in _BOUNDS_S]
                times[name].add_metric([variant], [*buckets, ("+Inf", float(sketch.total))], sketch.sum_ms() / 1e3)
        yield from (requests, replays, *times.values())
        yield from _leases(view)
        yield _gauge("bench_in_flight", view["in_flight"])
        yield _gauge("bench_schedule_lag_seconds", view["lag_ms"] / 1e3)
        yield _gauge("bench_running", board.state == "running")
        cpu, light = _family("bench_worker_cpu_ratio"), _family("bench_light")
        for worker, facts in view["workers"].items():
            cpu.add_metric([worker], facts["cpu"])
        for one in lights(view, board.newest):
            light.add_metric([one["name"]], _LIGHTS[one["state"]])
        yield from (cpu, light)


def _leases(view: View) -> Iterator[Metric]:
    generation, life = _family("bench_lease_generation"), _family("bench_lease_life_seconds")
    fetches, failures = _family("bench_credential_fetches_total"), _family("bench_credential_fetch_failures_total")
    for lease in view["leases"]:
        labels = [lease["variant"], str(lease["auth_mode"])]
        generation.add_metric(labels, lease["generation"])
        if lease["life_left_s"] is not None:
            life.add_metric(labels, max(lease["life_left_s"], 0))
        fetches.add_metric(labels[:1], lease["flights"])
        failures.add_metric(labels[:1], lease["failures"])
    yield from (generation, life, fetches, failures)


def _family(name: str) -> Any:
    series = _BY_NAME[name]
    kinds = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily, "histogram": HistogramMetricFamily}
    return kinds[series.kind](name, series.help, labels=series.labels)


def _gauge(name: str, value: float) -> Metric:
    family = _family(name)
    family.add_metric([], value)
    made: Metric = family
    return made
