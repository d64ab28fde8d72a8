"""What just happened, for people who watch.

A ring of the latest response times: one store a request, sorted only when somebody looks. Reports and
gates never see this; they read the samples.
"""

from __future__ import annotations

SIZE = 1024


class Recent:
    """The latest response times in ns."""

    __slots__ = ("_count", "_ring")

    def __init__(self) -> None:
        self._ring = [0] * SIZE
        self._count = 0

    def observe(self, intended_ns: int, done_ns: int) -> None:
        """Hot."""
        self._ring[self._count & (SIZE - 1)] = done_ns - intended_ns
        self._count += 1

    def recent_ms(self) -> list[float]:
        """Up to the latest 1,024 response times in ms, in order of size."""
        return [value / 1e6 for value in sorted(self._ring[: min(self._count, SIZE)])]
