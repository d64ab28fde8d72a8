"""Can this principal get the credential, and is the endpoint reachable? Nothing here is load. Plain Python, no gevent.

Who calls it: `bench doctor`. It asks the agent (a few control-plane calls) and opens one TCP or TLS connection to the
scoring URI, over which nothing is sent. The checks come in the order in which they depend on each other; after one that
failed, those that need its result are left out.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

from bench import clock
from bench.credentials.failure import Failure
from bench.credentials.lease import NEVER_NS, NS_PER_S, Grant
from bench.endpoint import SCORE_ACTION, AuthMode, Endpoint
from bench.errors import BenchError, RunInvalid, UsageError

CONNECT_TIMEOUT_S = 5.0
_PORTS = {"http": 80, "https": 443}


class AsksAzure(Protocol):
    """The part of an agent's client the doctor needs."""

    def principal(self) -> dict[str, str]: ...
    def describe(self, endpoint: str) -> Endpoint: ...
    def fetch(self, endpoint: str, auth_mode: AuthMode | None) -> Grant | Failure: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointTarget:
    """An online endpoint, asked about through `agent`. `auth_mode` None takes the endpoint's own."""

    agent: AsksAzure
    endpoint: str
    auth_mode: AuthMode | None = None
    ca_file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticTarget:
    """A bare scoring URI with a credential the user brings."""

    scoring_uri: str
    secret: str = field(repr=False)
    ca_file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing looked at. `detail` is what was found, `error` why it is not good (None when it is)."""

    name: str
    detail: str = ""
    error: BenchError | None = None

    @property
    def ok(self) -> bool:
        return self.error is None


@dataclass(frozen=True, slots=True)
class Report:
    """What the doctor found. `error` is the first thing to cure and bears the exit code."""

    checks: tuple[Check, ...]

    @property
    def error(self) -> BenchError | None:
        return next((check.error for check in self.checks if check.error is not None), None)


def run_checks(target: EndpointTarget | StaticTarget) -> Report:
    """Everything that can be known about `target` without scoring. Does not raise BenchError."""
    if isinstance(target, StaticTarget):
        return Report(tuple(_check_static(target)))
    return Report(tuple(_check_endpoint(target)))


def _check_static(target: StaticTarget) -> Iterator[Check]:
    if target.secret:
        yield Check(name="credential", detail=f"given, {len(target.secret)} characters; not tried")
    else:
        missing = UsageError("no credential given for the scoring URI", hint="set BENCH_KEY or BENCH_TOKEN")
        yield Check(name="credential", error=missing)
    yield reachable(target.scoring_uri, ca_file=target.ca_file)


def _check_endpoint(target: EndpointTarget) -> Iterator[Check]:
    try:
        yield Check(name="principal", detail=_principal_line(target.agent.principal()))
    except BenchError as exc:
        yield Check(name="principal", error=exc)
        return
    try:
        endpoint = target.agent.describe(target.endpoint)
    except BenchError as exc:
        yield Check(name="endpoint", error=exc)
        return
    yield Check(name="endpoint", detail=f"{endpoint.name}, {endpoint.scoring_uri}")
    yield _auth_mode(endpoint, target.auth_mode)
    yield _credential(target.agent.fetch(endpoint.name, endpoint.auth_mode))
    yield _traffic(endpoint)
    yield reachable(endpoint.scoring_uri, ca_file=target.ca_file)


def _principal_line(claims: dict[str, str]) -> str:
    name = claims.get("upn") or claims.get("name") or f"application {claims.get('appid', 'unknown')}"
    return f"{name}, object id {claims.get('oid', 'unknown')}, tenant {claims.get('tid', 'unknown')}"


def _auth_mode(endpoint: Endpoint, wanted: AuthMode | None) -> Check:
    if wanted in (None, endpoint.auth_mode):
        return Check(name="auth mode", detail=endpoint.auth_mode.value)
    other = UsageError(
        f"endpoint {endpoint.name!r} uses {endpoint.auth_mode}, not {wanted}",
        hint=f"use --auth-mode {endpoint.auth_mode}, or another endpoint",
    )
    return Check(name="auth mode", error=other)


def _credential(answer: Grant | Failure) -> Check:
    if isinstance(answer, Failure):
        return Check(name="credential", error=answer.error())
    detail = f"{answer.auth_mode} granted"
    if answer.auth_mode is AuthMode.KEY:
        detail += f", {len(answer.secrets)} of 2 keys"
    if answer.valid.expires_at != NEVER_NS:
        now_ns = clock.monotonic_ns()
        detail += f", refresh in {(answer.valid.refresh_after - now_ns) / NS_PER_S:.0f} s"
        detail += f", life {(answer.valid.expires_at - now_ns) / NS_PER_S:.0f} s"
    if answer.auth_mode is AuthMode.AAD_TOKEN:
        detail += f"; whether it may score ({SCORE_ACTION}) shows only when it does"
    return Check(name="credential", detail=detail)


def _traffic(endpoint: Endpoint) -> Check:
    shares = ", ".join(f"{deployment} {percent} %" for deployment, percent in endpoint.traffic)
    if any(percent > 0 for _, percent in endpoint.traffic):
        return Check(name="traffic", detail=shares)
    nothing = RunInvalid(
        f"no deployment of endpoint {endpoint.name!r} takes traffic ({shares or 'it has none'}): scoring will be 404",
        hint="give one a share of the traffic, or pin one with --deployment",
    )
    return Check(name="traffic", error=nothing)


def reachable(scoring_uri: str, *, ca_file: str = "", timeout_s: float = CONNECT_TIMEOUT_S) -> Check:
    """One connect, for https with a verified certificate; nothing is sent."""
    try:
        return Check(name="scoring URI", detail=_connect(scoring_uri, ca_file, timeout_s))
    except BenchError as exc:
        return Check(name="scoring URI", error=exc)


def _connect(scoring_uri: str, ca_file: str, timeout_s: float) -> str:
    """What was reached. UsageError for a URI or CA file that is none, RunInvalid when the host is out of reach."""
    host, port, secure = _address(scoring_uri)
    try:
        context = ssl.create_default_context(cafile=ca_file or None) if secure else None
    except OSError as exc:
        raise UsageError(f"the CA file {ca_file} cannot be used: {exc.strerror or 'no certificate in it'}") from exc
    try:
        with socket.create_connection((host, port), timeout=timeout_s) as connection:
            if context is None:
                return f"{host}:{port} reachable"
            with context.wrap_socket(connection, server_hostname=host) as secured:
                return f"{host}:{port} reachable, {secured.version()}, verified"
    except ssl.SSLCertVerificationError as exc:
        raise RunInvalid(
            f"the certificate of {host}:{port} cannot be verified: {exc.verify_message}",
            hint="give the authority's certificate with --ca-file",
        ) from exc
    except OSError as exc:
        raise RunInvalid(
            f"cannot reach {host}:{port}: {exc.strerror or exc}",
            hint="check the URI, the network and private endpoints",
        ) from exc


def _address(scoring_uri: str) -> tuple[str, int, bool]:
    """Host, port and whether it is https."""
    with contextlib.suppress(ValueError):
        parts = urlsplit(scoring_uri)
        if parts.scheme in _PORTS and parts.hostname:
            return parts.hostname, parts.port or _PORTS[parts.scheme], parts.scheme == "https"
    raise UsageError(f"{scoring_uri!r} is not an http or https URI", hint="give the endpoint's scoring URI")
