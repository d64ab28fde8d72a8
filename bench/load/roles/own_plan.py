"""The plan of a worker that shares no key with its master: numbers from the master, all else from its command line.

Target, headers and files are the worker's own; hashes show whether they are the master's too. Edge: reads the files.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, Self

import msgspec

from bench.endpoint import AuthMode, Endpoint
from bench.errors import UsageError
from bench.load.engine import request_source
from bench.plan.options import LONGEST_S, MOST_PER_S, MOST_PROCESSES, MOST_SPEED, MOST_USERS
from bench.plan.reading import plan_of
from bench.plan.run_plan import TRACE, RunPlan, Stage
from bench.plan.variants import sides_of
from bench.target.spec import TargetSpec, kind_of, secret_headers_of, spec_of, variants_of

_Seconds = Annotated[float, msgspec.Meta(ge=0, le=LONGEST_S)]
_NOT_COMPARED = ("payload", "payload_sha256", "ca_file", "client_cert", "client_key", "goodput")
"""Paths may differ from host to host, what is in the payload is compared by itself, and the master judges answers."""


class Numbers(msgspec.Struct, frozen=True, kw_only=True):
    """How much is sent and when: nothing in it says where to, or what."""

    users: Annotated[int, msgspec.Meta(ge=1, le=MOST_USERS)]
    arrival_rate: Annotated[float, msgspec.Meta(gt=0, le=MOST_PER_S)] | None
    arrivals: Literal["constant", "poisson", "trace"]
    stages: tuple[Stage, ...]
    duration_s: _Seconds | None
    warm_up_s: _Seconds
    warm_up_auto: bool
    timeout_s: Annotated[float, msgspec.Meta(gt=0, le=LONGEST_S)]
    min_effect_ms: Annotated[float, msgspec.Meta(ge=0)]
    seed: Annotated[int, msgspec.Meta(ge=0)]
    processes: Annotated[int, msgspec.Meta(ge=1, le=MOST_PROCESSES)]
    start_timeout_s: _Seconds
    speed: Annotated[float, msgspec.Meta(gt=0, le=MOST_SPEED)]
    idle_timeout_s: _Seconds

    @classmethod
    def of(cls, plan: RunPlan) -> Self:
        return cls(**{name: getattr(plan, name) for name in cls.__struct_fields__})

    def __post_init__(self) -> None:
        for stage in self.stages:
            rates_fit = all(0 <= rate <= MOST_PER_S for rate in (stage.start_rate, stage.end_rate))
            if not (rates_fit and 0 < stage.duration_s <= LONGEST_S):
                raise ValueError("a stage is out of bounds")

    def put_into(self, plan: RunPlan) -> RunPlan:
        """The plan with these."""
        return dataclasses.replace(plan, **{name: getattr(self, name) for name in self.__struct_fields__})


class PlanHashes(msgspec.Struct, frozen=True, kw_only=True):
    """sha256 of what the numbers leave out: the plan, the payload, the request file (empty without one)."""

    plan: str
    payload: str
    requests: str

    @classmethod
    def of(cls, plan: RunPlan) -> Self:
        values = plan.as_json()
        request = values["request"]
        hashes = {"payload": values["payload_sha256"], "requests": request["requests_sha256"]}
        for name in (*Numbers.__struct_fields__, *_NOT_COMPARED):
            del values[name]
        for name in ("requests", "requests_sha256"):
            del request[name]
        request["chat"] = bool(request["chat"])
        if request["prompts"]:
            request["prompts"]["tokenizer"] = bool(request["prompts"]["tokenizer"])
        values["arrivals_from"] = bool(plan.arrivals_from)
        values["trace"] = dataclasses.asdict(plan)["stages"] if plan.arrivals == TRACE else []
        for shown, variant in zip(values["variants"], plan.variants, strict=True):
            shown["scoring_uri"] = (
                variant.shown_uri
            )  # a query may hold a secret, which a bare hash would let be guessed
        text = json.dumps(values, sort_keys=True)
        return cls(plan=hashlib.sha256(text.encode()).hexdigest(), **hashes)

    def differing(self, other: PlanHashes) -> str:
        """What differs and what to do, in one line; empty when nothing does."""
        if self.requests != other.requests:
            return _line("request file", "have the same --requests file on every host", self.requests, other.requests)
        if self.payload != other.payload:
            hint = "have the same --payload, --chat or --tokenizer file, and the same version, on every host"
            return _line("payload", hint, self.payload, other.payload)
        if self.plan != other.plan:
            return _line("plan", "give every worker the master's target and request options", self.plan, other.plan)
        return ""


def own_plan(
    options: Mapping[str, Any],
    numbers: Numbers,
    *,
    default_modes: tuple[AuthMode, ...],
    describe: Callable[[TargetSpec], Mapping[str, Endpoint]],
) -> tuple[RunPlan, TargetSpec]:
    """What this worker was started for. Raises BenchError; no secret leaves the process, and ARM alone is asked."""
    names = (*Numbers.__struct_fields__, "stages")
    values = {name: value for name, value in options.items() if name not in names}
    if kind_of(values) == "emulator":
        raise UsageError("the master's emulator is only for workers with its key", hint="set BENCH_RELAY_KEY")
    spec = spec_of(values, default_modes=default_modes, emulator=None)
    plan = numbers.put_into(plan_of(values, target=spec.kind, variants=(), payload_sha256=""))
    sides = sides_of(values, default_modes=default_modes)
    for place in range(max(len(sides.scoring_uris), 1)):
        secret_headers_of(plan.request, sides.scoring_uris, place)
    plan = request_source.complete(plan, request_source.load(plan, check=False))
    return dataclasses.replace(plan, variants=variants_of(spec, describe(spec), sides)), spec


def _line(what: str, hint: str, here: str, there: str) -> str:
    return f"its {what} is not the master's (sha256 {here[:12] or 'none'}, not {there[:12] or 'none'}); {hint}"
