"""How requests ended over time, what was asked, sent and answered, and how many were under way. Pure.

Times are seconds since the run's start. A request counts where it was due; `sent` when it was sent, `answered` when
its answer ended, so that a gap between them is seen where it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.analysis.run import Floats, Ints, LoadedRun
from bench.analysis.time_bins import BINS, time_bins
from bench.metrics import CAUSES, OUTCOMES
from bench.sample import Outcome

_MOST_BANDS = 6


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class OutcomeSeries:
    """One variant; every array has one value a bin, rates are 1/s. `bands` begins with ok, then the most frequent."""

    variant: str
    edges_s: Floats
    t_s: Floats
    bands: tuple[tuple[str, Floats], ...]
    sent: Floats
    answered: Floats
    in_flight: Floats


def outcomes(run: LoadedRun, variant: str, bins: int = BINS) -> OutcomeSeries:
    """Over the measured window."""
    grid = time_bins(run, bins)
    samples, rows = run.samples, np.flatnonzero(run.rows(variant))
    kinds = samples.outcome[rows].astype(np.int64) << 16 | samples.cause[rows].astype(np.int64)

    def per_second(times_ns: Ints) -> Floats:
        counts, _ = np.histogram(times_ns / 1e9, bins=grid.edges_s)
        return counts / grid.width_s

    found, counts = np.unique(kinds, return_counts=True)
    named = sorted(
        ((_title(run, int(kind)), int(kind), int(count)) for kind, count in zip(found, counts, strict=True)),
        key=lambda one: (one[0] != OUTCOMES[Outcome.OK].title, -one[2]),
    )
    bands = [(title, per_second(samples.intended_ns[rows[kinds == kind]])) for title, kind, _ in named[:_MOST_BANDS]]
    rest = [kind for _, kind, _ in named[_MOST_BANDS:]]
    if rest:
        bands.append(("others", per_second(samples.intended_ns[rows[np.isin(kinds, rest)]])))
    sent_ns, done_ns = samples.sent_ns[rows], samples.done_ns[rows]
    at_ns = grid.t_s * 1e9
    under_way = np.searchsorted(np.sort(sent_ns), at_ns, "right") - np.searchsorted(np.sort(done_ns), at_ns, "right")
    return OutcomeSeries(
        variant=variant,
        edges_s=grid.edges_s,
        t_s=grid.t_s,
        bands=tuple(bands),
        sent=per_second(sent_ns),
        answered=per_second(done_ns[samples.status[rows] > 0]),
        in_flight=np.maximum(under_way, 0).astype(np.float64),
    )


def _title(run: LoadedRun, kind: int) -> str:
    outcome = run.samples.words["outcome"][kind >> 16]
    cause = run.samples.words["cause"][kind & 0xFFFF]
    title = OUTCOMES[outcome].title if outcome in OUTCOMES else outcome
    known = CAUSES[cause].title if cause in CAUSES else cause.replace("_", " ")
    return f"{title}: {known}" if cause else title
