"""One endpoint's facts and credentials, asked of Azure as one principal. Edge; lives in the agent process.

It is asked from several threads. It may touch the network. The SDK's own retries are off, so that the policy's back-off
is the only one. Every answer's Date sets Azure's clock. azure-ai-ml gets credentials; what needs fewer rights than it
asks for goes through `arm`.
"""

from __future__ import annotations

import atexit
import os
import tempfile
from collections.abc import Callable
from typing import Any, TypeVar

from azure.ai.ml import MLClient
from azure.ai.ml.entities import EndpointAadToken, EndpointAuthKeys
from azure.core.exceptions import HttpResponseError

from bench import clock
from bench.credentials.agent import serverless
from bench.credentials.agent.arm import Arm
from bench.credentials.agent.azure_clock import AzureClock
from bench.credentials.agent.azure_errors import Unusable, explain
from bench.credentials.agent.clouds import cloud_and_details
from bench.credentials.agent.described import endpoint_of
from bench.credentials.agent.identity import Identity
from bench.credentials.claims import claims_of
from bench.credentials.failure import Failure, FailureKind
from bench.credentials.lease import Grant, Validity, validity
from bench.endpoint import AuthMode, Endpoint, SignIn, Workspace
from bench.target.authorities import trusted_pem

_FORBIDDEN = 403
_CACHED_UNTIL_S = 290.0
"""MSAL, and with it `az`, hands out a cached token until five minutes before its end."""
_OPERATION_TIMEOUT_S = 40.0
"""azure-core looks every 30 s whether an operation is done, unless Azure says when to."""
_IDENTITY_CLAIMS = ("oid", "tid", "appid", "upn", "name", "idtyp")

T = TypeVar("T")


class ControlPlane:
    """One workspace, asked as one principal. UsageError for a cloud that there is not.

    Methods answer with a value or a `Failure`; they do not raise.
    """

    def __init__(
        self, workspace: Workspace, *, sign_in: SignIn, connection_timeout_s: float, read_timeout_s: float
    ) -> None:
        settings: dict[str, Any] = {
            "retry_total": 0,
            "connection_timeout": connection_timeout_s,
            "read_timeout": read_timeout_s,
            "connection_verify": _as_file(trusted_pem(sign_in.ca_file)),
        }
        self._workspace = workspace
        self._tenant = sign_in.tenant_id
        self._cloud, self._details = cloud_and_details(sign_in.cloud, settings)
        self._clock = AzureClock()
        self._identity = Identity(self._clock, settings, sign_in=sign_in, cloud=self._cloud)
        self._settings = settings
        self._entra = ""
        self._connect()

    def _connect(self) -> None:
        """New clients: each of them remembers a token of its own, also one that ARM refuses."""
        place = self._workspace
        self._arm = Arm(self._identity, place, cloud=self._cloud, hook=self._saw, settings=self._settings)
        self._client = MLClient(
            self._identity,
            place.subscription_id,
            place.resource_group,
            place.workspace_name,
            enable_telemetry=False,
            show_progress=False,
            cloud=self._cloud.name,
            raw_response_hook=self._saw,
            **self._details,
            **self._settings,
        )

    def describe(self, endpoint: str) -> Endpoint | Failure:
        """What ARM says about the endpoint: one GET, and one for its deployments, which may be refused."""
        return self._attempt(endpoint, lambda: self._describe(endpoint))

    def fetch(self, endpoint: str, auth_mode: AuthMode | None, *, reads: bool = True) -> Grant | Failure:
        """Its credential: GET endpoint, then POST listKeys or token; without `reads` only the POST.

        An Entra token needs nothing of ARM: when that is what is wanted, only the identity service is asked.
        """
        if auth_mode is AuthMode.AAD_TOKEN:
            return self._attempt(endpoint, self._entra_token)
        if not reads and auth_mode is AuthMode.KEY:
            return self._attempt(endpoint, lambda: self._listed_keys(endpoint))
        if not reads and auth_mode is AuthMode.AML_TOKEN:
            return self._attempt(endpoint, lambda: self._granted_token(endpoint))
        return self._attempt(endpoint, lambda: self._keys_or_token(endpoint))

    def regenerate(self, endpoint: str, key: str) -> dict[str, bool] | Failure:
        """Replace its `primary` or `secondary` key, which nobody can undo: whether Azure says that it is done within
        some seconds, and whether the list of keys shows another one."""
        return self._attempt(endpoint, lambda: self._regenerated(endpoint, key))

    def principal(self) -> dict[str, str] | Failure:
        """Who asks, by the claims of its ARM token (not verified; it is our own)."""
        return self._attempt("", self._claims)

    def arm_token(self) -> dict[str, str] | Failure:
        """The token itself."""
        return self._attempt("", lambda: {"token": self._identity.get_token_info(self._cloud.arm_scope).token})

    def _attempt(self, endpoint: str, call: Callable[[], T]) -> T | Failure:
        try:
            return call()
        except Exception as exc:  # noqa: BLE001 - whatever the SDK raises becomes one clear line
            failure = explain(exc, endpoint=endpoint, workspace=self._workspace, tenant=self._tenant)
        if failure.kind is FailureKind.IDENTITY:
            self._identity.forget()  # else MSAL would replay the failure, or the token that ARM refuses
            self._connect()
        return failure

    def _describe(self, endpoint: str) -> Endpoint:
        if serverless.is_serverless(endpoint):
            return serverless.described(self._client.serverless_endpoints, endpoint, **self._arm.options)
        found = self._arm.endpoint(endpoint)
        try:
            listed = self._arm.deployments(endpoint)
        except HttpResponseError as exc:
            if exc.status_code != _FORBIDDEN:
                raise
            listed = None
        return endpoint_of(endpoint, found, listed)

    def _keys_or_token(self, endpoint: str) -> Grant:
        if serverless.is_serverless(endpoint):
            return self._listed_keys(endpoint)
        answer = self._client.online_endpoints.get_keys(endpoint)
        if isinstance(answer, EndpointAadToken):
            return self._entra_token()
        if isinstance(answer, EndpointAuthKeys):
            return _keys(primary=answer.primary_key, secondary=answer.secondary_key)
        return self._token(answer.access_token, answer.expiry_time_utc, answer.refresh_after_time_utc)

    def _listed_keys(self, endpoint: str) -> Grant:
        if serverless.is_serverless(endpoint):
            primary, secondary = serverless.keys(self._client.serverless_endpoints, endpoint, **self._arm.options)
            return _keys(primary=primary, secondary=secondary)
        answer = self._arm.keys(endpoint)
        return _keys(primary=answer.get("primaryKey"), secondary=answer.get("secondaryKey"))

    def _granted_token(self, endpoint: str) -> Grant:
        answer = self._arm.token(endpoint)
        return self._token(answer.get("accessToken"), answer.get("expiryTimeUtc"), answer.get("refreshAfterTimeUtc"))

    def _regenerated(self, endpoint: str, key: str) -> dict[str, bool]:
        before = self._arm.keys(endpoint).get(f"{key}Key")
        poller = self._client.online_endpoints.begin_regenerate_keys(endpoint, key_type=key)
        poller.wait(_OPERATION_TIMEOUT_S)
        return {"done": poller.done(), "changed": self._arm.keys(endpoint).get(f"{key}Key") != before}

    def _token(self, secret: Any, expiry_s: Any, refresh_at_s: Any) -> Grant:
        now_ns = clock.monotonic_ns()
        azure_now_s = self._clock.now_s(now_ns=now_ns, host_wall_s=clock.wall_s())
        if expiry_s is None:
            raise Unusable("the token comes without an expiry")
        valid = validity(
            now_ns,
            life_s=float(expiry_s) - azure_now_s,
            refresh_in_s=None if refresh_at_s is None else float(refresh_at_s) - azure_now_s,
        )
        return Grant(secrets=_present((secret,)), auth_mode=AuthMode.AML_TOKEN, valid=valid)

    def _entra_token(self) -> Grant:
        """The times azure-identity gives count by this host's clock, an `exp` claim by Entra's: that one is exact.

        `az` has a cache that cannot be passed by. The same token again is asked for next when `az` will have a new one.
        """
        token = self._identity.renewed(self._cloud.scoring_scope)
        now_ns, host_wall_s = clock.monotonic_ns(), clock.wall_s()
        azure_now_s = self._clock.now_s(now_ns=now_ns, host_wall_s=host_wall_s)
        expiry_s = claims_of(token.token).get("exp")
        life_s = token.expires_on - host_wall_s if expiry_s is None else float(expiry_s) - azure_now_s
        refresh_in_s = None if token.refresh_on is None else token.refresh_on - host_wall_s
        if token.token == self._entra:
            refresh_in_s = life_s - _CACHED_UNTIL_S
        self._entra = token.token
        valid = validity(now_ns, life_s=life_s, refresh_in_s=refresh_in_s)
        return Grant(secrets=_present((token.token,)), auth_mode=AuthMode.AAD_TOKEN, valid=valid)

    def _claims(self) -> dict[str, str]:
        claims = claims_of(self._identity.get_token_info(self._cloud.arm_scope).token)
        return {name: str(claims[name]) for name in _IDENTITY_CLAIMS if name in claims}

    def _saw(self, response: Any) -> None:
        self._clock.observe(response.http_response.headers.get("Date"), now_ns=clock.monotonic_ns())


def _keys(*, primary: Any, secondary: Any) -> Grant:
    secrets = tuple(key for key in (primary, secondary) if key)
    return Grant(secrets=_present(secrets), auth_mode=AuthMode.KEY, valid=Validity(issued_at=clock.monotonic_ns()))


def _as_file(pem: bytes) -> str:
    """The path of a file in memory, which lives as long as this process: the agent touches no disk."""
    if not hasattr(os, "memfd_create"):
        handle, path = tempfile.mkstemp(suffix=".pem")
        atexit.register(os.unlink, path)
    else:
        handle = os.memfd_create("authorities")
        path = f"/proc/self/fd/{handle}"
    os.write(handle, pem)
    return path


def _present(secrets: tuple[str | None, ...]) -> tuple[str, ...]:
    if not secrets or not all(isinstance(secret, str) and secret for secret in secrets):
        raise Unusable("it holds no credential")
    return tuple(secret for secret in secrets if secret)
