"""Which rate to try next. Pure: given the probes so far, it answers with a rate or that it is done.

Doubling until a rate fails (or a limit is met), then bisection until the bracket is within `precision`, then
the best rate once more: a rate counts as holding only if every probe of it held that could be judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

_CONFIRMATIONS = 2
_LOWEST = 1.0
_MOST_UNJUDGED = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One short run at `rate` (1/s): whether the objective held, why not, and its figures for the table.

    `holds` is None where the run could not be judged; `client` where the client was what did not keep up, which no
    higher rate cures.
    """

    rate: float
    holds: bool | None
    why: str = ""
    figures: dict[str, float | None] = field(default_factory=dict)
    client: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """`first` is where to begin, `limit` (None: none) where to stop, `precision` how close the answer must be."""

    first: float
    limit: float | None = None
    precision: float = 0.03

    def next_rate(self, probes: Sequence[Probe]) -> float | None:
        """The rate to probe next (1/s), None when the search is over."""
        if not probes:
            return self._within(self.first)
        best, failing = best_rate(probes), lowest_failing(probes)
        if probes[-1].holds is None:
            return self._after_unjudged(probes[-1].rate, failing, probes)
        if best is None:
            lower = (failing or self.first) / 2
            return lower if lower >= _LOWEST else None
        if failing is None:
            if self.limit is not None and best >= self.limit:
                return self._confirm(best, probes)
            return self._within(best * 2)
        if failing / best > 1 + self.precision:
            return _round((best + failing) / 2, step=best * self.precision / 2)
        return self._confirm(best, probes)

    def _after_unjudged(self, rate: float, failing: float | None, probes: Sequence[Probe]) -> float | None:
        """The same once more, then a higher rate, whose probes hold more requests; not for ever.

        No higher one where the client is what could not be judged.
        """
        unjudged = [probe.rate for probe in probes if probe.holds is None]
        if unjudged.count(rate) < _CONFIRMATIONS:
            return rate
        if probes[-1].client:
            return None
        higher = self._within(rate * 2)
        if len(unjudged) >= _MOST_UNJUDGED or higher <= rate or (failing is not None and higher >= failing):
            return None
        return higher

    def _confirm(self, best: float, probes: Sequence[Probe]) -> float | None:
        return best if sum(probe.rate == best and probe.holds is True for probe in probes) < _CONFIRMATIONS else None

    def _within(self, rate: float) -> float:
        return rate if self.limit is None else min(rate, self.limit)


def best_rate(probes: Sequence[Probe]) -> float | None:
    """The highest rate that held in every probe of it, below the lowest that failed; None when none did."""
    failing = lowest_failing(probes)
    held = [probe.rate for probe in probes if probe.holds and (failing is None or probe.rate < failing)]
    return max(held, default=None)


def lowest_failing(probes: Sequence[Probe]) -> float | None:
    """The lowest rate at which a probe failed."""
    return min((probe.rate for probe in probes if probe.holds is False), default=None)


def _round(rate: float, *, step: float) -> float:
    """To whole requests a second where that is fine enough, so that tables read well."""
    return float(round(rate)) if step >= 0.5 else round(rate, 2)
