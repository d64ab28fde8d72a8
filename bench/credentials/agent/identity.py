"""The principal: azure-identity, made to fail clearly, to forget, and to tell Azure's time. Edge; lives in the agent.

azure-core holds it as the credential of MLClient. It may touch the network.

MSAL replays a failed token request from memory for up to 60 s and hands out a cached token until five minutes before
its end; both memories belong to the credential object. So `forget` throws that object away, and `renewed` always asks
a new one: that is the only way to really get a new token, and to notice at once that the identity service is back.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from azure.identity import AzureAuthorityHosts, DefaultAzureCredential

from bench import clock
from bench.credentials.agent.azure_clock import AzureClock
from bench.credentials.agent.azure_errors import IdentityAnswer, IdentityFailed

_KNOWN_AUTHORITIES = (
    AzureAuthorityHosts.AZURE_PUBLIC_CLOUD,
    AzureAuthorityHosts.AZURE_GOVERNMENT,
    AzureAuthorityHosts.AZURE_CHINA,
)


class Identity:
    """DefaultAzureCredential behind the two methods azure-core calls. Safe to use from several threads.

    `settings` are keyword arguments of azure-core pipelines. IdentityFailed is all it raises.
    """

    def __init__(self, azure_clock: AzureClock, settings: dict[str, Any]) -> None:
        self._clock = azure_clock
        self._settings = {**settings, **_private_authority()}
        self._credential: Any = None
        self._lock = threading.Lock()
        self._thread = threading.local()

    def get_token(self, *scopes: str, **options: Any) -> Any:
        """An `AccessToken`, from the credential's cache when that has one."""
        return self._ask(lambda credential: credential.get_token(*scopes, **options))

    def get_token_info(self, *scopes: str, options: Any = None) -> Any:
        """An `AccessTokenInfo`, from the credential's cache when that has one."""
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
        self._thread.answer = None
        try:
            with self._lock:
                if self._credential is None:
                    self._credential = DefaultAzureCredential(raw_response_hook=self._saw, **self._settings)
                credential = self._credential
            return call(credential)
        except Exception as exc:
            raise IdentityFailed(self._thread.answer) from exc

    def _saw(self, response: Any) -> None:
        """azure-core's hook, called in the thread that asked."""
        answer = response.http_response
        self._clock.observe(answer.headers.get("Date"), now_ns=clock.monotonic_ns())
        self._thread.answer = IdentityAnswer(status=answer.status_code, headers=answer.headers)


def _private_authority() -> dict[str, bool]:
    """An authority Microsoft does not publish is unknown to its discovery service: do not ask that about it."""
    host = urlsplit(os.environ.get("AZURE_AUTHORITY_HOST", "")).hostname
    return {} if host is None or host in _KNOWN_AUTHORITIES else {"disable_instance_discovery": True}
