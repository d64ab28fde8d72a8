"""Can the scoring URI be reached from here? Edge: one TCP or TLS connection; plain Python, no gevent.

An OPTIONS request without credential or body is sent over it: a model is not run by that, and an ingress that sends
http on to https says so. Whoever does not answer it is as good as any other.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl

from bench.errors import RunInvalid
from bench.target.authorities import trusting_context
from bench.target.client_certificate import NO_CERTIFICATE, ClientCertificate
from bench.target.proxy import HEAD_LIMIT, Proxy, proxy_for, refusal
from bench.target.scoring_uri import read_scoring_uri

CONNECT_TIMEOUT_S = 5.0
_ANSWER_TIMEOUT_S = 2.0
_ALERT_TIMEOUT_S = 0.5
_ABOUT_THE_CLIENT = re.compile(
    r"ALERT_(CERTIFICATE|BAD_CERTIFICATE|UNKNOWN_CA|UNSUPPORTED_CERT|HANDSHAKE_FAILURE|ACCESS)"
)
"""The alerts by which a server refuses a client's certificate, or the lack of one (RFC 8446, 6.2)."""


def reachable_line(
    scoring_uri: str,
    *,
    ca_file: str = "",
    client: ClientCertificate = NO_CERTIFICATE,
    timeout_s: float = CONNECT_TIMEOUT_S,
) -> str:
    """What was reached. UsageError for a URI or file that is none; RunInvalid when it is out of reach or moved."""
    place = read_scoring_uri(scoring_uri, shows_certificate=bool(client))
    host, port, secure, path = place.host, place.port, place.is_secure, place.path.partition("?")[0]
    context = trusting_context(ca_file) if secure else None
    if context is not None and client:
        client.load_into(context)
    proxy = proxy_for(host, secure=secure)
    way = f", through the proxy {proxy.shown}" if proxy else ""
    try:
        with _connected(host, port, proxy, timeout_s) as connection:
            if context is None:
                _refuse_redirect(_options(connection, host, path), host, port)
                return f"{host}:{port} reachable"
            with context.wrap_socket(connection, server_hostname=host) as secured:
                _hear_alert(secured)
                _refuse_redirect(_options(secured, host, path), host, port)
                return f"{host}:{port} reachable, {secured.version()}, verified{way}"
    except ssl.SSLCertVerificationError as exc:
        raise RunInvalid(
            f"the certificate of {host}:{port} cannot be verified: {exc.verify_message}",
            hint="give the authority's certificate with --ca-file; it is trusted beside the system's",
        ) from exc
    except OSError as exc:
        if isinstance(exc, ssl.SSLError) and _ABOUT_THE_CLIENT.search(exc.reason or ""):
            raise _refused(f"{host}:{port}", exc, client) from exc
        raise RunInvalid(
            f"cannot reach {host}:{port}: {exc.strerror or exc}{way}",
            hint="check the URI, the network, HTTPS_PROXY and NO_PROXY, and private endpoints",
        ) from exc


def _connected(host: str, port: int, proxy: Proxy | None, timeout_s: float) -> socket.socket:
    """A connection to the server, or a tunnel to it. Raises OSError, RunInvalid when the proxy makes none."""
    if proxy is None:
        return socket.create_connection((host, port), timeout=timeout_s)
    connection = socket.create_connection((proxy.host, proxy.port), timeout=timeout_s)
    try:
        connection.sendall(proxy.connect_to(f"{host}:{port}"))
        said = refusal(_head(connection))
    except BaseException:
        connection.close()
        raise
    if said:
        connection.close()
        raise RunInvalid(f"cannot reach {host}:{port}: {said} ({proxy.shown})", hint="check HTTPS_PROXY and NO_PROXY")
    return connection


def _head(connection: socket.socket) -> bytes:
    """What comes up to the end of the headers, or of the connection."""
    head = b""
    while b"\r\n\r\n" not in head and len(head) < HEAD_LIMIT:
        data = connection.recv(4096)
        if not data:
            break
        head += data
    return head


def _options(connection: socket.socket, host: str, path: str) -> bytes:
    """The head of the answer to OPTIONS; as much of it as came in time."""
    connection.settimeout(_ANSWER_TIMEOUT_S)
    request = f"OPTIONS {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    with contextlib.suppress(OSError):
        connection.sendall(request.encode("ascii", "replace"))
        return _head(connection)
    return b""


def _hear_alert(secured: ssl.SSLSocket) -> None:
    """Wait for what a TLS 1.3 server that misses a client's certificate says after the handshake, and then closes.

    It would be lost if something were sent meanwhile. Whoever misses nothing says nothing.
    """
    if secured.version() == "TLSv1.3":
        secured.settimeout(_ALERT_TIMEOUT_S)
        with contextlib.suppress(TimeoutError):
            secured.recv(1)


def _refused(place: str, exc: ssl.SSLError, client: ClientCertificate) -> RunInvalid:
    """A server that wants a client's certificate, or another one."""
    alert = (exc.reason or "").lower().replace("_", " ")
    if client:
        return RunInvalid(
            f"{place} refuses the certificate of --client-cert ({alert})",
            hint="ask whoever runs that ingress which authority it trusts, and have the certificate issued there",
        )
    return RunInvalid(
        f"{place} asks for a client certificate and got none ({alert})",
        hint="give one with --client-cert and --client-key",
    )


def _refuse_redirect(head: bytes, host: str, port: int) -> None:
    status_line, *lines = head.split(b"\r\n")
    words = status_line.split()
    if len(words) < 2 or words[1] not in (b"301", b"302", b"303", b"307", b"308"):
        return
    fields: dict[bytes, bytes] = {}
    for line in lines:
        name, _, value = line.partition(b":")
        fields[name.strip().lower()] = value.strip()
    place = fields.get(b"location", b"").decode("latin-1").partition("?")[0][:200]
    raise RunInvalid(
        f"{host}:{port} does not score but sends on ({words[1].decode()}) to {place or 'nowhere'}",
        hint="a redirect is not followed, for the secret would go along: give that URI with --scoring-uri",
    )
