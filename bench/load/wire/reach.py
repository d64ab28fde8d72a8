"""Is there a server at an address, as a run would find it? Edge: one connection.

The probe before a run and `bench doctor` are this, over the very `Connection` that sends a run's requests.
"""

from __future__ import annotations

import re

import gevent

from bench.clock import monotonic_ns
from bench.errors import RunInvalid
from bench.load.wire.address import Address, parse_address
from bench.load.wire.connection import Connection
from bench.load.wire.deadlines import Deadlines
from bench.load.wire.hub_watch import HubWatch
from bench.target.client_certificate import NO_CERTIFICATE, ClientCertificate

CONNECT_TIMEOUT_S = 5.0
_ANSWER_TIMEOUT_S = 2.0
_ALERT_TIMEOUT_S = 0.5
_STEP_S = 0.01
_ABOUT_THE_CLIENT = re.compile(
    r"ALERT_(CERTIFICATE|BAD_CERTIFICATE|UNKNOWN_CA|UNSUPPORTED_CERT|HANDSHAKE_FAILURE|ACCESS)\w*"
)
"""The alerts by which a server refuses a client's certificate, or the lack of one (RFC 8446, 6.2)."""
_REDIRECTS = (301, 302, 303, 307, 308)
_ADVICE = {
    "refused": "is the server up, and is this its port?",
    "dns": "is the host name right?",
    "no_descriptors": "raise `ulimit -n`, or use fewer --users",
    "no_ports": "wait until old connections are forgotten, or use fewer --users",
    "tls": "give the certificate of the server's authority with --ca-file; it is trusted beside the system's",
    "timeout": "is it behind a firewall, a private endpoint, or a proxy (HTTPS_PROXY, NO_PROXY)?",
    "unreachable": "check the network, HTTPS_PROXY and NO_PROXY, and private endpoints",
}


def open_once(connection: Connection, shown: str, client: ClientCertificate, *, timeout_ns: int) -> None:
    """Connect. Raises RunInvalid that says what stood in the way of reaching `shown`.

    A TLS 1.3 server that misses a client's certificate says so after the handshake, and it would be lost if something
    were sent meanwhile: it is waited for. Whoever misses nothing says nothing.
    """
    try:
        _connect(connection, shown, timeout_ns=timeout_ns)
    finally:
        if connection.tls_version == "TLSv1.3":
            _await_alert(connection)
        if alert := _ABOUT_THE_CLIENT.search(connection.detail if connection.failure == "tls" else ""):
            raise _refused(shown, alert[0].lower().replace("_", " "), client)


def _await_alert(connection: Connection) -> None:
    until_ns = monotonic_ns() + round(_ALERT_TIMEOUT_S * 1e9)
    while not connection.failure and monotonic_ns() < until_ns:
        gevent.sleep(_STEP_S)


def _connect(connection: Connection, shown: str, *, timeout_ns: int) -> None:
    failure = connection.open(deadline_ns=monotonic_ns() + timeout_ns)
    if failure:
        asks_already = connection.detail.endswith("?")
        advice = "check HTTPS_PROXY and NO_PROXY" if connection.through_proxy else _ADVICE.get(failure, "")
        hint = "" if asks_already else advice
        raise RunInvalid(f"cannot reach {shown}: {failure}: {connection.detail}", hint=hint)


def reachable_line(
    scoring_uri: str,
    ca_file: str = "",
    client: ClientCertificate = NO_CERTIFICATE,
    *,
    timeout_s: float = CONNECT_TIMEOUT_S,
) -> str:
    """What was reached. UsageError for a URI or file that is none; RunInvalid when it is out of reach or moved.

    An OPTIONS request without credential or body is sent over the connection: a model is not run by that, and an
    ingress that sends http on to https says so. Whoever does not answer it is as good as any other.
    """
    address = parse_address(scoring_uri, ca_file=ca_file, client=client)
    watch, deadlines = HubWatch(), Deadlines()
    connection = Connection(address, watch=watch, deadlines=deadlines)
    watch.start()
    try:
        open_once(connection, f"{address.host}:{address.port}", client, timeout_ns=round(timeout_s * 1e9))
        secured = f", {connection.tls_version}, verified" if connection.tls_version else ""
        connection.exchange(_options(address), deadline_ns=monotonic_ns() + round(_ANSWER_TIMEOUT_S * 1e9))
        _refuse_redirect(connection, address)
    finally:
        connection.close()
        deadlines.close()
        watch.stop()
    way = f", through the proxy {address.proxy.shown}" if address.proxy else ""
    return f"{address.host}:{address.port} reachable{secured}{way}"


def _refused(shown: str, alert: str, client: ClientCertificate) -> RunInvalid:
    """A server that wants a client's certificate, or another one."""
    if client:
        return RunInvalid(
            f"{shown} refuses the certificate of --client-cert ({alert})",
            hint="ask whoever runs that ingress which authority it trusts, and have the certificate issued there",
        )
    return RunInvalid(
        f"{shown} asks for a client certificate and got none ({alert})",
        hint="give one with --client-cert and --client-key",
    )


def _options(address: Address) -> bytes:
    path = address.path.partition("?")[0]  # a query may hold a secret
    return f"OPTIONS {path} HTTP/1.1\r\nHost: {address.authority}\r\nConnection: close\r\n\r\n".encode("ascii")


def _refuse_redirect(connection: Connection, address: Address) -> None:
    status = connection.answer.status
    if status not in _REDIRECTS:
        return
    place = connection.answer.parsed_head()[1].get("location", "").partition("?")[0][:200]
    raise RunInvalid(
        f"{address.host}:{address.port} does not score but sends on ({status}) to {place or 'nowhere'}",
        hint="a redirect is not followed, for the secret would go along: give that URI with --scoring-uri",
    )
