"""How long to wait before the next attempt: decorrelated jitter, with the server's own wish above it. Pure.

Decorrelated jitter (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015):
delay = min(cap, uniform(base, 3 x previous delay)).
"""

from __future__ import annotations

MAX_RETRY_AFTER_S = 600.0
"""A longer Retry-After is taken for this, so that an absurd one cannot end a run."""


def next_delay_s(previous_s: float, *, base_s: float, cap_s: float, jitter: float) -> float:
    """The delay after one of `previous_s` (0 for the first failure). `jitter` is uniform in [0, 1)."""
    longest = max(base_s, 3 * previous_s)
    return min(cap_s, base_s + jitter * (longest - base_s))


def honoured_retry_after_s(retry_after_s: float | None) -> float:
    """What of a server's Retry-After is obeyed: all of it, between 0 and ten minutes."""
    return 0.0 if retry_after_s is None else min(max(retry_after_s, 0.0), MAX_RETRY_AFTER_S)
