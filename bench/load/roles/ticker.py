"""What one process writes and sends once a second: samples, failures, its health, how far it is. Edge: files, CPU time.

What a disk does not take is counted (`progress`), and never ends the sending by itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import gevent

from bench.clock import monotonic_ns
from bench.line_file import LineFile
from bench.load.engine.dispatch import Dispatcher
from bench.load.engine.failure_samples import FailureSamples
from bench.load.engine.shared import Engine
from bench.load.roles.closing import close_all
from bench.load.roles.folding import let_others_send
from bench.load.roles.messages import Progress
from bench.load.roles.part import Part
from bench.plan.load_over_time import asked_rate
from bench.plan.run_plan import RunPlan
from bench.process import supervise

_TICK_S = 1.0
_LEAST_CPU_NS = 250_000_000


class Ticker:
    """From `start` to `stop`, each second; `on_tick` receives how far the sending is. Each line says `whose` it is."""

    def __init__(
        self,
        bench: Engine,
        dispatcher: Dispatcher | None,
        *,
        plan: RunPlan,
        part: Part,
        whose: Mapping[str, str],
        health: LineFile,
        failures: FailureSamples,
        on_tick: Callable[[Progress], None],
    ) -> None:
        self._bench = bench
        self._dispatcher = dispatcher
        self.cpu = 0.0
        self.plan = plan
        self._part = part
        self._whose = whose
        self._health = health
        self._failures = failures
        self._on_tick = on_tick
        self._watch = bench.watch
        self._tally = bench.tally
        self._greenlet: Any = None
        self._ticked = (0, 0.0)
        self._served = 0
        self._kept = 0
        self._lost_lines = 0
        self._all_kept_ns = 0
        self._disk_is_full = False

    def start(self) -> None:
        """The clock starts."""
        self._watch.start()
        self._ticked = (monotonic_ns(), time.process_time())
        self._greenlet = supervise.start(self._tick_for_ever, where="health")

    def stop(self) -> None:
        """A last time; nothing where it never started."""
        if self._greenlet is not None:
            self._greenlet.kill()
            self._tick()
            self._watch.stop()

    def lag_ms(self) -> float:
        """How long the oldest unclaimed arrival is overdue."""
        return self._dispatcher.lag_ns() / 1e6 if self._dispatcher is not None else 0.0

    def progress(self) -> Progress:
        """How far this sender is, and what its disk did not take."""
        recorder = self._bench.recorder
        return Progress(
            at_ns=monotonic_ns() - self._bench.zero_ns if self._bench.zero_ns else 0,
            begun=self._dispatcher.claimed if self._dispatcher is not None else self._tally.requests,
            kept=self._kept,
            unwritten=recorder.recorded - recorder.written if self._disk_is_full else 0,
            lost_lines=self._health.lost + self._lost_lines,
            lost_gaps=self._lost_gaps(),
            lost_from_ns=max(self._all_kept_ns - self._bench.zero_ns, 0) if self._disk_is_full else None,
        )

    def answered(self) -> tuple[int, int]:
        """How many requests are over, and now; their samples are on disk after the next flush."""
        begun = self._dispatcher.claimed if self._dispatcher is not None else self._tally.requests
        return max(begun - self._tally.in_flight, 0), monotonic_ns()

    def note_kept(self, answered: int, at_ns: int) -> None:
        """After a flush: what was `answered` before it is on disk, or some of it never will be."""
        if self._bench.recorder.broken or self._bench.chunks.broken:
            self._disk_is_full = True
        elif not self._disk_is_full:
            self._kept, self._all_kept_ns = answered, at_ns

    def note(self, where: str, error: Exception) -> None:
        """What a disk does not take is counted; anything else is a bug."""
        if isinstance(error, OSError):
            self._lost_lines += 1
        else:
            supervise.failed(where, error)

    def write_end(self, end: dict[str, Any]) -> None:
        """Of the closed model all that was begun was due, so nothing can be dropped."""
        recorder = self._bench.recorder
        self._health.write(
            {
                **self._whose,
                "end": True,
                "due": end["due"] if self._dispatcher is not None else self._tally.requests,
                "recorded": recorder.recorded,
                "written": recorder.written,
                "unwritten": recorder.recorded - recorder.written,
                "gaps_written": self._bench.chunks.written,
                "gaps_unwritten": self._bench.chunks.recorded - self._bench.chunks.written,
                "dropped_arrivals": max(end["due"] - end["claimed"], 0),
                "conversations": self._tally.conversations,
            }
        )

    def _lost_gaps(self) -> int:
        """After a flush: gaps between tokens that no disk will take."""
        chunks = self._bench.chunks
        return chunks.recorded - chunks.written if chunks.broken else 0

    def _backlog(self, now_ns: int) -> int:
        """About how many arrivals are overdue: the rate asked for times how long the oldest has waited."""
        lag_s, elapsed_s = self.lag_ms() / 1e3, (now_ns - self._bench.zero_ns) / 1e9
        return round(asked_rate(self.plan, from_s=elapsed_s - lag_s, to_s=elapsed_s) * lag_s / self._part.workers)

    def _tick_for_ever(self) -> None:
        while True:
            gevent.sleep(_TICK_S)
            self._tick()

    def _tick(self) -> None:
        """Samples, health and the report to the master: none of them depends on the others."""
        steps = (
            ("samples", self._flush),
            ("failures", self._failures.write),
            ("health", self._write_health_later),
            ("progress", self._tell_progress),
        )
        for name, error in close_all(steps):
            self.note(f"each second: {name}", error)

    def _flush(self) -> None:
        answered, at_ns = self.answered()
        self._watch.blame("flush")
        self._bench.recorder.flush(self._interrupt_flush)
        self._bench.chunks.flush()
        self.note_kept(answered, at_ns)

    def _interrupt_flush(self) -> None:
        let_others_send()
        self._watch.blame("flush")

    def _write_health_later(self) -> None:
        let_others_send()
        self._write_health()

    def _tell_progress(self) -> None:
        self._on_tick(self.progress())

    def _measure_cpu(self, now_ns: int) -> None:
        """Since the last tick. The run may end right after that one, and a few milliseconds have no share of a core."""
        then_ns, cpu_then_s = self._ticked
        if self.cpu and now_ns - then_ns < _LEAST_CPU_NS:
            return
        cpu_s = time.process_time()
        self._ticked = (now_ns, cpu_s)
        self.cpu = round((cpu_s - cpu_then_s) / max((now_ns - then_ns) / 1e9, 1e-9), 4)

    def _write_health(self) -> None:
        now_ns = monotonic_ns()
        self._measure_cpu(now_ns)
        health = self._watch.drain()
        served = self._tally.requests - self._served
        self._served = self._tally.requests
        zero_ns = self._bench.zero_ns
        for stall in health["stalls"]:
            stall["at_ns"] -= zero_ns
        self._health.write(
            {
                **self._whose,
                "at_ns": now_ns - zero_ns,
                "cpu": self.cpu,
                "requests": self._tally.requests,
                "in_flight": self._tally.in_flight,
                "lag_ms": self.lag_ms(),
                "backlog": self._backlog(now_ns),
                "overhead_ms": health["busy_ms"] / served if served else 0.0,
                "ways": [
                    {"variant": lane.variant.name, **way} for lane in self._bench.lanes for way in lane.ways.read()
                ],
                "held_back": [
                    {"variant": lane.variant.name, **lane.held_back.take()}
                    for lane in self._bench.lanes
                    if lane.held_back.answers
                ],
                **health,
            }
        )
