"""Which cloud is meant, also one that only ARM_CLOUD_METADATA_URL knows. Edge: one GET; lives in the agent process.

As azure-ai-ml does it: its own three come first; the list at that address is read for any other name, and, where no
name is given, for the cloud whose `resourceManager` stands in the address. azure-ai-ml goes on with public Azure when
the list cannot be read; that would send tokens of one cloud to another's hosts, so it is an error here. It also reads
the list again and again, so what was read is handed to it.
"""

from __future__ import annotations

import os
from typing import Any

from azure.ai.ml._azure_environments import _convert_arm_to_cli, _environments
from azure.core import PipelineClient
from azure.core.exceptions import AzureError
from azure.core.rest import HttpRequest

from bench.errors import UsageError
from bench.target.cloud import CLOUD_VARIABLE, METADATA_VARIABLE, Cloud, cloud_of


def cloud_and_details(name: str, settings: dict[str, Any]) -> tuple[Cloud, dict[str, Any]]:
    """The cloud, and what azure-ai-ml needs to know of it beside its name. UsageError when it cannot be found."""
    name = name or os.environ.get(CLOUD_VARIABLE, "")
    address = os.environ.get(METADATA_VARIABLE, "")
    if not address or name in _environments:
        return cloud_of(name), {}
    listed = _listed(address, settings)
    found = name or next((each for each, known in listed.items() if known["resource_manager"] in address), "")
    if found in _environments:
        return cloud_of(found), {}
    if found not in listed:
        said = f"{name!r} is not among {', '.join(listed) or 'nothing'}" if name else "no cloud's manager is in it"
        raise UsageError(f"{METADATA_VARIABLE} {address}: {said}", hint="name the cloud with --cloud")
    known = listed[found]
    cloud = Cloud(
        name=found,
        resource_manager=known["resource_manager"].rstrip("/"),
        authority=known["active_directory"].rstrip("/"),
        scoring_audience=known["aml_resource_id"].rstrip("/"),
    )
    return cloud, {"cloud_metadata": known}


def _listed(address: str, settings: dict[str, Any]) -> dict[str, dict[str, str]]:
    try:
        answer = PipelineClient(address, policies=[], **settings).send_request(HttpRequest("GET", address))
        answer.raise_for_status()
        listed: dict[str, dict[str, str]] = _convert_arm_to_cli(answer.json())
    except (AzureError, ValueError, TypeError, AttributeError) as exc:
        raise UsageError(
            f"{METADATA_VARIABLE} {address} cannot be read: {type(exc).__name__}",
            hint="it lists the clouds, as https://management.azure.com/metadata/endpoints?api-version=2022-09-01 does",
        ) from exc
    return listed
