"""Which variant each user of this process serves. Pure.

A user belongs to one variant, so that one variant's trouble takes no user from another. A new user gets the variant
that has the fewest, also of its own kind: Locust spawns its classes in turn, and two variants must not get a class
each. When one leaves (Locust moves users between workers) another one may have to change sides, for a variant without
users would send nothing.
"""

from __future__ import annotations

from collections import Counter
from typing import Any


class Seat:
    """One user's place. `variant` may change between two requests."""

    __slots__ = ("kind", "user", "variant")

    def __init__(self, user: Any, variant: int, kind: Any = None) -> None:
        self.user = user
        self.kind = kind
        self.variant = variant


class Seats:
    """Those of one process; `counts` are the users of each variant. `first` gets the odd one, if there is one."""

    def __init__(self, variants: int, *, first: int = 0) -> None:
        self.counts = [0] * variants
        self._first = first % variants
        self._taken: list[Seat] = []

    def take(self, user: Any, *, kind: Any = None) -> Seat:
        """A place for a new user; those of one `kind` are spread over the variants among themselves."""
        seat = Seat(user, self._scarcest(kind), kind)
        self.counts[seat.variant] += 1
        self._taken.append(seat)
        return seat

    def leave(self, seat: Seat) -> list[Seat]:
        """A user is gone. Who may change sides for it, if somebody has to: all users of the variant with the most."""
        self._taken.remove(seat)
        self.counts[seat.variant] -= 1
        if max(self.counts) - min(self.counts) <= 1:
            return []
        most = self.counts.index(max(self.counts))
        return [one for one in self._taken if one.variant == most]

    def change(self, seat: Seat) -> None:
        """This user serves the variant with the fewest from now on."""
        self.counts[seat.variant] -= 1
        self._taken.remove(seat)
        seat.variant = self._scarcest(seat.kind)
        self._taken.append(seat)
        self.counts[seat.variant] += 1

    def _scarcest(self, kind: Any) -> int:
        """Of no variant may there be two more than of another; then those of the kind count."""
        variants = len(self.counts)
        alike = Counter(seat.variant for seat in self._taken if seat.kind is kind)
        order = [(self._first + step) % variants for step in range(variants)]
        few = [variant for variant in order if self.counts[variant] <= min(self.counts)]
        return min(few, key=lambda variant: alike[variant])
