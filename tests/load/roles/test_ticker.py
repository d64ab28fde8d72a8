"""What a process writes and reports each second: only what is on disk counts as kept, and no share of a moment."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.line_file import LineFile
from bench.load.engine.shared import Tally
from bench.load.roles import ticker
from bench.load.roles.messages import Progress
from bench.load.roles.ticker import Ticker


class Recorder:
    """Of samples: what is recorded in a pause of a flush is not written by it."""

    recorded = written = 0
    broken = False

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    def flush(self, pause: Callable[[], object]) -> None:
        to_write = self.recorded
        pause()
        self._tally.requests += 3
        self.recorded += 3
        if not self.broken:
            self.written = to_write


@pytest.fixture
def made(tmp_path: Path) -> SimpleNamespace:
    """A ticker of a closed model, with its parts."""
    tally, reports = Tally(requests=10, in_flight=2), list[Progress]()
    recorder = Recorder(tally)
    recorder.recorded = 8
    health = {"stall_max_ms": 0.0, "stalls": [], "gc_ms": 0.0, "busy_ms": 1.0}
    bench: Any = SimpleNamespace(
        watch=SimpleNamespace(start=lambda: None, stop=lambda: None, blame=lambda _: None, drain=health.copy),
        tally=tally,
        recorder=recorder,
        chunks=SimpleNamespace(flush=lambda: None, broken=False, recorded=0, written=0),
        lanes=(),
        zero_ns=1,
    )
    plan: Any = SimpleNamespace(arrival_rate=None, stages=(), changes=())
    part: Any = SimpleNamespace(workers=1)
    failures: Any = SimpleNamespace(write=lambda: None)
    file = tmp_path / "w0.jsonl"
    made = Ticker(
        bench,
        None,
        plan=plan,
        part=part,
        whose={"worker": "w0"},
        health=LineFile(file),
        failures=failures,
        on_tick=reports.append,
    )
    return SimpleNamespace(ticker=made, recorder=recorder, reports=reports, file=file)


def test_what_is_answered_while_samples_are_written_is_not_kept_yet(made: SimpleNamespace) -> None:
    """Three more are over in a pause of the flush; the next tick writes them."""
    made.ticker._tick()
    made.ticker._tick()
    assert [(one.begun, one.kept, one.unwritten) for one in made.reports] == [(13, 8, 0), (16, 11, 0)]


def test_after_a_disk_that_took_nothing_no_more_is_kept(made: SimpleNamespace) -> None:
    """What is missing is counted, and from when."""
    made.ticker._tick()
    made.recorder.broken = True
    made.ticker._tick()
    assert [one.kept for one in made.reports] == [8, 8]
    assert made.reports[1].unwritten == 14 - 8
    assert made.reports[0].lost_from_ns is None
    assert made.reports[1].lost_from_ns is not None


def test_the_last_moment_of_a_run_has_no_share_of_a_core(
    made: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two milliseconds after a tick a busy process would have used all of its core."""
    now_s, cpu_s = [100.0], [5.0]
    monkeypatch.setattr(ticker, "monotonic_ns", lambda: round(now_s[0] * 1e9))
    monkeypatch.setattr(ticker.time, "process_time", lambda: cpu_s[0])
    made.ticker.start()
    for after_s, used_s in ((1.0, 0.3), (0.002, 0.002), (1.0, 0.5)):
        now_s[0] += after_s
        cpu_s[0] += used_s
        made.ticker._write_health()
    shares = [json.loads(line)["cpu"] for line in made.file.read_text().splitlines()]
    assert shares == [0.3, 0.3, pytest.approx(0.501, abs=0.001)]
    made.ticker.stop()
