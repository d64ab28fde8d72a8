"""A run's live figures to an OpenTelemetry collector (`--otlp-endpoint`). Edge: sends, in a greenlet of its own.

The figures are those that Prometheus is shown, under the names of the semantic conventions where these have one. A
collector that hangs or refuses costs the run nothing but its figures: what one message could not deliver the next one
does, for they are cumulative.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Protocol

import gevent

from bench import clock
from bench.live.board import Board
from bench.live.prometheus_series import SERIES, SERVICE_TIME, Series, measured
from bench.live.sketch import Sketch
from bench.live.view import View
from bench.otlp.collector import Collector, NotTaken
from bench.otlp.messages import BOUNDS_S, Buckets, Instrument, Point, message, resource_of
from bench.otlp.variant_facts import Attributes, VariantFacts, resource_attributes, variant_facts
from bench.plain_text import write_line
from bench.plan.run_plan import RunPlan
from bench.process import supervise

_EVERY_S = 10.0
_LAST_WORD_S = 2.0
_UNITS = {"_seconds": "s", "_ratio": "1", "_total": ""}


class Watched(Protocol):
    """The part of the run's master that is looked at."""

    board: Board

    @property
    def plan(self) -> RunPlan | None: ...

    def view(self) -> View: ...


class Export:
    """Goes on until `close`; `finish` sends a last message before that, which may take two seconds."""

    def __init__(self, url: str, master: Watched) -> None:
        """UsageError for what is no collector."""
        self._collector = Collector(url, signals=("metrics",))
        self._master = master
        self._run = ""
        self._start_ns = 0
        self._fails = False
        self._exported_to_its_end = ""
        self._going = supervise.start(self._go, where="the export of live figures")

    def finish(self) -> None:
        """What happened since the last message; nothing where nobody took that."""
        if not self._fails:
            with gevent.Timeout(_LAST_WORD_S, False):
                self.send()
        self.close()

    def close(self) -> None:
        """Send nothing more."""
        self._going.kill(block=False)
        self._collector.close()

    def send(self) -> None:
        """The figures now; nothing before the first run, and once more when one has ended."""
        board = self._master.board
        is_running = board.state == "running"
        if not board.run_id or board.run_id == self._exported_to_its_end:
            return
        now_ns = clock.ClockAnchor.now().wall_ns
        if board.run_id != self._run:
            self._run, self._start_ns = board.run_id, now_ns - round(board.now_s * 1e9)
        facts = _facts(self._master.plan, board.run_id)
        points = list(points_of(self._master.view(), board, facts))
        resource = resource_of(resource_attributes({"run_id": board.run_id}))
        try:
            self._collector.send_metrics(message(points, resource=resource, start_ns=self._start_ns, at_ns=now_ns))
        except NotTaken as exc:
            if not self._fails:
                write_line(sys.stderr, f"note: live figures are not taken: {exc.describe()}; the run goes on")
            self._fails = True
            return
        self._fails = False
        if not is_running:
            self._exported_to_its_end = board.run_id

    def _go(self) -> None:
        while True:
            gevent.sleep(_EVERY_S)
            self.send()


def points_of(view: View, board: Board, facts: dict[str, VariantFacts]) -> Iterator[Point]:
    """Every series of the live figures, in the form of a collector."""
    for series, rows in measured(view, board).items():
        for labels, value in rows:
            attributes: Attributes = {
                f"bench.{name}": label for name, label in zip(series.labels, labels, strict=True) if label
            }
            known = facts.get(str(attributes.get("bench.variant")))
            if series is SERVICE_TIME and known is not None:
                attributes |= known.server
            yield INSTRUMENTS[series], attributes, _buckets(value) if isinstance(value, Sketch) else value


def _buckets(times: Sketch) -> Buckets:
    """Within the sketch's 1 %."""
    below = [times.at_most_ms(bound * 1e3) for bound in BOUNDS_S]
    counts = [after - before for before, after in zip([0, *below], [*below, times.total], strict=True)]
    return Buckets(tuple(counts), times.sum_ms() / 1e3)


def _facts(plan: RunPlan | None, run_id: str) -> dict[str, VariantFacts]:
    if plan is None:
        return {}
    variants = {one.name: {"auth_mode": str(one.auth_mode), "scoring_uri": one.shown_uri} for one in plan.variants}
    return variant_facts({"run_id": run_id, "plan": plan.as_json(), "variants": variants})


def _instrument(series: Series) -> Instrument:
    """`bench_lease_life_seconds` is `bench.lease_life` in s; what the endpoint took is a client's duration."""
    name, unit = series.name.removeprefix("bench_"), "1"
    for ending, ucum in _UNITS.items():
        if name.endswith(ending):
            name, unit = name.removesuffix(ending), ucum or "1"
    shown = "http.client.request.duration" if series is SERVICE_TIME else f"bench.{name}"
    return Instrument(shown, series.kind, unit, series.help)


INSTRUMENTS = {series: _instrument(series) for series in SERIES}
