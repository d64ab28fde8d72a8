"""Workers that were lost in a run, and what that costs. Pure.

What a lost worker had begun and not put on disk is lost. In the open model the others take over what it had not begun;
up to `TOLERATED_SHARE` of all arrivals the run is whole all the same. In the closed model users are lost, and with them
load that nobody can make up for.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from bench.load.engine.arrivals import schedule
from bench.load.roles.part import Part
from bench.plan.load_over_time import asked_rate
from bench.plan.run_plan import TRACE, RunPlan
from bench.sample import WorkloadModel

TOLERATED_SHARE = 0.001
_COUNTED = 200_000
"""Arrivals that may be counted one by one, which takes the master a fraction of a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A worker that was lost `at_ns` (the run's time), and how that showed (`why`).

    `samples`: arrivals begun and not on disk. `taken_over`: the others send what it had not begun.
    """

    worker: str
    at_ns: int
    why: str
    samples: int
    taken_over: bool

    def as_json(self) -> dict[str, Any]:
        """For the manifest."""
        return {
            "worker": self.worker,
            "at_ns": self.at_ns,
            "why": self.why,
            "lost_samples": self.samples,
            "taken_over": self.taken_over,
        }

    @property
    def line(self) -> str:
        """For people, while the run goes on."""
        then = "the others take over what it had not begun" if self.taken_over else "nobody takes over its part"
        return f"worker {self.worker} was lost {self.at_ns / 1e9:.1f} s into the run: {self.why}; {then}"


def due_by(plan: RunPlan, at_ns: int) -> int:
    """How many arrivals of the open model are due until then, over all workers; the expected number for Poisson."""
    at_s = at_ns / 1e9
    return math.ceil(asked_rate(plan, from_s=0.0, to_s=at_s) * at_s - 1e-9) if at_s > 0 else 0


def begun_by(plan: RunPlan, part: Part, at_ns: int) -> int:
    """Arrivals of one worker's part that are due until then: counted while they are few, else the expected number."""
    due = due_by(plan, at_ns)
    if due > _COUNTED or plan.arrivals == TRACE:
        return max(due - part.index + part.workers - 1, 0) // part.workers
    own = schedule(plan, worker=part.index, workers=part.workers)
    return sum(1 for _ in takewhile(lambda arrival: arrival.due_ns <= at_ns, own))


def are_bearable(losses: Iterable[Loss], plan: RunPlan, until_ns: int) -> bool:
    """Whether a run that went on until then is whole in spite of them."""
    losses = tuple(losses)
    if not losses:
        return True
    if plan.model is not WorkloadModel.OPEN or not all(loss.taken_over for loss in losses):
        return False
    return sum(loss.samples for loss in losses) <= TOLERATED_SHARE * due_by(plan, until_ns)
