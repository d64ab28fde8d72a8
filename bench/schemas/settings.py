"""What people write for this tool, or Azure's portal for them. Pure.

`[run]` and each profile of `bench.toml` have a key for each option of `bench run`, made from the table of options.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from bench.plan.options import SETTABLE_OPTIONS, Option

One = str | float
"""A number may be written without quotes."""

GateRules = dict[str, str] | list[str]


def _type_of(option: Option) -> Any:
    kind: Any = One
    if option.switch:
        kind = bool
    elif option.repeat or option.listed:
        kind = str | float | list[One]
    elif option.choices:
        kind = Literal[option.choices]
    return Annotated[kind, Meta(description=option.help)] | UnsetType


_OPTIONS: list[Any] = [(option.dest, _type_of(option), UNSET) for option in SETTABLE_OPTIONS]

Run: Any = msgspec.defstruct(
    "Run",
    _OPTIONS,
    kw_only=True,
    frozen=True,
    forbid_unknown_fields=True,
    rename="kebab",
    namespace={"__doc__": "Options of every run that is started here."},
)
Profile: Any = msgspec.defstruct(
    "Profile",
    [*_OPTIONS, ("gates", GateRules | UnsetType, UNSET)],
    kw_only=True,
    frozen=True,
    forbid_unknown_fields=True,
    rename="kebab",
    namespace={"__doc__": "Options of a run with `--profile NAME`; its gates take the place of the file's."},
)


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`bench.toml`, or `[tool.bench]` of pyproject.toml."""

    gates: GateRules | UnsetType = UNSET
    run: Run | UnsetType = UNSET
    profiles: dict[str, Profile] | UnsetType = UNSET


class WorkspaceConfig(Struct, frozen=True, kw_only=True):
    """`config.json`, as Azure's portal gives it, or in the older form with a Scope."""

    subscription_id: str | None = ""
    resource_group: str | None = ""
    workspace_name: str | None = ""
    scope: str | None = msgspec.field(default="", name="Scope")
