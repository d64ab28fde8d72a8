"""What a run was aimed at and the way there, as a table: what ARM reported of it, the proxy, the certificate. Pure.

It is read from a manifest, which an older version may have written with less in it: what is not there is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple


class TargetFact(NamedTuple):
    """All of it text."""

    variant: str
    name: str
    value: str


def target_facts(manifest: Mapping[str, Any]) -> list[TargetFact]:
    """The rows, in the order of the variants."""
    target, plan = manifest.get("target") or {}, manifest.get("plan") or {}
    endpoints = target.get("endpoints") or {}
    facts = []
    for name, variant in (manifest.get("variants") or {}).items():
        rows = [*_way(variant, plan), *_endpoint(endpoints.get(variant.get("endpoint")) or {})]
        facts += [TargetFact(name, what, value) for what, value in rows if value]
    return facts


def _way(variant: Mapping[str, Any], plan: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "scoring URI", str(variant.get("scoring_uri") or "")
    credential = str(variant.get("auth_mode") or "")
    whose = f" of endpoint {variant['endpoint']}" if variant.get("endpoint") else ", given by hand"
    yield "credential", credential + whose if credential else ""
    yield "pinned deployment", str(variant.get("deployment") or "")
    if variant.get("proxy"):
        auth = f", which is signed in to ({variant['proxy_auth']})" if variant.get("proxy_auth") else ""
        yield "proxy", f"{variant['proxy']}{auth}: its time is part of every figure"
    if plan.get("client_cert"):
        yield "client certificate", str(plan["client_cert"])


def _endpoint(endpoint: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "state", str(endpoint.get("state") or "")
    yield "public network access", str(endpoint.get("network_access") or "")
    yield "traffic", _shares(endpoint.get("traffic"))
    yield "mirrored traffic", _shares(endpoint.get("mirror_traffic"))
    for one in endpoint.get("deployments") or ():
        yield f"deployment {one.get('name')}", _deployment(one)


def _shares(shares: Any) -> str:
    return ", ".join(f"{name} {percent} %" for name, percent in shares or ())


def _deployment(one: Mapping[str, Any]) -> str:
    """`Succeeded, 2 x Standard_DS3_v2, 1 request at a time each, 5 s a request`."""
    parts = [str(one.get("state") or "")]
    if one.get("instance_type"):
        parts.append(f"{one.get('instances') or '?'} x {one['instance_type']}")
    if one.get("max_concurrent_requests") is not None:
        parts.append(f"{one['max_concurrent_requests']} at a time each")
    if one.get("request_timeout_s") is not None:
        parts.append(f"{one['request_timeout_s']:g} s a request")
    return ", ".join(filter(None, parts))
