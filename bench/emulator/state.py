"""The workspace as it is now: endpoints, keys, principals, who is allowed what. Pure; reads no clock.

Everything mutable that the control plane and the data plane share lives here. Random text (new keys)
comes from the function given at the start. Long-running operations hold the time they are done.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from hmac import compare_digest

from bench.emulator.conditions import Conditions
from bench.emulator.faults import Fault, FaultKind
from bench.emulator.roles import Principal, full_action
from bench.emulator.settings import ENDPOINT_NAMES, Settings
from bench.emulator.throttle import ArmThrottle
from bench.emulator.tokens import TokenAuthority, TokenKind

ROTATION_TAKES_S = 0.5
"""A key is new at once; the operation that says so is done this much later (how long Azure takes is not documented)."""


@dataclass(slots=True)
class EndpointState:
    """One online endpoint. `auth_mode` is the one in force, `own_auth_mode` the one it was made with."""

    name: str
    own_auth_mode: str
    primary_key: str
    secondary_key: str
    traffic: dict[str, int]
    scoring_uri: str = ""
    auth_mode: str = ""
    provisioning: str = "Succeeded"
    network_access: str = "Enabled"
    deployment_states: dict[str, str] = field(default_factory=dict)
    old_keys: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.auth_mode = self.own_auth_mode

    def accepts_key(self, secret: bytes) -> bool:
        """Whether `secret` is a current key. Both are always compared, in constant time."""
        primary = compare_digest(secret, self.primary_key.encode())
        secondary = compare_digest(secret, self.secondary_key.encode())
        return primary or secondary


class State:
    """The emulated workspace."""

    def __init__(self, settings: Settings, *, authority: TokenAuthority, make_key: Callable[[], str]) -> None:
        self.settings = settings
        self.authority = authority
        self.conditions = Conditions()
        self.on_used: Callable[[Fault], None] = lambda _fault: None
        """Called whenever a fault has spoilt an answer."""
        self._make_key = make_key
        self.throttle = ArmThrottle(settings.subscription_id, enforced=settings.arm_throttling)
        self.operations: dict[str, float] = {}
        self.endpoints = {
            name: EndpointState(name, mode, make_key(), make_key(), dict(settings.traffic))
            for mode, name in ENDPOINT_NAMES.items()
        }
        denied = {full_action(action) for action in settings.denied}
        self.managed_identity = Principal(
            name="managed_identity",
            client_id="11111111-0000-4000-8000-000000000001",
            object_id="11111111-0000-4000-8000-00000000000a",
            denied=set(denied),
        )
        self.service_principal = Principal(
            name="service_principal",
            client_id="22222222-0000-4000-8000-000000000002",
            object_id="22222222-0000-4000-8000-00000000000b",
            denied=set(denied),
        )

    def endpoint(self, name: str) -> EndpointState | None:
        """The endpoint of that name (any case), or of that auth mode."""
        lowered = name.lower()
        return self.endpoints.get(ENDPOINT_NAMES.get(lowered, lowered))

    def principal(self, client_id: str) -> Principal:
        """The principal a verified token names. Only these two are ever issued one."""
        if client_id == self.service_principal.client_id:
            return self.service_principal
        return self.managed_identity

    def allows(self, principal: Principal, action: str) -> bool:
        """Whether `principal` has `action` (in full) right now."""
        taken = {("", action), (principal.name, action)}
        return action not in principal.denied and not taken & self.conditions.denials

    def rotate_key(self, endpoint: EndpointState, which: str, value: str = "") -> None:
        """Replace the primary or secondary key. Asking for the key it already is means a new one:
        the SDK fills in the key it has just listed."""
        current = endpoint.primary_key if which == "primary" else endpoint.secondary_key
        new = value if value and value != current else self._make_key()
        endpoint.old_keys.add(current)
        endpoint.old_keys.discard(new)
        if which == "primary":
            endpoint.primary_key = new
        else:
            endpoint.secondary_key = new

    def begin_operation(self, operation_id: str, now_s: float) -> None:
        self.operations[operation_id] = now_s + ROTATION_TAKES_S

    def happen(self, fault: Fault) -> None:
        """Carry out an instant fault."""
        if fault.kind is FaultKind.REVOKE_TOKENS:
            kinds = list(TokenKind) if fault.tokens == "all" else [TokenKind(fault.tokens)]
            for kind in kinds:
                self.authority.revoke(kind)
            return
        endpoint = self.endpoint(fault.endpoint or "key")
        if endpoint is not None:
            for which in ("primary", "secondary") if fault.key == "both" else (fault.key,):
                self.rotate_key(endpoint, which)

    def under(self, conditions: Conditions) -> None:
        """Let `conditions` hold from now on: an endpoint that was switched goes back when that is over."""
        self.conditions = conditions
        for endpoint in self.endpoints.values():
            endpoint.auth_mode, endpoint.provisioning = endpoint.own_auth_mode, "Succeeded"
            endpoint.network_access, endpoint.deployment_states = "Enabled", {}
        for name, deployment, to in conditions.states:
            if (found := self.endpoint(name)) is not None and deployment:
                found.deployment_states[deployment] = to
            elif found is not None:
                found.provisioning = to
        for name, to in conditions.network_access:
            if (found := self.endpoint(name)) is not None:
                found.network_access = to
        for name, mode in conditions.auth_modes:
            if (switched := self.endpoint(name)) is not None:
                switched.auth_mode = mode
