"""How long a request takes: a seeded distribution, and what a stall makes of it. Pure arithmetic in ns.

A stall freezes the model: work in service stands still and goes on afterwards, work that arrives waits.
Nothing is answered within a stall, and no burst is due the moment it ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random


class ServiceTimes:
    """An endless, reproducible sequence of service times: base plus an exponential."""

    __slots__ = ("_base_ns", "_expovariate", "_mean_ns")

    def __init__(self, *, base_ns: int, exponential_ns: int, seed: int) -> None:
        self._base_ns = base_ns
        self._mean_ns = exponential_ns
        self._expovariate = Random(seed).expovariate  # noqa: S311 - a reproducible sequence is the point

    def next_ns(self) -> int:
        if not self._mean_ns:
            return self._base_ns
        return self._base_ns + int(self._expovariate(1.0) * self._mean_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stall:
    """Frozen for `lasts_ns` from `begins_ns`, again every `every_ns` (None: once), until `ends_ns` (None: for good)."""

    begins_ns: int
    lasts_ns: int
    every_ns: int | None = None
    ends_ns: int | None = None

    def next_window(self, at_ns: int) -> tuple[int, int] | None:
        """The first frozen window (begin, end) that is not over at `at_ns`; None when there is none left."""
        begin_ns = self.begins_ns
        if self.every_ns is None:
            if at_ns >= begin_ns + self.lasts_ns:
                return None
        elif at_ns > begin_ns:
            rounds = (at_ns - begin_ns) // self.every_ns
            begin_ns += rounds * self.every_ns
            if at_ns >= begin_ns + self.lasts_ns:
                begin_ns += self.every_ns
        end_ns = begin_ns + self.lasts_ns
        if self.ends_ns is not None:
            if begin_ns >= self.ends_ns or at_ns >= self.ends_ns:
                return None
            end_ns = min(end_ns, self.ends_ns)
        return begin_ns, end_ns


def finish_ns(begin_ns: int, work_ns: int, stalls: tuple[Stall, ...]) -> int:
    """When `work_ns` of service begun at `begin_ns` is done, if it stands still in every stall."""
    at_ns, left_ns = begin_ns, work_ns
    while stalls:
        windows = [window for stall in stalls if (window := stall.next_window(at_ns)) is not None]
        if not windows:
            break
        opens_ns, closes_ns = min(windows)
        if at_ns + left_ns < opens_ns:
            break
        left_ns -= max(0, opens_ns - at_ns)
        at_ns = closes_ns
    return at_ns + left_ns
