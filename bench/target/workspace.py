"""Which Azure ML workspace is meant. Edge: reads the environment and the workspace's config file.

One source at a time, and all three names from it: the options, else AZUREML_ARM_* (what Azure ML sets on its own
compute), else AZURE_SUBSCRIPTION_ID, AZURE_RESOURCE_GROUP and AZURE_WORKSPACE, else the config file that
`MLClient.from_config` finds: .azureml, aml_config or the folder itself, here or in a parent. A subscription alone,
which `az` and CI jobs set for everybody, is no source; it completes one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import schemas
from bench.endpoint import Workspace
from bench.errors import UsageError
from bench.rundir import read_bytes

_NAMES = ("subscription_id", "resource_group", "workspace_name")
_OPTIONS = ("subscription_id", "resource_group", "workspace")
_VARIABLES = (
    ("AZUREML_ARM_SUBSCRIPTION", "AZUREML_ARM_RESOURCEGROUP", "AZUREML_ARM_WORKSPACE_NAME"),
    ("AZURE_SUBSCRIPTION_ID", "AZURE_RESOURCE_GROUP", "AZURE_WORKSPACE"),
)
_FOLDERS = (".azureml", "aml_config", "")
_FILES = ("config.json", "project.json")
_PARENTS = 20
"""How far up azure-ai-ml looks."""
_HINT = "give --subscription-id, --resource-group and --workspace, or run beside the workspace's config.json"


@dataclass(frozen=True, slots=True)
class Found:
    """A workspace, and where its names came from."""

    workspace: Workspace
    source: str


def find_workspace(values: Mapping[str, Any], *, start: Path | None = None) -> Found:
    """The workspace that the options, the environment or a file name. UsageError says what is missing in which."""
    given = dict(zip(_NAMES, (str(values.get(option) or "") for option in _OPTIONS), strict=True))
    if given["resource_group"] and given["workspace_name"] and given["subscription_id"]:
        return Found(Workspace(**given), "options")
    rest, source = _from_surroundings(start or Path())
    if not any(given.values()) and rest:
        return _complete(rest, source)
    if given["resource_group"] or given["workspace_name"]:
        subscription = given["subscription_id"] or _subscription_of_the_environment()
        return _complete({**given, "subscription_id": subscription}, "options")
    return _complete({**rest, "subscription_id": given["subscription_id"] or rest.get("subscription_id", "")}, source)


def _from_surroundings(start: Path) -> tuple[dict[str, str], str]:
    """The names and their source; nothing when no source names a workspace."""
    for variables in _VARIABLES:
        found = {name: os.environ.get(variable, "") for name, variable in zip(_NAMES, variables, strict=True)}
        if found["resource_group"] or found["workspace_name"]:
            found["subscription_id"] = found["subscription_id"] or _subscription_of_the_environment()
            return found, ", ".join(variables)
    path = _config_file(start)
    return ({}, "") if path is None else (_read(path), str(path))


def _complete(names: Mapping[str, str], source: str) -> Found:
    missing = [name.replace("_", " ") for name in _NAMES if not names.get(name)]
    if missing:
        where = f" (only the others are in {source})" if source and len(missing) < len(_NAMES) else ""
        raise UsageError(f"--endpoint needs {' and '.join(missing)}{where}", hint=_HINT)
    return Found(Workspace(**{name: names[name] for name in _NAMES}), source)


def _subscription_of_the_environment() -> str:
    return os.environ.get("AZUREML_ARM_SUBSCRIPTION") or os.environ.get("AZURE_SUBSCRIPTION_ID") or ""


def _config_file(start: Path) -> Path | None:
    """The nearest one, in azure-ai-ml's order: a folder's name comes before a file's, and both before distance."""
    here = start.resolve()
    places = (here, *list(here.parents)[: _PARENTS - 1])
    for folder in _FOLDERS:
        for name in _FILES:
            for place in places:
                if (path := place / folder / name).is_file():
                    return path
    return None


def _read(path: Path) -> dict[str, str]:
    """Its three names: written out, or in the older form `{"Scope": "/subscriptions/..."}`."""
    try:
        document = schemas.decode(read_bytes(path), schemas.WorkspaceConfig)
    except (OSError, ValueError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else f"it {exc}"
        hint = f"save it as UTF-8 JSON with {', '.join(_NAMES)}; or {_HINT}"
        raise UsageError(f"{path} cannot be read: {why}", hint=hint) from exc
    if scope := document.get("Scope"):
        parts = scope.split("/")
        if len(parts) < 9:  # /subscriptions/S/resourceGroups/G/providers/P/workspaces/W
            raise UsageError(f"{path} has a Scope that names no workspace", hint=_HINT)
        return {"subscription_id": parts[2], "resource_group": parts[4], "workspace_name": parts[8]}
    return {name: str(document.get(name) or "") for name in _NAMES}
