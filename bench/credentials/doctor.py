"""Can this principal get the credential, and can the endpoint answer? Nothing here is load. Plain Python, no gevent.

It asks the agent (a few control-plane calls, again while Azure is in trouble) and has somebody look whether the scoring
URI can be reached (`Reach`). The checks come in the order in which they depend on each other; after one that failed,
those that need its result are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from bench import clock
from bench.credentials.failure import Failure
from bench.credentials.lease import NEVER_NS, NS_PER_S, Grant
from bench.credentials.patience import Patience
from bench.credentials.state import measured, notes, obstacle
from bench.endpoint import SCORE_ACTION, AuthMode, Deployment, Endpoint
from bench.errors import BenchError, UsageError
from bench.plan.run_plan import Variant
from bench.target.client_certificate import NO_CERTIFICATE, ClientCertificate


class AsksAzure(Protocol):
    """The part of an agent's client the doctor needs."""

    def asked_by(self) -> dict[str, str] | Failure: ...
    def described(self, endpoint: str) -> Endpoint | Failure: ...
    def fetch(self, endpoint: str, auth_mode: AuthMode | None, *, reads: bool = True) -> Grant | Failure: ...


Reach = Callable[[str, str, ClientCertificate], str]
"""(scoring URI, CA file, client certificate) -> what was reached, in words. Raises BenchError when nothing was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointTarget:
    """An online endpoint, asked about through `agent`. `auth_mode` None takes the endpoint's own.

    With a `scoring_uri` nothing is read of the endpoint. `deployment` is pinned; `timeout_s` is a run's.
    """

    agent: AsksAzure
    endpoint: str
    patience: Patience
    auth_mode: AuthMode | None = None
    scoring_uri: str = ""
    deployment: str = ""
    timeout_s: float | None = None
    ca_file: str = ""
    client: ClientCertificate = NO_CERTIFICATE


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticTarget:
    """A bare scoring URI with a credential the user brings."""

    scoring_uri: str
    secret: str = field(repr=False)
    ca_file: str = ""
    client: ClientCertificate = NO_CERTIFICATE


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing looked at. `detail` is what was found, `error` why it is not good (None when it is).

    `is_note`: nothing to cure, but to be known.
    """

    name: str
    detail: str = ""
    error: BenchError | None = None
    is_note: bool = False

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


def run_checks(target: EndpointTarget | StaticTarget, reach: Reach) -> Report:
    """Everything that can be known about `target` without scoring. Does not raise BenchError."""
    checks = _check_static(target, reach) if isinstance(target, StaticTarget) else _check_endpoint(target, reach)
    return Report((*_client_certificate(target.client), *checks))


def _client_certificate(client: ClientCertificate) -> Iterator[Check]:
    if client:
        yield Check(name="client certificate", detail=client.shown)


def _check_static(target: StaticTarget, reach: Reach) -> Iterator[Check]:
    if target.secret:
        yield Check(name="credential", detail=f"given, {len(target.secret)} characters; not tried")
    else:
        missing = UsageError("no credential given for the scoring URI", hint="set BENCH_KEY or BENCH_TOKEN")
        yield Check(name="credential", error=missing)
    yield reachable(target.scoring_uri, target.ca_file, target.client, reach)


def _check_endpoint(target: EndpointTarget, reach: Reach) -> Iterator[Check]:
    ask = target.patience.ask
    if not (target.scoring_uri and target.auth_mode is AuthMode.AAD_TOKEN):
        claims = ask(target.agent.asked_by)
        if isinstance(claims, Failure):
            yield Check(name="principal", error=claims.error())
            return
        yield Check(name="principal", detail=_principal_line(claims))
    if target.scoring_uri:
        mode = target.auth_mode or AuthMode.KEY
        yield _credential(ask(lambda: target.agent.fetch(target.endpoint, mode, reads=False)))
        yield reachable(target.scoring_uri, target.ca_file, target.client, reach)
        return
    endpoint = ask(lambda: target.agent.described(target.endpoint))
    if isinstance(endpoint, Failure):
        yield Check(name="endpoint", error=endpoint.error())
        return
    shown = Variant(name="", auth_mode=endpoint.auth_mode, scoring_uri=endpoint.scoring_uri).shown_uri
    yield Check(
        name="endpoint", detail=f"{endpoint.name}, {endpoint.state or 'state unknown'}, {shown or 'no URI yet'}"
    )
    yield _auth_mode(endpoint, target.auth_mode)
    yield _credential(ask(lambda: target.agent.fetch(endpoint.name, endpoint.auth_mode)))
    if not endpoint.is_serverless or obstacle(endpoint, target.deployment) is not None:
        yield _deployments(endpoint, target.deployment)
    for line in notes(endpoint, target.deployment, timeout_s=target.timeout_s):
        yield Check(name="note", detail=line, is_note=True)
    if endpoint.scoring_uri:
        yield reachable(endpoint.scoring_uri, target.ca_file, target.client, reach)


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


def _deployments(endpoint: Endpoint, pinned: str) -> Check:
    """Who answers: the pinned deployment, or those with traffic."""
    if (error := obstacle(endpoint, pinned)) is not None:
        return Check(name="deployment" if pinned else "traffic", error=error)
    shares = ", ".join(f"{deployment} {percent} %" for deployment, percent in endpoint.traffic)
    facts = [fact for one in measured(endpoint, pinned) for fact in (_deployment_line(one),) if fact]
    said = f"{pinned} pinned, of {shares}" if pinned else shares
    return Check(name="deployment" if pinned else "traffic", detail="; ".join([said, *facts]))


def _deployment_line(one: Deployment) -> str:
    """`blue: Succeeded, 2 x Standard_DS3_v2, 1 at a time each, 5 s a request`."""
    parts = [one.state]
    if one.instance_type:
        parts.append(f"{one.instances or '?'} x {one.instance_type}")
    if one.max_concurrent_requests is not None:
        parts.append(f"{one.max_concurrent_requests} at a time each")
    if one.request_timeout_s is not None:
        parts.append(f"{one.request_timeout_s:g} s a request")
    return f"{one.name}: {', '.join(filter(None, parts))}"


def reachable(scoring_uri: str, ca_file: str, client: ClientCertificate, reach: Reach) -> Check:
    """Whether somebody answers at the scoring URI, and does not send us on elsewhere."""
    try:
        return Check(name="scoring URI", detail=reach(scoring_uri, ca_file, client))
    except BenchError as exc:
        return Check(name="scoring URI", error=exc)
