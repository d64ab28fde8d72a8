"""Where a scoring URI leads, and how its server is verified."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from bench.errors import UsageError
from bench.target.authorities import trusting_context
from bench.target.client_certificate import NO_CERTIFICATE, ClientCertificate
from bench.target.proxy import Proxy, proxy_for


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
    if "@" in uri.partition("//")[2].partition("/")[0]:  # before any other message could show it
        raise UsageError(
            "the scoring URI holds a user name or password", hint="put the secret in BENCH_KEY or BENCH_TOKEN"
        )
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError as exc:
        raise UsageError(f"scoring URI {uri!r}: {exc}", hint="write https://host/score") from exc
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise UsageError(f"scoring URI {uri!r} is not an http(s) URL", hint="write https://host/score")
    if port == 0:
        raise UsageError(f"scoring URI {uri!r}: there is no port 0", hint="leave the port out for 80 or 443")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if any(not "!" <= character <= "~" for character in path + parts.hostname):
        raise UsageError(f"scoring URI {uri!r} has a character that must be escaped", hint="percent-encode it")
    if not _is_name(parts.hostname):
        raise UsageError(
            f"scoring URI {uri!r}: {parts.hostname!r} is not a host's name", hint="write https://host/score"
        )
    if client and parts.scheme == "http":
        raise UsageError(
            "--client-cert is shown over TLS only, and the scoring URI is plain http",
            hint="give the https URI, or leave the certificate out",
        )
    tls = tls_context(ca_file, client) if parts.scheme == "https" else None
    proxy = proxy_for(parts.hostname, secure=tls is not None)
    return Address(host=parts.hostname, port=port or (443 if tls else 80), path=path, tls=tls, proxy=proxy)


def proxy_of(uri: str) -> Proxy | None:
    """The proxy on the way to a scoring URI that `parse_address` takes."""
    parts = urlsplit(uri)
    return proxy_for(parts.hostname or "", secure=parts.scheme == "https")


def _is_name(host: str) -> bool:
    """Whether the resolver and TLS accept it: no empty label, and none above 63 characters."""
    try:
        host.encode("idna")
    except UnicodeError:
        return False
    return True


def tls_context(ca_file: str, client: ClientCertificate = NO_CERTIFICATE) -> ssl.SSLContext:
    """A context that verifies the chain and the host name. Raises UsageError for a CA file that is none."""
    context = trusting_context(ca_file)
    if client:
        client.load_into(context)
    context.set_alpn_protocols(["http/1.1"])
    return context
