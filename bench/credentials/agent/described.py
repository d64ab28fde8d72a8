"""ARM's JSON about an endpoint and its deployments, read without trust. Pure.

Shapes: api-version 2022-02-01-preview, Azure/azure-rest-api-specs, examples/OnlineEndpoint and OnlineDeployment.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from bench.endpoint import AuthMode, Deployment, Endpoint

_AUTH_MODES = {"key": AuthMode.KEY, "amltoken": AuthMode.AML_TOKEN, "aadtoken": AuthMode.AAD_TOKEN}
_DURATION = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?", re.IGNORECASE)


def endpoint_of(name: str, found: Mapping[str, Any], listed: list[dict[str, Any]] | None) -> Endpoint:
    """The endpoint, with its deployments unless they could not be listed. ValueError for an unknown auth mode."""
    properties = _table(found, "properties")
    mode = str(properties.get("authMode", ""))
    if mode.lower() not in _AUTH_MODES:
        raise ValueError(f"unknown auth mode {mode}")
    traffic = _shares(properties, "traffic")
    deployments = None if listed is None else tuple(_deployment_of(one) for one in listed)
    for deployment in deployments or ():
        traffic.setdefault(deployment.name, 0)
    return Endpoint(
        name=name,
        scoring_uri=str(properties.get("scoringUri") or ""),
        auth_mode=_AUTH_MODES[mode.lower()],
        traffic=tuple(sorted(traffic.items())),
        mirror_traffic=tuple(sorted(_shares(properties, "mirrorTraffic").items())),
        state=str(properties.get("provisioningState") or ""),
        network_access=str(properties.get("publicNetworkAccess") or ""),
        deployments=deployments,
    )


def _deployment_of(found: Mapping[str, Any]) -> Deployment:
    properties = _table(found, "properties")
    request = _table(properties, "requestSettings")
    return Deployment(
        name=str(found.get("name", "")),
        state=str(properties.get("provisioningState") or ""),
        instance_type=str(properties.get("instanceType") or ""),
        instances=_whole(_table(found, "sku").get("capacity")),
        request_timeout_s=_seconds(request.get("requestTimeout")),
        max_concurrent_requests=_whole(request.get("maxConcurrentRequestsPerInstance")),
    )


def _table(found: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = found.get(name)
    return value if isinstance(value, dict) else {}


def _shares(properties: Mapping[str, Any], name: str) -> dict[str, int]:
    return {str(deployment): percent for deployment, percent in _table(properties, name).items() if _is_whole(percent)}


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _whole(value: Any) -> int | None:
    return value if _is_whole(value) else None


def _seconds(value: Any) -> float | None:
    """An ISO 8601 duration such as PT5S or PT1M30S."""
    found = _DURATION.fullmatch(str(value)) if value else None
    if found is None or not any(found.groups()):
        return None
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds
