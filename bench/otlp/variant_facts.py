"""What a collector is sent about a run and each variant, by the semantic conventions; never a secret. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from bench.sample import Outcome

Attributes = dict[str, str | int | float]
SERVICE_NAME = "azureml-endpoint-bench"


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantFacts:
    """`server` says where requests go, `span` what else a request's span has."""

    server: Attributes
    span: Attributes


def resource_attributes(manifest: Mapping[str, Any]) -> Attributes:
    """Of the run itself."""
    versions = manifest.get("versions") or {}
    own = {
        "service.name": SERVICE_NAME,
        "service.version": versions.get(SERVICE_NAME, ""),
        "service.instance.id": manifest["run_id"],
        "bench.run_id": manifest["run_id"],
        "host.name": (manifest.get("host") or {}).get("hostname", ""),
    }
    return {name: value for name, value in own.items() if value}


def variant_facts(manifest: Mapping[str, Any]) -> dict[str, VariantFacts]:
    """By variant. A URI is sent without its query, which may hold a secret."""
    request = manifest["plan"].get("request") or {}
    method = str(request.get("method") or "POST")
    facts = {}
    for name, variant in manifest["variants"].items():
        server: Attributes = {"bench.variant": name, "http.request.method": method}
        span: Attributes = {"bench.auth_mode": variant["auth_mode"]}
        try:
            uri = urlsplit(str(variant.get("scoring_uri") or ""))
            port = uri.port or {"https": 443, "http": 80}.get(uri.scheme)
        except ValueError:
            uri, port = urlsplit(""), None
        if uri.hostname and port:
            path = str(request.get("path") or uri.path).partition("?")[0]
            host = f"[{uri.hostname}]" if ":" in uri.hostname else uri.hostname
            server |= {"server.address": uri.hostname, "server.port": port, "url.scheme": uri.scheme}
            span["url.full"] = f"{uri.scheme}://{host}:{port}{path}"
        facts[name] = VariantFacts(server=server, span=span)
    return facts


def how_it_ended(outcome: str, cause: str, status: int) -> Attributes:
    """`error.type` is there for what did not end well, as the conventions want it: the status, or a short word."""
    attributes: Attributes = {"http.response.status_code": status} if status else {}
    if outcome != Outcome.OK:
        attributes["error.type"] = str(status) if status >= 400 else cause or outcome
    return attributes
