"""Run after run of a set, until there are enough or one of them ends the set. Edge: writes the set's summary.

The summary is written after every run: whoever kills the set between two runs leaves it with the figures so far.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.errors import RunInvalid
from bench.rundir import RunDir, write_json
from bench.runset.arguments import Asked
from bench.runset.combine import combine
from bench.runset.folder import SetDir, stored_member
from bench.runset.member import WHOLE, Member, believed

MeasureOne = Callable[[int], tuple[RunDir | None, int]]
"""Makes run number n (from 0) and reports on it: its folder, if it began, and the run's own exit code."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a set ended: `completed`, `precise`, `interrupted`, or `broke` when a run did; and the exit code for that."""

    reason: str
    code: int


def run_all(
    asked: Asked,
    folder: SetDir,
    *,
    measure: MeasureOne,
    pause: Callable[[float], None],
    tell: Callable[[str], None],
) -> Ended:
    """Make the runs. A run that is INVALID is left out and the set goes on; one that ends early ends the set."""
    members: list[Member] = []
    for number in range(asked.runs):
        try:
            if number and asked.pause_s:
                pause(asked.pause_s)
            tell(f"run {number + 1} of {'at most ' if asked.precision else ''}{asked.runs}")
            made, code = measure(number)
        except KeyboardInterrupt:
            return _end(asked, folder, "interrupted", RunInvalid.exit_code)
        if made is None:
            return _end(asked, folder, "broke", code or RunInvalid.exit_code)
        members.append(stored_member(made))
        if members[-1].ended not in WHOLE:
            return _end(asked, folder, "interrupted" if members[-1].ended in _BY_HAND else "broke", code)
        summary = _write(asked, folder, members, ended="")
        if asked.precision is not None and summary is not None:
            runs = len(believed(members))
            tell(asked.precision.sentence(summary, runs=runs))
            if asked.precision.reached(summary, runs=runs):
                return _end(asked, folder, "precise", 0)
    return _end(asked, folder, "completed", 0)


_BY_HAND = ("signal", "stopped")


def _end(asked: Asked, folder: SetDir, reason: str, code: int) -> Ended:
    """Say in the set's summary how it ended, with every run that left anything."""
    _write(asked, folder, [stored_member(run) for run in folder.folders()], ended=reason)
    return Ended(reason, code)


def _write(asked: Asked, folder: SetDir, members: list[Member], *, ended: str) -> dict[str, object] | None:
    """The summary so far; none while no run counts."""
    if not believed(members):
        return None
    wanted = len(members) if ended == "precise" else asked.runs
    summary = combine(members, set_id=folder.set_id, asked=wanted, ended=ended)
    write_json(folder.files.summary, summary)
    return summary
