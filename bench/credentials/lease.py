"""A secret with its validity: what a source grants, and the numbered lease made of it. Pure; reads no clock.

Who calls it: every part of this room; the load engine reads `Lease`. All times are nanoseconds on this
host's monotonic clock, so that a step of the wall clock changes nothing; `NEVER_NS` stands for "does not happen".
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Self

from bench.endpoint import AuthMode
from bench.sample import Freshness

NEVER_NS = 2**63 - 1
NS_PER_S = 1_000_000_000
MAX_LIFE_S = 48 * 3600.0
"""Longer lives are taken for this: twice what Entra's longest tokens live, and a guard against wrong units."""
_MARGIN_SHARE = 10
_MAX_MARGIN_NS = 5 * NS_PER_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Validity:
    """When a secret was issued, should be renewed, and stops working (monotonic ns)."""

    issued_at: int
    refresh_after: int = NEVER_NS
    expires_at: int = NEVER_NS


class NoLifeLeft(ValueError):
    """The times a token came with leave it no life."""


def validity(now_ns: int, *, life_s: float, refresh_in_s: float | None = None) -> Validity:
    """Deadlines from the durations Azure's times amount to. NoLifeLeft when they leave none.

    A refresh time that is missing, past, or beyond the usable life becomes half-life, so that always
    now < refresh_after < usable_until <= expires_at. Lives beyond `MAX_LIFE_S` count as that long.
    """
    if not (math.isfinite(life_s) and life_s > 0):
        raise NoLifeLeft
    life_ns = max(int(min(life_s, MAX_LIFE_S) * NS_PER_S), _MARGIN_SHARE)
    usable_ns = life_ns - _margin_ns(life_ns)
    refresh_ns = life_ns // 2
    if refresh_in_s is not None and 0 < refresh_in_s * NS_PER_S < usable_ns:
        refresh_ns = max(int(refresh_in_s * NS_PER_S), 1)
    return Validity(issued_at=now_ns, refresh_after=now_ns + refresh_ns, expires_at=now_ns + life_ns)


def _margin_ns(life_ns: int) -> int:
    return min(_MAX_MARGIN_NS, life_ns // _MARGIN_SHARE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a source hands out. `secrets` is in order of preference: primary key, then secondary; one for tokens.

    `generation` is the number a relay's master gave it, 0 when the receiver numbers it.
    """

    secrets: tuple[str, ...] = field(repr=False)
    auth_mode: AuthMode
    valid: Validity
    generation: int = 0

    def as_json(self) -> dict[str, Any]:
        """Plain values, secrets among them: only for the agent's pipe and sealed messages."""
        return {
            "secrets": list(self.secrets),
            "auth_mode": self.auth_mode.value,
            "valid": [self.valid.issued_at, self.valid.refresh_after, self.valid.expires_at],
            "generation": self.generation,
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The inverse of `as_json`."""
        issued_at, refresh_after, expires_at = values["valid"]
        return cls(
            secrets=tuple(values["secrets"]),
            auth_mode=AuthMode(values["auth_mode"]),
            valid=Validity(issued_at=issued_at, refresh_after=refresh_after, expires_at=expires_at),
            generation=values["generation"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A secret and when it works: FRESH until `refresh_after`, then STALE, EXPIRED a margin before `expires_at`.

    The three times are monotonic ns, `NEVER_NS` for a key's last two. `repr` never shows the secret.
    """

    secret: str = field(repr=False)
    auth_mode: AuthMode
    generation: int
    issued_at: int
    refresh_after: int
    expires_at: int

    @property
    def headers(self) -> dict[str, str]:
        """What every one of Azure's auth modes wants on a scoring request."""
        return {"Authorization": f"Bearer {self.secret}"}

    @property
    def usable_until(self) -> int:
        """From here on it is not handed out: `expires_at` less a tenth of its life, at most 5 s."""
        if self.expires_at == NEVER_NS:
            return NEVER_NS
        return self.expires_at - _margin_ns(self.expires_at - self.issued_at)


def freshness(lease: Lease, now_ns: int) -> Freshness:
    """The validity zone `lease` is in."""
    if now_ns < lease.refresh_after:
        return Freshness.FRESH
    return Freshness.STALE if now_ns < lease.usable_until else Freshness.EXPIRED
