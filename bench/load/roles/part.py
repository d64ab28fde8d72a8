"""Which worker of a run this is. Pure noun."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The worker's number, and among how many the arrivals are dealt. `name` is that of its files.

    One that joined late has a number beyond those: it has no share of an open model's arrivals.
    """

    index: int = 0
    workers: int = 1

    @property
    def has_share(self) -> bool:
        return self.index < self.workers

    @property
    def name(self) -> str:
        return f"w{self.index}"
