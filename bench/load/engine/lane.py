"""One variant's side of a run in this process: address, credential manager, prepared bytes."""

from __future__ import annotations

from typing import Any, Protocol

from bench.endpoint import AuthMode
from bench.load.engine.lateness import LeaseWaits
from bench.load.wire.address import Address
from bench.plan import Variant
from bench.sample import Freshness


class LeaseHolder(Protocol):
    """What a lane needs of a credential manager."""

    def lease(self, timeout_s: float = ...) -> Any: ...

    def refused(self, lease: Any, *, status: int, worked: bool, timeout_s: float) -> Any: ...

    def freshness(self, lease: Any, now_ns: int) -> Freshness: ...


class Lane:
    """One variant in this process. `head` is rebuilt only when the lease changes; `worked` is the generation of the
    lease that scored last."""

    def __init__(self, variant: Variant, address: Address, manager: LeaseHolder, *, code: int, deployment: str) -> None:
        self.variant = variant
        self.address = address
        self.manager = manager
        self.code = code
        self.name = f"{address.path.partition('?')[0]} [{variant.name}]"  # a query may hold a secret
        self.head = b""
        self.worked = 0
        self.lease_waits = LeaseWaits()
        self.needs_role = variant.auth_mode is AuthMode.AAD_TOKEN
        self._pin = f"azureml-model-deployment: {deployment}\r\n" if deployment else ""
        self._head_of: Any = None

    def head_for(self, lease: Any) -> bytes:
        """Request line and headers up to the body's own, with the secret."""
        if lease is not self._head_of:
            self.head = (
                f"POST {self.address.path} HTTP/1.1\r\nHost: {self.address.authority}\r\n"
                "User-Agent: azureml-endpoint-bench\r\nAccept: */*\r\n"
                f"Authorization: Bearer {lease.secret}\r\n{self._pin}"
            ).encode("ascii")
            self._head_of = lease
        return self.head

    def wipe(self) -> None:
        """Forget the secret."""
        self.head = b""
        self._head_of = None
