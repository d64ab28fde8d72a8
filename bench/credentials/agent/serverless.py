"""Serverless endpoints (a model of the catalogue, paid by the token) as azure-ai-ml knows them. Pure; asks its client.

They have keys and no deployments, and the SDK lists the keys without reading the endpoint first.
"""

from __future__ import annotations

from typing import Any

from bench.endpoint import SERVERLESS, AuthMode, Endpoint


def is_serverless(endpoint: str) -> bool:
    """Whether `endpoint` is written `serverless/NAME`."""
    return endpoint.startswith(SERVERLESS)


def described(client: Any, endpoint: str, **options: Any) -> Endpoint:
    """`endpoint` as `client` (MLClient's serverless_endpoints) describes it. ValueError for another mode than keys."""
    found = client.get(endpoint.removeprefix(SERVERLESS), **options)
    if str(found.auth_mode or "").lower() != "key":
        raise ValueError(f"auth mode {found.auth_mode}")
    return Endpoint(
        name=endpoint,
        scoring_uri=str(found.scoring_uri or ""),
        auth_mode=AuthMode.KEY,
        state=str(found.provisioning_state or "").capitalize(),
        deployments=(),
    )


def keys(client: Any, endpoint: str, **options: Any) -> tuple[Any, Any]:
    """Its primary and secondary key."""
    listed = client.get_keys(endpoint.removeprefix(SERVERLESS), **options)
    return listed.primary_key, listed.secondary_key
