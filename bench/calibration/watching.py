"""What it costs to watch a run, on the process that sends: at 500/s, with two variants, an hour after its start. Edge:
for `bench calibrate --costs`.

view        what can be seen, made of the samples' sketches, as each of the others asks for it
board       the terminal's, drawn anew
point       of the live page's charts
page        an answer to one browser that looks at the live page
scrape      of Prometheus, in text
"""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from prometheus_client import CollectorRegistry, generate_latest

from bench.endpoint import AuthMode
from bench.live.board import Board
from bench.live.prometheus import LiveCollector
from bench.live.rolling import WINDOW_S, Rolling
from bench.live.terminal import Progress
from bench.live.view import NOTHING, View
from bench.plan.run_plan import RunPlan, Variant
from bench.sample import NO_TIME, Outcome, TokensFrom
from bench.samples.recorder import Recorder

VIEW = "making a view"
_RATE = 500
_HOUR_S = 3600
_TIMES = 50
_VARIANTS = ("key", "aml_token")
_PLAN = RunPlan(
    target="emulator",
    variants=tuple(Variant(name=name, auth_mode=AuthMode(name)) for name in _VARIANTS),
    arrival_rate=_RATE,
    duration_s=2 * _HOUR_S,
)


class _Terminal(io.StringIO):
    """One that forgets what was drawn."""

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        return len(text)


class _Watched:
    """A run after an hour."""

    def __init__(self, rolling: Rolling) -> None:
        self._rolling = rolling
        self.board = Board()
        self.board.begin("20260101-000000-000-beef", _PLAN)
        self.now_s = float(_HOUR_S)

    def view(self) -> View:
        variants = self._rolling.figures(_HOUR_S)
        total = sum(sum(one["whole"]["outcomes"].values()) for one in variants.values())
        return {**NOTHING, "requests": total, "in_flight": 12, "variants": variants}


def watching() -> Iterator[tuple[str, float]]:
    """What each costs, in us of CPU; all but the first have a view made for them, as in a run."""
    with tempfile.TemporaryDirectory(prefix="bench-costs-") as folder:
        watched = _Watched(_rolling(Path(folder)))
    board = watched.board

    def point() -> None:
        watched.now_s += 1
        board.tick(watched.now_s, watched.view(), asked_rate=_RATE)

    progress = Progress(_Terminal(), size=lambda _: (_ for _ in ()).throw(OSError()))
    registry = CollectorRegistry()
    registry.register(LiveCollector(watched))
    parts: dict[str, Callable[[], Any]] = {
        VIEW: watched.view,
        "drawing the terminal's board": lambda: progress.tick(_PLAN, watched.now_s, watched.view),
        "a point of the live page": point,
        "an answer to the live page": lambda: json.dumps(board.as_json(watched.view(), since_s=watched.now_s - 1)),
        "a scrape by Prometheus": lambda: generate_latest(registry),
    }
    for name, part in parts.items():
        yield name, _each_us(part, watched)


def _each_us(part: Callable[[], Any], watched: _Watched) -> float:
    part()
    began = process_time()
    for _ in range(_TIMES):
        watched.now_s += 1
        part()
    return (process_time() - began) / _TIMES * 1e6


def _rolling(folder: Path) -> Rolling:
    """An hour of samples, of which the last ten seconds lie in seconds of their own."""
    recorder = Recorder(folder / "w0.arrows", metadata={})
    codes = [recorder.variants.code(name) for name in _VARIANTS]
    rolling = Rolling({column: known.codes for column, known in recorder.words.items()})
    generator = np.random.default_rng(1)
    for second in (*range(0, _HOUR_S - WINDOW_S, 60), *range(_HOUR_S - WINDOW_S, _HOUR_S)):
        rows = recorder.blank_rows(_RATE)
        rows["variant"] = np.resize(codes, _RATE)
        rows["outcome"] = recorder.outcomes.codes[Outcome.OK.value]
        rows["tokens_from"] = recorder.tokens_from.codes[TokensFrom.NONE.value]
        rows["first_token_ns"] = NO_TIME
        rows["intended_ns"] = rows["sent_ns"] = second * 10**9
        rows["done_ns"] = rows["sent_ns"] + (10e6 + generator.exponential(20e6, _RATE)).astype(np.int64)
        rolling.fold(rows)
    recorder.close()
    return rolling
