"""A scoring URI taken apart, with everything refused that nobody could mean. Pure.

The wire and the doctor read it here, so that both say the same of the same mistake.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from bench.errors import UsageError

DEFAULT_PORTS = {"http": 80, "https": 443}
_WRITE = "write https://host/score"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringUri:
    """Where a request goes. `path` has the query, if there is one."""

    host: str
    port: int
    path: str
    is_secure: bool


def read_scoring_uri(uri: str, *, shows_certificate: bool = False) -> ScoringUri:
    """The parts of `uri`. UsageError for what is not an http(s) URI; no message shows a password.

    `shows_certificate`: the client has a certificate to show, which plain http has no place for.
    """
    if "@" in uri.partition("//")[2].partition("/")[0]:  # before any other message could show it
        raise UsageError(
            "the scoring URI holds a user name or password", hint="put the secret in BENCH_KEY or BENCH_TOKEN"
        )
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError as exc:
        raise UsageError(f"scoring URI {uri!r}: {exc}", hint=_WRITE) from exc
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        raise UsageError(f"scoring URI {uri!r} is not an http(s) URL", hint=_WRITE)
    if port == 0:
        raise UsageError(f"scoring URI {uri!r}: there is no port 0", hint="leave the port out for 80 or 443")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if any(not "!" <= character <= "~" for character in path + parts.hostname):
        raise UsageError(f"scoring URI {uri!r} has a character that must be escaped", hint="percent-encode it")
    if not _is_name(parts.hostname):
        raise UsageError(f"scoring URI {uri!r}: {parts.hostname!r} is not a host's name", hint=_WRITE)
    is_secure = parts.scheme == "https"
    if shows_certificate and not is_secure:
        raise UsageError(
            "--client-cert is shown over TLS only, and the scoring URI is plain http",
            hint="give the https URI, or leave the certificate out",
        )
    return ScoringUri(host=parts.hostname, port=port or DEFAULT_PORTS[parts.scheme], path=path, is_secure=is_secure)


def _is_name(host: str) -> bool:
    """Whether the resolver and TLS accept it: no empty label, and none above 63 characters."""
    try:
        host.encode("idna")
    except UnicodeError:
        return False
    return True
