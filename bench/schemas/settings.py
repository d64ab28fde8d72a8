"""What people write for this tool, or Azure's portal for them. Edge of msgspec."""

from __future__ import annotations

from msgspec import Struct


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """`bench.toml`, or `[tool.bench]` of pyproject.toml."""

    gates: dict[str, str] | list[str] = []


class WorkspaceConfig(Struct, frozen=True):
    """`config.json`, as Azure's portal gives it."""

    subscription_id: str = ""
    resource_group: str = ""
    workspace_name: str = ""
