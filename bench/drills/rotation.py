"""A key of a real endpoint regenerated during a run, and what that cost. Edge: starts Locust.

The deed itself is done by `regenerate`, which the command hands in: this module holds no credential. It is not called
before the run is under way, nor when that has ended early. What a key costs nobody can undo: see the command's word.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.clock import monotonic_ns
from bench.drills.drill import Drill
from bench.drills.evidence import Attempt, Evidence
from bench.drills.findings import Findings, find
from bench.drills.rig import LocustRun, attempts_of, await_zero, flights_of
from bench.endpoint import AuthMode
from bench.errors import RunInvalid
from bench.numbers import plural
from bench.rundir import RunDir
from bench.sample import Outcome

_END_WITHIN_S = 60.0
_REFUSED = 401


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """What came of it. Seconds of the run; `is_done` and `has_changed` are what Azure and its list of keys say."""

    at_s: float
    took_s: float
    is_done: bool
    has_changed: bool
    refused: int
    first_refused_s: float | None
    replayed: int
    findings: Findings
    folder: RunDir

    def lines(self, *, endpoint: str, key: str) -> list[str]:
        """For a person, in the order in which it happened."""
        found = self.findings
        said = "Azure said so after" if self.is_done else "Azure had not said that it was done after"
        lines = [
            f"{endpoint}: the {key} key was regenerated {self.at_s:.1f} s into the run; {said} {self.took_s:.1f} s"
        ]
        if self.first_refused_s is None:
            lines.append("nobody was refused: the key in use was the other one, or the old one still works")
        else:
            lines.append(
                f"{plural(self.refused, 'request')} got a 401, the first {self.first_refused_s:.1f} s after that was"
                f" asked for; {self.replayed} of them went well when sent again with another key"
            )
        lines.append(f"lost: {found.lost} of {found.arrivals} requests, {found.lost_in_flight} of them in flight")
        lines.append(
            f"without a credential: {found.without_lease_s:.2f} s at most; all well"
            f" {max(found.recovered_s, 0):.1f} s after Azure's answer; {found.fetches} fetched,"
            f" {found.failed_fetches} failed"
        )
        return lines


def carry_out(
    values: Mapping[str, Any],
    *,
    locustfile: Path,
    regenerate: Callable[[], Mapping[str, bool]],
    at_s: float,
    lasts_s: float,
) -> Rotation:
    """Run with the options `values`, regenerate after `at_s`, and look at what it cost. Raises BenchError."""
    with closing(LocustRun(locustfile, values)) as locust:
        zero_ns = await_zero(locust)
        time.sleep(max(zero_ns + round(at_s * 1e9) - monotonic_ns(), 0) / 1e9)
        if locust.process.poll() is not None:
            raise RunInvalid("the run ended before the key was to be regenerated: nothing was done")
        asked_ns = monotonic_ns() - zero_ns
        answer = regenerate()
        done_ns = monotonic_ns() - zero_ns
        folder = locust.finish(lasts_s + _END_WITHIN_S)
    attempts = attempts_of(folder)
    drill = Drill(
        name="rotate",
        text="",
        auth_mode=AuthMode.KEY,
        begins_s=asked_ns / 1e9,
        ends_s=done_ns / 1e9,
    )
    evidence = Evidence(attempts=attempts, flights=flights_of(folder), calls=(), refusals={}, due=0)
    refused = [one for one in attempts if one.status == _REFUSED and one.done_ns > asked_ns]
    return Rotation(
        at_s=asked_ns / 1e9,
        took_s=(done_ns - asked_ns) / 1e9,
        is_done=answer["done"],
        has_changed=answer["changed"],
        refused=len(refused),
        first_refused_s=min(((one.done_ns - asked_ns) / 1e9 for one in refused), default=None),
        replayed=_replayed(attempts, refused),
        findings=find(drill, evidence),
        folder=folder,
    )


def _replayed(attempts: tuple[Attempt, ...], refused: list[Attempt]) -> int:
    """How many of the refused went well the second time; a replay keeps the time at which it was due."""
    went_well = {one.intended_ns for one in attempts if one.number and one.outcome == Outcome.OK}
    return sum(one.intended_ns in went_well for one in refused if not one.number)
