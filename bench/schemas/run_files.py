"""What a run writes while it goes on: manifest, flights, health, failures. Pure."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from bench.endpoint import Deployment
from bench.schemas.plan import Plan
from bench.schemas.values import Count, Name, Ns, Seconds, Version, WallNs


class EndpointFacts(Struct, frozen=True):
    """What ARM reported about an endpoint; `deployments` is null where they may not be listed."""

    name: str = ""
    auth_mode: str = ""
    state: str = ""
    network_access: str = ""
    traffic: list[tuple[str, int]] = []
    mirror_traffic: list[tuple[str, int]] = []
    deployments: list[Deployment] | None = None


class Target(Struct, frozen=True):
    """What kind of target it was: an emulator, an endpoint, a scoring URI. `notes` were shown before the run."""

    kind: str
    endpoints: dict[str, EndpointFacts] = {}
    notes: list[str] = []


class VariantFacts(Struct, frozen=True):
    """What is known of a variant besides its plan."""

    auth_mode: str
    endpoint: str = ""
    scoring_uri: str = ""
    deployment: str = ""
    proxy: str = ""
    proxy_auth: str = ""
    request_bytes: Count | None = None


class Host(Struct, frozen=True):
    """The machine."""

    cpus: int | None = None
    usable_cpus: int | None = None
    cpu_model: str = ""
    kernel: str = ""
    hostname: str = ""


class Clock(Struct, frozen=True):
    """The run's zero on two clocks."""

    monotonic_ns: Annotated[int, Meta(ge=0, le=2**62)]
    wall_ns: WallNs
    pacer: str = ""


class Ended(Struct, frozen=True):
    """When and why the run ended."""

    at_ns: Ns
    reason: str
    error: str = ""


class ScriptedFault(Struct, frozen=True):
    """A fault that was scripted for the emulator, in seconds from the run's zero; `to_s` is null if it never ends."""

    do: str
    from_s: float
    to_s: float | None = None
    answer: str = ""


class LostWorker(Struct, frozen=True):
    """A worker that was lost, when, how that showed, and what was lost with it."""

    worker: str
    at_ns: Ns
    why: str
    lost_samples: Count
    taken_over: bool


class DiskLoss(Struct, frozen=True):
    """What the disk did not take; samples from `lost_from_s` on."""

    lost_from_s: float | None = None
    unwritten_samples: Count = 0
    lost_lines: Count = 0
    lost_pieces: Count = 0
    lost_gaps: Count = 0


class ShapeStage(Struct, frozen=True):
    """A stretch of the load that a LoadTestShape asked for, from `from_s` of the run to the next."""

    from_s: Seconds
    fewest_users: Count
    most_users: Count
    spawn_rate: float


class LoadShape(Struct, frozen=True):
    """A LoadTestShape: how often it asked for something else, and that in stages, of which there are few."""

    name: str
    changes: Count = 0
    stages: list[ShapeStage] = []


class Manifest(Struct, frozen=True, kw_only=True):
    """`manifest.json`. `ended`, `samples` and `chunks` (by worker) and `flights` are there once the run has ended."""

    schema_version: Version
    run_id: Name
    plan: Plan
    seed: int
    measure_from_ns: Annotated[int, Meta(ge=0, le=2**53)]
    target: Target
    variants: dict[str, VariantFacts]
    host: Host
    clock: Clock
    workers: list[Name]
    versions: dict[str, str] = {}
    ended: Ended | None = None
    samples: dict[str, Count] = {}
    chunks: dict[str, Count] = {}
    flights: Count | None = None
    lost: list[LostWorker] = []
    lost_samples: Count = 0
    disk: DiskLoss | None = None
    faults: list[ScriptedFault] = []
    shape: LoadShape | None = None


class Flight(Struct, frozen=True, kw_only=True):
    """A line of `flights.jsonl`: one credential fetch. Old files do not say of which run."""

    run_id: str = ""
    variant: str
    cause: str
    outcome: str
    started_ns: Ns
    ended_ns: Ns
    auth_mode: str = ""
    generation: Count = 0
    attempts: Count = 1
    waiters: Count = 0
    longest_wait_ns: Ns = 0
    error: str = ""


class Stall(Struct, frozen=True, kw_only=True):
    """A time in which a worker's event loop stood still."""

    at_ns: Ns
    ms: float
    cause: str = ""


class Way(Struct, frozen=True, kw_only=True):
    """Connections of one variant to one address in a second of a worker. `to` is the first TCP end: with a proxy, that.

    `round_trip_ms` is the median over connections of the shortest that each ever had, null where the system does not
    tell it (`TCP_INFO` of Linux). `sent_again`: TCP segments.
    """

    variant: str
    to: str
    open: Count
    opened: Count
    round_trip_ms: float | None
    sent_again: Count


class HeldBack(Struct, frozen=True, kw_only=True):
    """Answers of one variant in a second of a worker that say that bandwidth held them or their requests back, and for
    how long together."""

    variant: str
    answers: Count
    request_ms: float
    response_ms: float


class HealthTick(Struct, frozen=True, kw_only=True):
    """A line of `health/<worker>.jsonl`: a second of a worker. Old files do not say of which run and worker."""

    run_id: str = ""
    worker: str = ""
    at_ns: Ns
    cpu: float
    stalls: list[Stall]
    requests: Count = 0
    in_flight: Count = 0
    backlog: float = 0
    lag_ms: float = 0
    overhead_ms: float = 0
    stall_max_ms: float = 0
    gc_ms: float = 0
    busy_ms: float = 0
    ways: list[Way] = []
    held_back: list[HeldBack] = []


class HealthEnd(Struct, frozen=True, kw_only=True):
    """The last line of `health/<worker>.jsonl`: what a worker has done and lost. `conversations` by variant and end."""

    run_id: str = ""
    worker: str = ""
    end: bool
    written: Count
    unwritten: Count
    dropped_arrivals: Count
    due: Count = 0
    recorded: Count = 0
    gaps_written: Count = 0
    gaps_unwritten: Count = 0
    conversations: dict[str, dict[str, Count]] = {}
