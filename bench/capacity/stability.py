"""Whether a target keeps up: does the number of unanswered requests grow? Pure (numpy).

A rate a little above capacity looks fine in a short run, since the debt has had no time to show in a quantile. What it
cannot hide is that fewer requests are answered than are due. See docs/decisions/calibration.md.
"""

from __future__ import annotations

import numpy as np

from bench.analysis.run import Ints, LoadedRun

MOST_UNANSWERED = 0.01
"""Share of the arrivals by which the backlog may grow."""
LEAST_GROWTH = 2.0
"""Requests; below that it is the ordinary coming and going."""
_LOOKS = 300


def why_unstable(run: LoadedRun) -> str:
    """What to say of a run whose backlog grew, "" of one that kept up."""
    begin_ns, end_ns = run.window_ns
    intended_ns, done_ns = run.samples.intended_ns, run.samples.done_ns
    due = int(((intended_ns >= begin_ns) & (intended_ns < end_ns)).sum())
    growth = backlog_growth(intended_ns, done_ns, begin_ns=begin_ns, end_ns=end_ns)
    if growth < LEAST_GROWTH or growth <= MOST_UNANSWERED * due:
        return ""
    return f"the backlog grew by {growth:.0f} of {due:,} requests due: the target does not keep up"


def backlog_growth(intended_ns: Ints, done_ns: Ints, *, begin_ns: int, end_ns: int) -> float:
    """Requests by which the backlog (due and not answered) grew between two times, from the means of its outer thirds.

    Both arrays have one entry a request, in any order; negative when it shrank, 0 for no time.
    """
    if end_ns <= begin_ns:
        return 0.0
    at_ns = np.linspace(begin_ns, end_ns, _LOOKS, endpoint=False)
    backlog = np.searchsorted(np.sort(intended_ns), at_ns, side="right") - np.searchsorted(
        np.sort(done_ns), at_ns, side="right"
    )
    third = _LOOKS // 3
    return float(backlog[-third:].mean() - backlog[:third].mean()) * 1.5  # the thirds' middles are 2/3 apart
