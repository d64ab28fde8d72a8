"""Whether a scoring request gets to the model, and to which deployment. Pure; on the data plane's hot path.

Refusals follow Microsoft Learn, "Troubleshoot online endpoints" (HTTP status codes). Azure's 401 does not say
why; `Refusal.reason` does, and goes to the refusal log only. Texts: `key_auth_*` are quoted in
MicrosoftDocs/azure-docs#98265; those for tokens are ours, for none is published.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from bench.emulator.resources import endpoint_id
from bench.emulator.roles import ACTIONS
from bench.emulator.settings import CLOUDS
from bench.emulator.state import EndpointState, State
from bench.emulator.tokens import TokenKind, TokenRefusedError


@dataclass(frozen=True, slots=True)
class Refusal:
    """A 401 (or 403), the text the client sees, and the reason, which is not sent to it.

    `reason`: missing_header, bad_header, unknown_key, rotated, malformed, signature, audience, expired, revoked
    or forbidden (the principal lacks score/action).
    """

    status: int
    text: str
    reason: str


class Gate:
    """The front door of one endpoint."""

    def __init__(self, state: State, endpoint: EndpointState) -> None:
        self._state = state
        self._endpoint = endpoint
        self._own_audience = frozenset({endpoint_id(state.settings, endpoint.name)})
        scoring = CLOUDS[state.settings.cloud][1]
        self._entra_audiences = frozenset({scoring, f"{scoring}/"})

    def refusal(self, authorization: bytes, now_s: float) -> Refusal | None:
        """None when `authorization` (the header's value, empty if absent) opens the door at `now_s`."""
        if not authorization:
            return Refusal(401, "key_auth_bad_header_forbidden", "missing_header")
        if authorization[:7].lower() != b"bearer " or len(authorization) == 7:
            return Refusal(401, "key_auth_bad_header_forbidden", "bad_header")
        secret = authorization[7:].strip()
        endpoint = self._endpoint
        if endpoint.auth_mode == "key":
            if endpoint.accepts_key(secret):
                return None
            known = secret.decode("latin-1") in endpoint.old_keys
            return Refusal(401, "key_auth_access_denied", "rotated" if known else "unknown_key")
        return self._token_refusal(secret.decode("latin-1"), now_s)

    def _token_refusal(self, secret: str, now_s: float) -> Refusal | None:
        mode = self._endpoint.auth_mode
        entra = mode == "aad_token"
        kind = TokenKind.AAD_TOKEN if entra else TokenKind.AML_TOKEN
        audiences = self._entra_audiences if entra else self._own_audience
        try:
            claims = self._state.authority.verify(secret, kind=kind, audiences=audiences, now_s=now_s)
        except TokenRefusedError as exc:
            return Refusal(401, f"{mode}_auth_access_denied", exc.reason)
        if not entra:
            return None
        principal = self._state.principal(claims.client_id)
        if self._state.allows(principal, ACTIONS["score/action"]):
            return None
        return Refusal(self._state.settings.denied_score_status, f"{mode}_auth_access_denied", "forbidden")


class Traffic:
    """Blue/green: which deployment a request goes to, by weight or by name, reproducibly."""

    def __init__(self, weights: Sequence[tuple[str, int]], seed: int) -> None:
        self._names = frozenset(name for name, _ in weights)
        self._shares = tuple((name, weight) for name, weight in weights if weight > 0)
        self._only = self._shares[0][0] if len(self._shares) == 1 else ""
        self._total = sum(weight for _, weight in self._shares)
        self._random = Random(seed).random  # noqa: S311 - a reproducible sequence is the point

    def choose(self, pinned: str) -> str:
        """The deployment's name; empty when there is none with traffic, or none called `pinned`."""
        if pinned:
            return pinned if pinned in self._names else ""
        if self._only or not self._shares:
            return self._only
        drawn = self._random() * self._total
        for name, weight in self._shares:
            drawn -= weight
            if drawn < 0:
                return name
        return self._shares[-1][0]
