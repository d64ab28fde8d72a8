"""The intent of a run, and the words of its options. Pure noun; reads no clock, file or environment.

`RunPlan` is what a run was asked to do; all of it goes into the manifest, so every default that
changes a number is written down. `parse_duration_s` and `parse_stages` are the two small grammars.
"""

from __future__ import annotations

import dataclasses
import math
import re
from dataclasses import dataclass
from typing import Any, Self

from bench.endpoint import AuthMode
from bench.errors import UsageError
from bench.plan.request_plan import RequestPlan
from bench.sample import WorkloadModel

DEFAULT_USERS = 20
DEFAULT_DURATION_S = 60.0
DEFAULT_WARM_UP_S = 5.0
AUTO_WARM_UP = "auto"
DEFAULT_AUTO_WARM_UP_S = 30.0
LEAST_AUTO_WARM_UP_S = 1.0
DEFAULT_TIMEOUT_S = 10.0
DEFAULT_MIN_EFFECT_MS = 0.5
DEFAULT_START_TIMEOUT_S = 60.0
ARRIVALS = ("constant", "poisson")
TRACE = "trace"
"""What `RunPlan.arrivals` says where recorded arrivals are replayed."""

_PLAIN = RequestPlan()
_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|)")
_DURATIONS = re.compile(r"\d+(?:\.\d+)?|(?:\d+(?:\.\d+)?\s*(?:ms|s|m|h)\s*)+")
_STAGE = re.compile(r"(?P<for>[^@]+)@(?P<from>\d+(?:\.\d+)?)(?:\.\.(?P<to>\d+(?:\.\d+)?))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A stretch of `duration_s` in which the arrival rate goes linearly from `start_rate` to `end_rate` (1/s)."""

    duration_s: float
    start_rate: float
    end_rate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadChange:
    """What a person made of the load of a run that goes on: from `from_ns` of the run on, both hold.

    `arrival_rate` is None in the closed model.
    """

    from_ns: int
    arrival_rate: float | None
    users: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One side of a comparison, or the only side of a plain run.

    `name` is unique in the run: what tells this side from the others (`bench.plan.variants`). `secret_number` is n
    where the static secret is in BENCH_KEY_n, for URIs of several origins; 0 for BENCH_KEY itself.
    """

    name: str
    auth_mode: AuthMode
    endpoint: str = ""
    scoring_uri: str = ""
    deployment: str = ""
    secret_number: int = 0

    @property
    def shown_uri(self) -> str:
        """The scoring URI for files and messages: some hold a secret in the query, or a password."""
        path, mark, _ = self.scoring_uri.partition("?")
        scheme, slashes, rest = path.partition("//")
        host, slash, way = rest.partition("/")
        return f"{scheme}{slashes}{host.rpartition('@')[2]}{slash}{way}{'?***' if mark else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """What a run is asked to do. `arrival_rate` (1/s over all variants and workers) is None in the closed model.

    `stages` excludes `arrival_rate`; with stages `duration_s` is their sum less the warm-up. `arrivals_from` is a file
    of recorded times, replayed `speed` times as fast. With `warm_up_auto` the warm-up counts as ended where service
    time had settled, and lasts `warm_up_s` at most; the load goes on for as long as if it had lasted that long.
    `goodput` are the objectives that each request must keep to be good (`bench.plan.objectives`).
    `idle_timeout_s`, where it is not 0, is how long a streamed answer may stand still between two events.
    `trace_share` of the requests are marked as sampled in their `traceparent`; None: none has one.
    `users` is the cap on requests in flight over all workers; `min_effect_ms` the smallest difference that matters.
    `changes` are what became of rate and users while the run went on (`bench.plan.load_changes`).
    """

    target: str
    variants: tuple[Variant, ...]
    users: int = DEFAULT_USERS
    arrival_rate: float | None = None
    arrivals: str = "constant"
    stages: tuple[Stage, ...] = ()
    duration_s: float | None = DEFAULT_DURATION_S
    warm_up_s: float = DEFAULT_WARM_UP_S
    timeout_s: float = DEFAULT_TIMEOUT_S
    idle_timeout_s: float = 0.0
    payload: str = ""
    payload_sha256: str = ""
    deployment: str = ""
    ca_file: str = ""
    client_cert: str = ""
    client_key: str = ""
    min_effect_ms: float = DEFAULT_MIN_EFFECT_MS
    seed: int = 0
    processes: int = 1
    start_timeout_s: float = DEFAULT_START_TIMEOUT_S
    arrivals_from: str = ""
    speed: float = 1.0
    warm_up_auto: bool = False
    request: RequestPlan = _PLAIN
    goodput: tuple[str, ...] = ()
    trace_share: float | None = None
    changes: tuple[LoadChange, ...] = ()

    @property
    def model(self) -> WorkloadModel:
        is_open = self.arrival_rate is not None or self.stages or self.arrivals_from
        return WorkloadModel.OPEN if is_open else WorkloadModel.CLOSED

    def as_json(self) -> dict[str, Any]:
        """Plain values for the manifest and for the workers."""
        return {**dataclasses.asdict(self), "model": str(self.model)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The inverse of `as_json`."""
        known = _known(cls, values)
        known["variants"] = tuple(
            Variant(**{**_known(Variant, variant), "auth_mode": AuthMode(variant["auth_mode"])})
            for variant in values["variants"]
        )
        known["stages"] = tuple(Stage(**_known(Stage, stage)) for stage in values.get("stages", ()))
        known["changes"] = tuple(LoadChange(**_known(LoadChange, change)) for change in values.get("changes", ()))
        known["goodput"] = tuple(map(str, values.get("goodput", ())))
        known["request"] = RequestPlan.from_json(values.get("request", {}))
        return cls(**known)


def _known(cls: type, values: dict[str, Any]) -> dict[str, Any]:
    """Without the keys that a newer version may have added."""
    return {field.name: values[field.name] for field in dataclasses.fields(cls) if field.name in values}


def parse_duration_s(text: str, *, option: str = "duration") -> float:
    """`500ms`, `30s`, `2m`, `1h`, `1m30s`, or plain seconds; UsageError names `option`."""
    spoken = text.strip().lower()
    parts = list(_DURATION.finditer(spoken))
    total_s = math.fsum(float(part.group(1)) * _UNITS_S[part.group(2)] for part in parts)
    if not parts or not _DURATIONS.fullmatch(spoken) or not math.isfinite(total_s):
        raise UsageError(f"{option}: {text!r} is not a duration", hint="write 500ms, 30s, 2m or 1m30s")
    return total_s


def is_auto(warm_up: object) -> bool:
    """Whether `--warm-up` leaves it to the figures when the warm-up ends: `auto`, or `auto:2m`."""
    return str(warm_up or "").partition(":")[0].strip().lower() == AUTO_WARM_UP


def parse_stages(text: str) -> tuple[Stage, ...]:
    """`30s@100, 1m@100..1000, 10s@2000`: 30 s at 100/s, a ramp to 1,000/s over a minute, 10 s at 2,000/s."""
    stages = []
    for part in text.split(","):
        match = _STAGE.fullmatch(part.strip())
        if match is None:
            raise UsageError(
                f"--stages: {part.strip()!r} is not a stage", hint="write 30s@100 for a step, 1m@100..1000 for a ramp"
            )
        start_rate = float(match["from"])
        stage = Stage(
            duration_s=parse_duration_s(match["for"], option="--stages"),
            start_rate=start_rate,
            end_rate=float(match["to"]) if match["to"] else start_rate,
        )
        if stage.duration_s <= 0:
            raise UsageError(f"--stages: {part.strip()!r} lasts no time", hint="give it a duration above 0")
        stages.append(stage)
    if all(stage.start_rate == stage.end_rate == 0 for stage in stages):
        raise UsageError("--stages: no stage sends anything", hint="give one a rate above 0")
    return tuple(stages)
