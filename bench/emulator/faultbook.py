"""When faults act: a script's zero, what has happened, what is on, what comes next. Pure; `fault_schedule` runs it.

Times are seconds on the monotonic clock. A fault without `at` counts from the moment it was added.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from bench.emulator.faults import INSTANT, Fault


@dataclass(slots=True)
class _Entry:
    fault: Fault
    added_s: float
    happened: bool = False
    used: int = 0

    @property
    def is_spent(self) -> bool:
        return self.fault.times is not None and self.used >= self.fault.times

    def begins_s(self, zero_s: float) -> float:
        return self.added_s if self.fault.at_s is None else zero_s + self.fault.at_s

    def ends_s(self, zero_s: float) -> float:
        return float("inf") if self.fault.for_s is None else self.begins_s(zero_s) + self.fault.for_s


@dataclass(frozen=True, slots=True)
class ActiveFault:
    """A lasting fault that is on, and when it began."""

    fault: Fault
    since_s: float


class FaultBook:
    """Every fault that was scripted or posted, against one zero."""

    def __init__(self, zero_s: float) -> None:
        self.zero_s = zero_s
        self._entries: list[_Entry] = []

    def add(self, faults: tuple[Fault, ...], now_s: float) -> None:
        self._entries += [_Entry(fault, now_s) for fault in faults]

    def start(self, zero_s: float) -> None:
        """Set the zero: everything with an `at` is to happen again from there. Infinity holds all of it back."""
        self.zero_s = zero_s
        for entry in self._entries:
            if entry.fault.at_s is not None:
                entry.happened, entry.used = False, 0

    def clear(self) -> None:
        self._entries.clear()

    def use(self, fault: Fault) -> bool:
        """`fault` has spoilt an answer. Says whether that was its last one."""
        for entry in self._entries:
            if entry.fault is fault and not entry.is_spent:
                entry.used += 1
                return entry.is_spent
        return False

    def due(self, now_s: float) -> list[Fault]:
        """The instant faults whose time has come since the last call, in order; each is handed out once."""
        ready = [
            entry
            for entry in self._entries
            if entry.fault.kind in INSTANT and not entry.happened and entry.begins_s(self.zero_s) <= now_s
        ]
        for entry in ready:
            entry.happened = True
        return [entry.fault for entry in sorted(ready, key=lambda entry: entry.begins_s(self.zero_s))]

    def active(self, now_s: float) -> list[ActiveFault]:
        """The lasting faults that are on now, in the order they were written."""
        return [
            ActiveFault(entry.fault, entry.begins_s(self.zero_s))
            for entry in self._entries
            if entry.fault.kind not in INSTANT
            and not entry.is_spent
            and entry.begins_s(self.zero_s) <= now_s < entry.ends_s(self.zero_s)
        ]

    def next_change_s(self, now_s: float) -> float | None:
        """When something begins or ends next; None when nothing ever will."""
        times = []
        for entry in self._entries:
            begins_s, ends_s = entry.begins_s(self.zero_s), entry.ends_s(self.zero_s)
            times += [at_s for at_s in (begins_s, ends_s) if now_s < at_s < float("inf")]
        return min(times, default=None)

    def describe(self, now_s: float) -> list[dict[str, object]]:
        """One row a fault: what it does, whether it is waiting, on or over, and when it begins and ends, from the zero.

        `ends_s` is None for what lasts for good. A fault without `at` may begin before the zero, for which now stands
        while all are held back.
        """
        rows: list[dict[str, object]] = []
        zero_s = self.zero_s if math.isfinite(self.zero_s) else now_s
        for entry in self._entries:
            begins_s = entry.begins_s(self.zero_s)
            ended = entry.is_spent or now_s >= entry.ends_s(self.zero_s)
            over = entry.happened if entry.fault.kind in INSTANT else ended
            phase = "over" if over else "on" if begins_s <= now_s else "waiting"
            from_zero_s = begins_s - zero_s if entry.fault.at_s is None else entry.fault.at_s
            lasts_s = 0.0 if entry.fault.kind in INSTANT else entry.fault.for_s
            rows.append(
                {
                    "do": entry.fault.kind.value,
                    "answer": entry.fault.answer,
                    "begins_s": from_zero_s,
                    "ends_s": None if lasts_s is None else from_zero_s + lasts_s,
                    "phase": phase,
                }
            )
        return rows
