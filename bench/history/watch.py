"""The watched figures of a history, where they shifted, and whether the newest runs are worse for it. Pure.

Runs that could not be believed are left out, and so are runs of another load or machine than the newest one's: a
history that mixes them shows the mixture. The chance of a false alarm is shared by all watched series.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from bench.history.change_points import LEAST_RUNS, ChangePoint, change_points
from bench.history.entry import WATCHED
from bench.schemas.history import HistoryEntry

P_TOGETHER = 2e-4
"""Shared by the watched series: at most one false alarm in 200 runs (`results/calibration/histories.md`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One watched figure of one variant over the runs that count."""

    variant: str
    metric: str
    entries: tuple[HistoryEntry, ...]
    shifts: tuple[ChangePoint, ...]

    @property
    def name(self) -> str:
        return f"{self.metric}{{variant={self.variant}}}"

    @property
    def values(self) -> tuple[float, ...]:
        figures = (entry.figures[self.variant][self.metric][0] for entry in self.entries)
        return tuple(value for value in figures if value is not None)

    def worse(self, *, newest: int, min_change: float) -> ChangePoint | None:
        """The last shift, when it is up by more than `min_change` and began within the `newest` runs."""
        if not self.shifts:
            return None
        last = self.shifts[-1]
        return last if last.change > min_change and last.index >= len(self.entries) - newest else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A history as it is judged. `left_out` says how many runs were, and why."""

    runs: tuple[HistoryEntry, ...]
    series: tuple[Series, ...]
    left_out: tuple[str, ...]

    @property
    def enough(self) -> bool:
        """Whether there are runs enough to tell a lasting shift at all."""
        return len(self.runs) >= 2 * LEAST_RUNS


def watch(entries: Sequence[HistoryEntry]) -> Watched:
    """What a history shows about the load and machine of its newest run that can be believed."""
    believed = [entry for entry in entries if entry.trust != "INVALID"]
    reasons: Counter[str] = Counter()
    reasons["INVALID"] = len(entries) - len(believed)
    runs: list[HistoryEntry] = []
    if believed:
        newest = believed[-1]
        for entry in believed:
            if entry.plan != newest.plan:
                reasons["of another load"] += 1
            elif entry.machine != newest.machine:
                reasons["of another machine"] += 1
            else:
                runs.append(entry)
    pairs = [
        (variant, metric)
        for variant in (runs[-1].figures if runs else ())
        for metric in WATCHED
        if any(metric in entry.figures.get(variant, {}) for entry in runs)
    ]
    return Watched(
        runs=tuple(runs),
        series=tuple(_series(runs, variant, metric, max_p_value=P_TOGETHER / len(pairs)) for variant, metric in pairs),
        left_out=tuple(f"{count} {why}" for why, count in reasons.items() if count),
    )


def _series(runs: Sequence[HistoryEntry], variant: str, metric: str, *, max_p_value: float) -> Series:
    known = tuple(
        entry for entry in runs if entry.figures.get(variant, {}).get(metric, (None, None, None))[0] is not None
    )
    values = [value for entry in known if (value := entry.figures[variant][metric][0]) is not None]
    return Series(variant=variant, metric=metric, entries=known, shifts=change_points(values, max_p_value=max_p_value))
