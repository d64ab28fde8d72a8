"""Whose fault a late request is: of a client that woke up late, or of a target that kept every user busy. Pure.

The samples show it exactly: a request that was due while every user of its worker had one in flight could not begin
on time, however good the client. A user that pauses between two turns of a conversation has none in flight, and is
not free either: of such runs the word counts that the engine wrote beside each late request.
"""

from __future__ import annotations

import numpy as np

from bench.analysis.conversations import later_turns
from bench.analysis.run import LoadedRun
from bench.plan.load_changes import load_at, loads_of
from bench.sample import LateCause

LATE_MS = 1.0
NEARLY_ALL = 0.9
"""Share of a worker's users that counts as all: some are always between two requests."""


def busy_share(run: LoadedRun) -> float:
    """Share (0..1) of the measured requests begun over `LATE_MS` late that were due while all users were busy.

    0 in the closed model, and where nothing was late.
    """
    samples = run.samples
    late = run.measured & (samples.began_ns - samples.intended_ns > LATE_MS * 1e6)
    if not run.open_model or not late.any():
        return 0.0
    if later_turns(run).any():
        return float((late & samples.where("late_cause", LateCause.USERS)).sum() / late.sum())
    loads = loads_of(run.plan) or (load_at(run.plan),)
    starts_ns = [load.from_ns for load in loads[1:]]
    users = np.array([load.users for load in loads]) / max(len(samples.words["worker"]), 1)
    busy = 0
    for worker in samples.words["worker"]:
        own = samples.where("worker", worker)
        due = samples.intended_ns[own & late]
        began, done = np.sort(samples.began_ns[own]), np.sort(samples.done_ns[own])
        in_flight = np.searchsorted(began, due, side="right") - np.searchsorted(done, due, side="right")
        there = users[np.searchsorted(starts_ns, due, side="right")]
        busy += int((in_flight >= np.maximum(NEARLY_ALL * there, 1)).sum())
    return busy / int(late.sum())
