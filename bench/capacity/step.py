"""A step in load: how long until throughput and p99 are back within bounds, and what it cost meanwhile. Pure (numpy).

The run is cut into windows by when requests were due. The load is taken when from a window on to the end of the run all
windows are within bounds: the time from the step to that window is the answer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.analysis.run import Floats, Ints, LoadedRun, Mask
from bench.sample import Outcome

LEAST_ANSWERED = 0.95
"""Of what was due in a window."""

LEAST_BEFORE = 1.5
"""Times the p99 before the step that is within bounds, where no bound is given."""

STEADY_WINDOWS = 5
"""At the end that must be within bounds before the load counts as taken."""

_LEAST_REQUESTS = 50


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Windows:
    """Each window of `width_s`, from `begins_s` on (0 is the step): what was due, answered well, refused, failed.

    `times_ms` are the response times of what was answered.
    """

    width_s: float
    begins_s: Floats
    due: Ints
    answered: Ints
    throttled: Ints
    failed: Ints
    times_ms: tuple[Floats, ...]

    @property
    def p99_ms(self) -> Floats:
        """Of each window; NaN where nothing was answered."""
        return np.array([float(np.quantile(one, 0.99)) if len(one) else np.nan for one in self.times_ms])

    def slow(self, bound_ms: float) -> Mask:
        """Where surely more than 1 of 100 took longer: beyond what three standard deviations of chance explain."""
        beyond = np.array([int((one > bound_ms).sum()) for one in self.times_ms])
        expected = np.array([0.01 * len(one) for one in self.times_ms])
        surely: Mask = beyond > expected + 3 * np.sqrt(expected) + 1
        return surely


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """`after_s` is None when the load was not taken by the end of the run. Counts are of the time until then."""

    bound_ms: float
    after_s: float | None
    throttled: int
    failed: int
    worst_p99_ms: float


def windows(run: LoadedRun, *, step_s: float, rate: float) -> Windows:
    """The run in windows wide enough for a p99, with the step (seconds after the run's zero) at 0."""
    width_s = max(1.0, _LEAST_REQUESTS / rate)
    first = run.samples.attempt == 0
    due_s = run.samples.intended_ns[first] / 1e9 - step_s
    window = np.floor(due_s / width_s).astype(np.int64)
    begin = int(window.min(initial=0))
    count = int(window.max(initial=0)) - begin + 1
    ok = run.samples.where("outcome", Outcome.OK)[first]
    throttled = run.samples.where("outcome", Outcome.THROTTLED)[first]
    response_ms = (run.samples.done_ns[first] - run.samples.intended_ns[first]) / 1e6
    at = window - begin

    def counted(rows: Mask) -> Ints:
        return np.bincount(at[rows], minlength=count)

    times = [response_ms[ok & (at == n)] for n in range(count)]
    return Windows(
        width_s=width_s,
        begins_s=(np.arange(count) + begin).astype(np.float64) * width_s,
        due=np.bincount(at, minlength=count),
        answered=counted(ok),
        throttled=counted(throttled),
        failed=counted(~ok & ~throttled),
        times_ms=tuple(times),
    )


def recovery(found: Windows, *, bound_ms: float | None) -> Recovery:
    """When the load was taken. ValueError when nothing was measured before the step, or after it."""
    p99_ms = found.p99_ms
    before = (found.begins_s < 0) & (found.due > 0)
    after = (found.begins_s >= 0) & (found.due > 0)
    if not before.any() or after.sum() < STEADY_WINDOWS:
        raise ValueError("too little was measured around the step")
    bound = bound_ms if bound_ms is not None else LEAST_BEFORE * float(np.nanmedian(p99_ms[before]))
    within = (found.answered >= LEAST_ANSWERED * found.due) & ~found.slow(bound)
    places = np.flatnonzero(after)
    bad = np.flatnonzero(~within[places])
    back = int(bad[-1]) + 1 if len(bad) else 0
    taken = len(places) - back >= STEADY_WINDOWS
    meanwhile = places[:back] if taken else places
    worst = p99_ms[meanwhile]
    return Recovery(
        bound_ms=bound,
        after_s=float(found.begins_s[places[back]]) if taken else None,
        throttled=int(found.throttled[meanwhile].sum()),
        failed=int(found.failed[meanwhile].sum()),
        worst_p99_ms=float(np.nanmax(worst)) if np.isfinite(worst).any() else float(np.nanmax(p99_ms[places])),
    )


def sentence(found: Recovery, *, low: float, high: float, hold_s: float) -> str:
    """The answer in one line."""
    lost = f"{found.throttled:,} requests got 429 and {found.failed:,} failed otherwise"
    cost = f"{lost}, p99 went up to {found.worst_p99_ms:,.0f} ms"
    bounds = f"p99 within {found.bound_ms:,.0f} ms and {LEAST_ANSWERED:.0%} answered"
    if found.after_s is None:
        return f"{low:g} to {high:g}/s: not taken within {hold_s:g} s ({bounds}); {cost}"
    if found.after_s == 0:
        return f"{low:g} to {high:g}/s: taken at once ({bounds})"
    return f"{low:g} to {high:g}/s: taken after {found.after_s:.0f} s ({bounds}); meanwhile {cost}"
