"""azure-ai-ml, asked for one endpoint's facts and credentials. Edge; lives in the agent process.

It is asked from several threads. It may touch the network. The SDK's own retries are off, so that the
policy's back-off is the only one. Every answer's Date sets Azure's clock.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any, TypeVar

from azure.ai.ml import MLClient
from azure.ai.ml.entities import EndpointAadToken, EndpointAuthKeys

from bench import clock
from bench.credentials.agent.azure_clock import AzureClock
from bench.credentials.agent.azure_errors import Unusable, explain
from bench.credentials.agent.identity import Identity
from bench.credentials.failure import Failure, FailureKind
from bench.credentials.lease import Grant, Validity, validity
from bench.endpoint import AuthMode, Endpoint, Workspace

ARM_SCOPE = "https://management.azure.com/.default"
SCORING_SCOPE = "https://ml.azure.com/.default"
_TOLD = ("oid", "tid", "appid", "upn", "name", "idtyp")

T = TypeVar("T")


class ControlPlane:
    """One workspace, asked as one principal. Methods answer with a value or a `Failure`; they do not raise."""

    def __init__(self, workspace: Workspace, *, connection_timeout_s: float, read_timeout_s: float) -> None:
        settings = {"retry_total": 0, "connection_timeout": connection_timeout_s, "read_timeout": read_timeout_s}
        self._workspace = workspace
        self._clock = AzureClock()
        self._identity = Identity(self._clock, settings)
        self._client = MLClient(
            self._identity,
            workspace.subscription_id,
            workspace.resource_group,
            workspace.workspace_name,
            enable_telemetry=False,
            show_progress=False,
            raw_response_hook=self._saw,
            **settings,
        )

    def describe(self, endpoint: str) -> Endpoint | Failure:
        """What ARM says about the endpoint: two GETs."""
        return self._attempt(endpoint, lambda: self._describe(endpoint))

    def fetch(self, endpoint: str, auth_mode: AuthMode | None) -> Grant | Failure:
        """Its credential: GET endpoint, then POST listKeys or token.

        An Entra token needs nothing of ARM: when that is what is wanted, only the identity service is asked.
        """
        if auth_mode is AuthMode.AAD_TOKEN:
            return self._attempt(endpoint, self._entra_token)
        return self._attempt(endpoint, lambda: self._keys_or_token(endpoint))

    def principal(self) -> dict[str, str] | Failure:
        """Who asks, by the claims of its ARM token (not verified; it is our own)."""
        return self._attempt("", self._claims)

    def _attempt(self, endpoint: str, call: Callable[[], T]) -> T | Failure:
        try:
            return call()
        except Exception as exc:  # noqa: BLE001 - whatever the SDK raises becomes one clear line
            failure = explain(exc, endpoint=endpoint, workspace=self._workspace)
        if failure.kind is FailureKind.IDENTITY:
            self._identity.forget()  # else MSAL would replay the failure, or the token that ARM refuses
        return failure

    def _describe(self, endpoint: str) -> Endpoint:
        found = self._client.online_endpoints.get(endpoint)
        return Endpoint(
            name=endpoint,
            scoring_uri=str(found.scoring_uri or ""),
            auth_mode=AuthMode(found.auth_mode),
            traffic=tuple(sorted((found.traffic or {}).items())),
        )

    def _keys_or_token(self, endpoint: str) -> Grant:
        answer = self._client.online_endpoints.get_keys(endpoint)
        if isinstance(answer, EndpointAadToken):
            return self._entra_token()
        now_ns = clock.monotonic_ns()
        if isinstance(answer, EndpointAuthKeys):
            secrets = tuple(key for key in (answer.primary_key, answer.secondary_key) if key)
            return Grant(secrets=_present(secrets), auth_mode=AuthMode.KEY, valid=Validity(issued_at=now_ns))
        azure_now_s = self._clock.now_s(now_ns=now_ns, host_wall_s=clock.wall_s())
        refresh_at_s = answer.refresh_after_time_utc
        if answer.expiry_time_utc is None:
            raise Unusable("the token comes without an expiry")
        valid = validity(
            now_ns,
            life_s=float(answer.expiry_time_utc) - azure_now_s,
            refresh_in_s=None if refresh_at_s is None else float(refresh_at_s) - azure_now_s,
        )
        return Grant(secrets=_present((answer.access_token,)), auth_mode=AuthMode.AML_TOKEN, valid=valid)

    def _entra_token(self) -> Grant:
        """The times azure-identity gives count by this host's clock, an `exp` claim by Entra's: that one is exact."""
        token = self._identity.renewed(SCORING_SCOPE)
        now_ns, host_wall_s = clock.monotonic_ns(), clock.wall_s()
        azure_now_s = self._clock.now_s(now_ns=now_ns, host_wall_s=host_wall_s)
        expiry_s = claims_of(token.token).get("exp")
        valid = validity(
            now_ns,
            life_s=token.expires_on - host_wall_s if expiry_s is None else float(expiry_s) - azure_now_s,
            refresh_in_s=None if token.refresh_on is None else token.refresh_on - host_wall_s,
        )
        return Grant(secrets=_present((token.token,)), auth_mode=AuthMode.AAD_TOKEN, valid=valid)

    def _claims(self) -> dict[str, str]:
        claims = claims_of(self._identity.get_token_info(ARM_SCOPE).token)
        return {name: str(claims[name]) for name in _TOLD if name in claims}

    def _saw(self, response: Any) -> None:
        self._clock.observe(response.http_response.headers.get("Date"), now_ns=clock.monotonic_ns())


def claims_of(token: str) -> dict[str, Any]:
    """The claims of a JWT, unverified; none when it is not a JWT (Entra calls its access tokens opaque)."""
    try:
        body = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (IndexError, ValueError):
        return {}
    return claims if isinstance(claims, dict) else {}


def _present(secrets: tuple[str | None, ...]) -> tuple[str, ...]:
    if not secrets or not all(isinstance(secret, str) and secret for secret in secrets):
        raise Unusable("it holds no credential")
    return tuple(secret for secret in secrets if secret)
