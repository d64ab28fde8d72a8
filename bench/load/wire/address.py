"""Where a scoring URI leads, and how its server is verified."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from bench.target.authorities import trusting_context
from bench.target.client_certificate import NO_CERTIFICATE, ClientCertificate
from bench.target.proxy import Proxy, proxy_for
from bench.target.scoring_uri import read_scoring_uri


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Host, port and path of a scoring URI. `tls` is None for plain http, `proxy` for a direct way.

    `worked` are the name's addresses if it has several, the one that was connected to last in front (see `dial`).
    """

    host: str
    port: int
    path: str
    tls: ssl.SSLContext | None
    proxy: Proxy | None = None
    worked: list[Any] = field(default_factory=list, compare=False, repr=False)

    @property
    def authority(self) -> str:
        """The Host header's value."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (80 if self.tls is None else 443) else f"{host}:{self.port}"


def parse_address(uri: str, *, ca_file: str = "", client: ClientCertificate = NO_CERTIFICATE) -> Address:
    """The address of a scoring URI; certificates are always verified, against the system's authorities
    and `ca_file`; `client` is shown to a server that asks for one.

    Raises UsageError for anything that is not an http(s) URI, and for files that cannot be used.
    """
    place = read_scoring_uri(uri, shows_certificate=bool(client))
    tls = tls_context(ca_file, client) if place.is_secure else None
    proxy = proxy_for(place.host, secure=place.is_secure)
    return Address(host=place.host, port=place.port, path=place.path, tls=tls, proxy=proxy)


def proxy_of(uri: str) -> Proxy | None:
    """The proxy on the way to a scoring URI that `parse_address` takes."""
    parts = urlsplit(uri)
    return proxy_for(parts.hostname or "", secure=parts.scheme == "https")


def tls_context(ca_file: str, client: ClientCertificate = NO_CERTIFICATE) -> ssl.SSLContext:
    """A context that verifies the chain and the host name. Raises UsageError for a CA file that is none."""
    context = trusting_context(ca_file)
    if client:
        client.load_into(context)
    context.set_alpn_protocols(["http/1.1"])
    return context
