"""One variant's side of a run in this process: address and connections, credential manager, prepared bytes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Protocol

from bench.endpoint import AuthMode
from bench.load.engine.lateness import LeaseWaits
from bench.load.wire.address import Address
from bench.load.wire.ways import Ways
from bench.plan.request_plan import Header, RequestPlan, Route
from bench.plan.run_plan import Variant
from bench.sample import Freshness

_AS_IT_IS = RequestPlan()


class LeaseHolder(Protocol):
    """What a lane needs of a credential manager."""

    def lease(self, timeout_s: float = ...) -> Any: ...

    def refused(self, lease: Any, *, status: int, worked: bool, timeout_s: float) -> Any: ...

    def freshness(self, lease: Any, now_ns: int) -> Freshness: ...


@dataclass(slots=True)
class HeldBack:
    """Answers that say that they, or their requests, were held back for their bandwidth, and for how long together."""

    answers: int = 0
    request_ms: float = 0.0
    response_ms: float = 0.0

    def add(self, request_ms: bytes, response_ms: bytes) -> None:
        """As the server wrote it; what is no time is none."""
        self.answers += 1
        self.request_ms += milliseconds(request_ms) or 0.0
        self.response_ms += milliseconds(response_ms) or 0.0

    def take(self) -> dict[str, Any]:
        """Everything since the last call."""
        taken = asdict(self)
        self.answers, self.request_ms, self.response_ms = 0, 0.0, 0.0
        return taken


def milliseconds(text: bytes) -> float | None:
    """`12.925` as a server writes it; None for anything that is not a time."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value < 1e9 else None


class Lane:
    """One variant in this process. `head` is rebuilt only when the lease changes; `worked` is the generation of the
    lease that scored last."""

    def __init__(
        self,
        variant: Variant,
        address: Address,
        manager: LeaseHolder,
        *,
        code: int,
        deployment: str,
        request: RequestPlan = _AS_IT_IS,
        secret_headers: tuple[Header, ...] = (),
    ) -> None:
        self.variant = variant
        self.address = address
        self.manager = manager
        self.code = code
        self._route: Route = (request.method, request.path or address.path)
        self.method = request.method
        self._shown_path = self._route[1].partition("?")[0]  # a query may hold a secret
        self.name = f"{self._shown_path} [{variant.name}]"
        self._names: dict[str, str] = {"": self.name}
        self.head = b""
        self.worked = 0
        self.lease_waits = LeaseWaits()
        self.ways = Ways()
        self.held_back = HeldBack()
        self.needs_role = variant.auth_mode is AuthMode.AAD_TOKEN
        self._deployment = deployment
        self._headers = request.headers
        self._secret_headers = secret_headers
        self._rest = b""
        self._head_of: Any = None

    def head_for(self, lease: Any) -> bytes:
        """Request line and headers up to the body's own, with the secret."""
        if lease is not self._head_of:
            headers = {
                "User-Agent": "azureml-endpoint-bench",
                "Accept": "*/*",
                "Authorization": f"Bearer {lease.secret}",
            }
            if self._deployment:
                headers["azureml-model-deployment"] = self._deployment
            given = [*self._headers, *self._secret_headers]
            replaced = {name.lower() for name, _ in given}
            lines = [("Host", self.address.authority)]
            lines += [(name, value) for name, value in headers.items() if name.lower() not in replaced]
            self._rest = "".join(f"{name}: {value}\r\n" for name, value in lines + given).encode("ascii")
            self.head = _request_line(self._route) + self._rest
            self._head_of = lease
        return self.head

    def head_on(self, route: Route, lease: Any) -> bytes:
        """The same for a request with a method or a path of its own; what of the two is empty is the lane's."""
        self.head_for(lease)
        return _request_line((route[0] or self._route[0], route[1] or self._route[1])) + self._rest

    def name_of(self, request_class: str) -> str:
        """What Locust calls a request of that class."""
        name = self._names.get(request_class)
        if name is None:
            name = self._names[request_class] = f"{self._shown_path} {request_class} [{self.variant.name}]"
        return name

    @property
    def secrets(self) -> tuple[str, ...]:
        """What beside the lease must never be shown."""
        return tuple(value for _, value in self._secret_headers)

    def wipe(self) -> None:
        """Forget every secret."""
        self.head = self._rest = b""
        self._secret_headers = ()
        self._head_of = None


def _request_line(route: Route) -> bytes:
    return f"{route[0]} {route[1]} HTTP/1.1\r\n".encode("ascii")
