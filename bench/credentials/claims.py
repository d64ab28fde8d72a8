"""What a JWT says of itself, unverified. Pure; its callers pass in the time."""

from __future__ import annotations

import base64
import json
from typing import Any

from bench.credentials.lease import NEVER_NS, NS_PER_S


def claims_of(token: str) -> dict[str, Any]:
    """The claims of a JWT, unverified; none when it is not a JWT (Entra calls its access tokens opaque)."""
    try:
        body = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (IndexError, ValueError):
        return {}
    return claims if isinstance(claims, dict) else {}


def expiry_ns(secret: str, *, now_ns: int, wall_s: float) -> int:
    """When a JWT ends (monotonic ns), by this host's clock; `NEVER_NS` for any other secret."""
    left_s = seconds_left(secret, wall_s=wall_s)
    return NEVER_NS if left_s is None else now_ns + int(left_s * NS_PER_S)


def seconds_left(secret: str, *, wall_s: float) -> float | None:
    """How long a JWT has to live, negative when it is over; None for any other secret."""
    ends_s = claims_of(secret).get("exp")
    if isinstance(ends_s, bool) or not isinstance(ends_s, int | float) or not abs(ends_s) < 1e12:
        return None
    return ends_s - wall_s
