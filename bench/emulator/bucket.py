"""A token bucket, the shape of Azure's limits. Pure; `routes` meters ARM with it, `admission` a scoring URI."""

from __future__ import annotations


class TokenBucket:
    """Holds `capacity` tokens, refilled by `per_s` a second; a call takes one, or several.

    Times are any seconds that grow.
    """

    __slots__ = ("_at_s", "_capacity", "_left", "_per_s", "_wanted")

    def __init__(self, *, capacity: float, per_s: float) -> None:
        self._capacity = capacity
        self._per_s = per_s
        self._left = capacity
        self._wanted = 1
        self._at_s: float | None = None

    def take(self, now_s: float, wanted: int = 1) -> bool:
        """Take so many tokens; False, and none taken, when there are not as many."""
        self._wanted = wanted
        if self._at_s is not None:
            self._left = min(self._capacity, self._left + (now_s - self._at_s) * self._per_s)
        self._at_s = now_s
        if self._left < wanted:
            return False
        self._left -= wanted
        return True

    @property
    def left(self) -> int:
        """Whole tokens left after the last call."""
        return int(self._left)

    @property
    def wait_s(self) -> float:
        """How long after the last call there will be as many as it wanted; more than there can be come never."""
        return max(0.0, (self._wanted - self._left) / self._per_s)
