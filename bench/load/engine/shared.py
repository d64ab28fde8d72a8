"""What all users of one process share in one run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from bench.load.engine.answer_checks import AnswerChecks
from bench.load.engine.failure_samples import FailureSamples
from bench.load.engine.feeder import Feeder
from bench.load.engine.lane import Lane
from bench.load.wire.deadlines import Deadlines
from bench.load.wire.hub_watch import HubWatch
from bench.samples.chunks import ChunkRecorder
from bench.samples.recorder import Recorder
from bench.trace_context import TraceContext


class Listeners(Protocol):
    """Who hears of each request beside the recorder. `wanted` is asked first: an event costs more than a sample."""

    @property
    def wanted(self) -> bool: ...

    def fire(self, **request: Any) -> None: ...

    def failed(self, name: str, error: BaseException) -> None: ...


class ScoringFailure(Exception):
    """What Locust counts a failed request under; one object for each kind of failure, so that it groups them."""


@dataclass(slots=True)
class Tally:
    """Counters of this process for progress and the web UI. `between_turns` are users that will go on with a
    conversation; `conversations` are how many of each variant ended how."""

    requests: int = 0
    failures: int = 0
    auth_failures: int = 0
    in_flight: int = 0
    between_turns: int = 0
    conversations: dict[str, dict[str, int]] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Engine:
    """What all users of this process share in one run."""

    lanes: tuple[Lane, ...]
    recorder: Recorder
    watch: HubWatch
    deadlines: Deadlines
    tally: Tally
    feeder: Feeder
    timeout_ns: int
    id_prefix: bytes
    events: Listeners
    failures: FailureSamples
    chunks: ChunkRecorder
    idle_ns: int = 0
    checks: AnswerChecks | None = None
    trace: TraceContext | None = None
    zero_ns: int = 0
    measure_from_ns: int = 0
    sequence: int = 0
    errors: dict[tuple[str, str, str, int], ScoringFailure] = field(default_factory=dict)
