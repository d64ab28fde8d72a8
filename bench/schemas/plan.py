"""The plan in a manifest: `bench.plan.run_plan.RunPlan` with the limits of its numbers. Pure."""

from __future__ import annotations

import dataclasses
import typing
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from bench.plan.load_changes import are_possible
from bench.plan.run_plan import ARRIVALS, TRACE, LoadChange, RunPlan, Stage, Variant
from bench.schemas.values import Rate, Seconds

_BOUNDS: dict[str, Any] = {
    "variants": Annotated[tuple[Variant, ...], Meta(min_length=1)],
    "users": Annotated[int, Meta(ge=1, le=10**9)],
    "arrival_rate": Rate | None,
    "arrivals": typing.Literal[(*ARRIVALS, TRACE)],
    "duration_s": Seconds | None,
    "warm_up_s": Seconds,
    "timeout_s": Seconds,
    "idle_timeout_s": Seconds,
    "min_effect_ms": Annotated[float, Meta(gt=0, le=1e9)],
    "trace_share": Annotated[float, Meta(ge=0, le=1)] | None,
    "processes": Annotated[int, Meta(ge=1, le=10**6)],
}
_OF_VERSION_1 = {
    *("target", "variants", "users", "arrival_rate", "arrivals", "stages", "duration_s", "warm_up_s", "timeout_s"),
    *("payload", "payload_sha256", "deployment", "ca_file", "min_effect_ms", "seed", "processes"),
}
"""What every plan that was ever written has; a field that was added later has its default where it is missing."""


def _plan_fields() -> list[Any]:
    hints = typing.get_type_hints(RunPlan)
    return [
        (field.name, _BOUNDS.get(field.name, hints[field.name]))
        if field.name in _OF_VERSION_1
        else (field.name, _BOUNDS.get(field.name, hints[field.name]), _default_of(field))
        for field in dataclasses.fields(RunPlan)
    ]


def _default_of(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return msgspec.field(default_factory=field.default_factory)
    return field.default


Plan: Any = msgspec.defstruct("Plan", _plan_fields(), kw_only=True, frozen=True)
"""`bench.plan.run_plan.RunPlan` with the limits of its numbers."""


def plan_fault(values: dict[str, Any]) -> str:
    """What no type can say of a plan: a rate beside stages, a stage without length, a name that is there twice."""
    stages = tuple(msgspec.convert(values["stages"], tuple[Stage, ...]))
    if any(not 0 < stage.duration_s <= 1e9 or min(stage.start_rate, stage.end_rate) < 0 for stage in stages):
        return "has a stage that cannot be"
    if stages and values["arrival_rate"] is not None:
        return "has both a rate and stages"
    changes = tuple(msgspec.convert(values.get("changes", ()), tuple[LoadChange, ...]))
    is_open = values["arrival_rate"] is not None
    if not are_possible(changes) or any((change.arrival_rate is not None) != is_open for change in changes):
        return "has a change of its load that cannot be"
    names = [variant["name"] for variant in values["variants"]]
    return "has the same variant twice" if len(set(names)) < len(names) else ""
