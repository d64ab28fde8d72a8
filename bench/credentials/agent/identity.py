"""The principal: azure-identity, made to fail clearly, to forget, and to report Azure's time. Edge; lives in the agent.

azure-core holds it as the credential of MLClient. It may touch the network.

MSAL replays a failed token request from memory for up to 60 s and hands out a cached token until five minutes before
its end; both memories belong to the credential object. So `forget` throws that object away, and `renewed` always asks
a new one: that is the only way to really get a new token, and to notice at once that the identity service is back.

What each credential of the chain says when it fails is written down as it says it: DefaultAzureCredential keeps one
text for all, and not which of them the identity service answered.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from azure.identity import AzureAuthorityHosts, DefaultAzureCredential

from bench import clock
from bench.credentials.agent.azure_clock import AzureClock
from bench.credentials.agent.azure_errors import IdentityFailed
from bench.credentials.agent.entra_errors import code_in
from bench.credentials.agent.sign_in import Attempt
from bench.endpoint import SignIn
from bench.target.cloud import Cloud

_REFUSALS = 400
_KNOWN_AUTHORITIES = (
    AzureAuthorityHosts.AZURE_PUBLIC_CLOUD,
    AzureAuthorityHosts.AZURE_GOVERNMENT,
    AzureAuthorityHosts.AZURE_CHINA,
    "login.chinacloudapi.cn",
    "login.partner.microsoftonline.cn",
)


class Identity:
    """DefaultAzureCredential behind the two methods azure-core calls. Safe to use from several threads.

    `settings` are keyword arguments of azure-core pipelines. IdentityFailed is all it raises.
    """

    def __init__(self, azure_clock: AzureClock, settings: dict[str, Any], *, sign_in: SignIn, cloud: Cloud) -> None:
        self._clock = azure_clock
        self._sign_in = sign_in
        os.environ.setdefault("AZURE_AUTHORITY_HOST", cloud.authority)
        if sign_in.client_id:
            os.environ["AZURE_CLIENT_ID"] = sign_in.client_id
        if sign_in.tenant_id:
            os.environ["AZURE_TENANT_ID"] = sign_in.tenant_id
        self._settings = {**settings, **_private_authority(), "process_timeout": sign_in.timeout_s}
        self._credential: Any = None
        self._lock = threading.Lock()
        self._thread = threading.local()

    def get_token(self, *scopes: str, **options: Any) -> Any:
        """An `AccessToken`, from the credential's cache when that has one."""
        if self._sign_in.tenant_id:
            options.setdefault("tenant_id", self._sign_in.tenant_id)
        return self._ask(lambda credential: credential.get_token(*scopes, **options))

    def get_token_info(self, *scopes: str, options: Any = None) -> Any:
        """An `AccessTokenInfo`, from the credential's cache when that has one."""
        if self._sign_in.tenant_id:
            options = {"tenant_id": self._sign_in.tenant_id, **(options or {})}
        return self._ask(lambda credential: credential.get_token_info(*scopes, options=options))

    def renewed(self, scope: str) -> Any:
        """An `AccessTokenInfo` straight from the identity service."""
        self.forget()
        return self.get_token_info(scope)

    def forget(self) -> None:
        """Drop the credential with all it remembers."""
        with self._lock:
            self._credential = None

    def _ask(self, call: Callable[[Any], Any]) -> Any:
        self._thread.attempts = []
        try:
            with self._lock:
                if self._credential is None:
                    self._credential = self._made()
                credential = self._credential
            return call(credential)
        except Exception as exc:
            if not self._thread.attempts:
                self._note("DefaultAzureCredential", exc)
            raise IdentityFailed(self._thread.attempts) from exc

    def _made(self) -> Any:
        chain = DefaultAzureCredential(raw_response_hook=self._saw, **self._settings)
        chain.credentials = tuple(_Heard(credential, self._enter, self._note) for credential in chain.credentials)
        return chain

    def _enter(self) -> None:
        """A credential of the chain is asked: whatever answer was seen before was another one's."""
        self._thread.answer = None

    def _note(self, name: str, exc: Exception) -> None:
        answer = getattr(self._thread, "answer", None)
        cause = exc.__cause__ or exc.__context__
        said = str(getattr(exc, "message", "") or exc)
        if isinstance(exc, FileNotFoundError) and name == "WorkloadIdentityCredential":
            said = "the file that AZURE_FEDERATED_TOKEN_FILE names does not exist"
        self._thread.attempts.append(
            Attempt(
                credential=name,
                said=said if answer is None or code_in(said) else _described(answer) or said,
                status=None if answer is None else answer.status_code,
                headers={} if answer is None else answer.headers,
                timed_out_after_s=cause.timeout if isinstance(cause, subprocess.TimeoutExpired) else None,
            )
        )

    def _saw(self, response: Any) -> None:
        """azure-core's hook, called in the thread that asked."""
        answer = response.http_response
        self._clock.observe(answer.headers.get("Date"), now_ns=clock.monotonic_ns())
        self._thread.answer = answer


class _Heard:
    """One credential of the chain, whose failure is written down before the chain goes on to the next."""

    def __init__(self, credential: Any, enter: Callable[[], None], note: Callable[[str, Exception], None]) -> None:
        self._credential = credential
        self._enter = enter
        self._note = note

    def get_token(self, *scopes: str, **options: Any) -> Any:
        return self._ask(lambda: self._credential.get_token(*scopes, **options))

    def get_token_info(self, *scopes: str, options: Any = None) -> Any:
        return self._ask(lambda: self._credential.get_token_info(*scopes, options=options))

    def close(self) -> None:
        self._credential.close()

    def _ask(self, call: Callable[[], Any]) -> Any:
        self._enter()
        try:
            return call()
        except Exception as exc:
            self._note(getattr(self._credential, "_credential_name", "") or type(self._credential).__name__, exc)
            raise


def _described(answer: Any) -> str:
    """What the identity service said of its refusal; azure-identity drops that of a managed identity."""
    with contextlib.suppress(Exception):  # a body that was not read, or is no JSON
        body = json.loads(answer.text())
        return str(body.get("error_description") or "") if answer.status_code >= _REFUSALS else ""
    return ""


def _private_authority() -> dict[str, bool]:
    """An authority Microsoft does not publish is unknown to its discovery service: do not ask that about it."""
    given = os.environ.get("AZURE_AUTHORITY_HOST", "")
    host = urlsplit(given if "//" in given else f"//{given}").hostname
    return {} if host is None or host in _KNOWN_AUTHORITIES else {"disable_instance_discovery": True}
