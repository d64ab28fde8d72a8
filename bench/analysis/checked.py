"""Shares of a run in which the bodies of some answers were looked at, and those of others were not. Pure.

An answer whose body was not looked at is recorded as ok, and nobody knows whether it was. So what only a look can show
is estimated from the answers that were looked at, each weighted by how many it stands for; everything else is counted
over all requests. See docs/guides/statistics.md.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.analysis.blocks import CELLS, cell_of
from bench.analysis.rates import Share
from bench.analysis.run import Ints, LoadedRun, Mask, Part
from bench.plan.expectation import CAUSE
from bench.sample import Outcome

Window = tuple[int, int]


def on_a_sample(run: LoadedRun, rows: Mask) -> bool:
    """Whether the body of any of these was passed over."""
    if "passed over" not in run.memo:
        found = run.samples.stands_for == 0
        run.memo["passed over"] = (found, bool(found.any()))  # in one go: threads work on one run
    passed_over, any_of_all = run.memo["passed over"]
    return any_of_all and bool((passed_over & rows).any())


def may_tell(run: LoadedRun, rows: Ints) -> bool:
    """Whether a look at more answers might find more of these; of what never occurred nobody knows."""
    return not len(rows) or bool(_waiting(run)[rows].any())


def counts(run: LoadedRun, variant: str, part: Part | None = None) -> dict[str, int] | None:
    """How many answers there were to look at, and how many were; None where all were, or none was to be."""
    rows = run.rows(variant, part)
    if not on_a_sample(run, rows):
        return None
    there = rows & _waiting(run)
    return {"answers": int(there.sum()), "checked": int((there & (run.samples.stands_for > 0)).sum())}


def share(run: LoadedRun, rows: Mask, hits: Mask, *, window_ns: Window | None = None, failing: bool = False) -> Share:
    """The `hits` among `rows`, some shown by a look only. `failing`: whatever is known without a look is a hit."""
    samples, window_ns = run.samples, window_ns or run.window_ns
    waiting = rows & _waiting(run)
    known, looked_at = rows & ~waiting, np.flatnonzero(waiting & (samples.stands_for > 0))
    stands_for = samples.stands_for[looked_at].astype(np.float64)
    total = stands_for.sum()
    worth = total / (stands_for**2).sum() if total else 0.0  # Kish: unequal weights are worth fewer answers

    def by_cell(some: Any, weights: Any = None) -> Any:
        return np.bincount(cell_of(samples.intended_ns[some], window_ns), weights, minlength=CELLS)

    span_s = (window_ns[1] - window_ns[0]) / 1e9
    return Share(
        hits=by_cell(known & hits),
        count=by_cell(rows),
        span_s=span_s,
        sampled=Share(
            hits=by_cell(looked_at, stands_for * hits[looked_at] * worth),
            count=by_cell(looked_at, stands_for * worth),
            span_s=span_s,
        ),
        misses=None if failing else by_cell(known & ~hits),
    )


def _waiting(run: LoadedRun) -> Mask:
    """Answers of which a look at the body decides whether they are ok."""
    if "waiting for a look" not in run.memo:
        failed = run.samples.where("outcome", Outcome.UNEXPECTED) & run.samples.where("cause", CAUSE)
        run.memo["waiting for a look"] = run.samples.where("outcome", Outcome.OK) | failed
    found: Mask = run.memo["waiting for a look"]
    return found
