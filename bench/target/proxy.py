"""The proxy that a scoring URI is reached through, as curl and `requests` choose it. Edge: reads the environment.

HTTPS_PROXY (or ALL_PROXY) for https, NO_PROXY for exceptions, in either case. Where NO_PROXY is not set, loopback
is the exception. Plain http is never sent through a proxy: the secret would be read there.
"""

from __future__ import annotations

import base64
import contextlib
import ipaddress
import os
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies_environment

from bench.errors import UsageError

HEAD_LIMIT = 16384
"""More than this before the end of its headers is no proxy's answer."""
_DEFAULT_PORT = 3128
_LOOPBACK = ("localhost", "::1")


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy. `authorization` is its own user's, made of the URI's."""

    host: str
    port: int
    authorization: str = field(default="", repr=False)

    @property
    def shown(self) -> str:
        """For messages and files: without the user."""
        return f"{self.host}:{self.port}"

    def connect_to(self, authority: str) -> bytes:
        """The request for a tunnel to `authority` (host:port)."""
        lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}"]
        if self.authorization:
            lines.append(f"Proxy-Authorization: Basic {self.authorization}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


def proxy_for(host: str, *, secure: bool) -> Proxy | None:
    """The proxy on the way to `host`, or None. UsageError for one that cannot be used."""
    uri = (found := getproxies_environment()).get("https") or found.get("all", "")
    if not secure or not uri or _is_exception(host):
        return None
    try:
        parts = urlsplit(uri if "//" in uri else f"http://{uri}")
        port = parts.port or _DEFAULT_PORT
    except ValueError:
        parts, port = urlsplit(""), 0
    if parts.scheme != "http" or not parts.hostname:
        raise UsageError("HTTPS_PROXY names no http proxy", hint="write http://host:port, or name the host in NO_PROXY")
    user = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}" if parts.username else ""
    return Proxy(parts.hostname, port, base64.b64encode(user.encode()).decode())


def refusal(head: bytes) -> str:
    """Why a proxy's answer opens no tunnel: its status line, or nothing when it does."""
    line = head.partition(b"\r\n")[0].decode("latin-1")
    words = line.split(" ", 2)
    if len(words) >= 2 and words[0].startswith("HTTP/1.") and words[1].startswith("2"):
        return ""
    return f"the proxy answers {' '.join(words[1:])[:80]!r}" if len(words) > 1 else "the proxy closed the connection"


def _is_exception(host: str) -> bool:
    given = os.environ.get("no_proxy", os.environ.get("NO_PROXY"))
    if given is None:
        return host in _LOOPBACK or host.startswith("127.")
    return any(_covers(entry.strip().lower(), host.lower()) for entry in given.split(",") if entry.strip())


def _covers(entry: str, host: str) -> bool:
    """A host or a domain above it, `*`, or a network such as 10.0.0.0/8."""
    if "/" in entry:
        with contextlib.suppress(ValueError):
            return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
        return False
    name = entry.lstrip("*").lstrip(".").partition(":")[0] if entry.count(":") < 2 else entry
    return entry == "*" or host == name or (bool(name) and host.endswith(f".{name}"))
