"""Carries out the fault book on time: at each change it makes things happen and replaces the conditions. Edge.

Driven by a precise timer of its own, so that a stall begins when its script says and not a millisecond later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic_ns

from bench.emulator.conditions import Conditions, conditions_of
from bench.emulator.faultbook import FaultBook
from bench.emulator.faults import Fault
from bench.emulator.state import State
from bench.emulator.timerfd import best_timer


class FaultSchedule:
    """The one place that changes `state.conditions`; `on_change(conditions)` is called after each change."""

    def __init__(self, loop: asyncio.AbstractEventLoop, state: State, on_change: Callable[[Conditions], None]) -> None:
        self._state = state
        self._on_change = on_change
        self._book = FaultBook(_now_s())
        self._timer = best_timer(loop, self._turn)
        state.on_used = self._used
        self._turn()

    def add(self, faults: tuple[Fault, ...]) -> None:
        """Script these too; those without `at` begin now."""
        self._book.add(faults, _now_s())
        self._turn()

    def start(self, zero_s: float | None = None) -> float:
        """Make this moment, or now, the script's zero (monotonic seconds, returned): its faults begin anew from it."""
        self._book.start(_now_s() if zero_s is None else zero_s)
        self._turn()
        return self._book.zero_s

    def clear(self) -> None:
        """Forget every fault; lasting ones end. What has happened stays."""
        self._book.clear()
        self._turn()

    def describe(self) -> list[dict[str, object]]:
        return self._book.describe(_now_s())

    def close(self) -> None:
        self._timer.close()

    def _used(self, fault: Fault) -> None:
        """A fault that spoils so many answers has spoilt one more; after the last all is well again."""
        if fault.times is not None and self._book.use(fault):
            self._turn()

    def _turn(self) -> None:
        now_s = _now_s()
        for fault in self._book.due(now_s):
            self._state.happen(fault)
        conditions = conditions_of(
            self._book.active(now_s), validation_delay_ns=self._state.settings.tokens.validation_delay_ns
        )
        if conditions != self._state.conditions:
            self._state.under(conditions)
            self._on_change(conditions)
        next_s = self._book.next_change_s(now_s)
        # Rounded up: a timer that fires before the change would find nothing to do, and turn at once again.
        self._timer.arm(0 if next_s is None else int(next_s * 1e9) + 1000)


def _now_s() -> float:
    return monotonic_ns() / 1e9
