"""Do the intervals keep their promise? Simulation of known truth. Pure.

`simulate`, for every printed figure of a scenario: how often the 95 % interval of the difference, and of a variant's
own figure, covers the truth; how often it would call two equal variants BETTER or WORSE; and how often it finds a shift
of twice `min_effect`. `enough`: where runs of that size find it too seldom, how often runs of the size they ask for do.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bench.analysis import bootstrap, compare, own_intervals, rates, verdicts
from bench.analysis.blocks import CELLS, cell_of
from bench.analysis.bootstrap import DEFAULT_SEED, Interval
from bench.analysis.fold import Fold, fold
from bench.analysis.run import Floats
from bench.analysis.verdicts import DEFAULT_MIN_EFFECT_RATE
from bench.calibration.simulated import SHIFT_MS, Failures, Scenario
from bench.metrics import PRINTED
from bench.plan.run_plan import DEFAULT_MIN_EFFECT_MS

FIGURES: dict[str, float | None] = {**PRINTED, "mean": None}

_PRINTED_Q = np.array(list(PRINTED.values()))
TRUTH_RUNS = 16
MOST_SIMULATED = 4_000_000
"""Samples a variant of the longest runs that `enough` simulates: two seconds each."""
_PILOTS = 100
_TRUTH_SAMPLES = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure in one scenario; shares are of the trials that gave an interval, NaN where there were none.

    Every figure but the rates is in ms.

    with_interval   share of the trials with enough samples for an interval
    coverage        ... of the difference covers its truth; 0.95 is promised
    own_coverage    ... of the candidate's own figure covers its truth
    false_alarms    ... would say BETTER or WORSE if the truth were no difference, with `min_effect`
    power           ... would say WORSE if the truth were 2 * `min_effect`
    resolves        the min_effect at which that is 80 %: the smallest difference that runs of this size show
    """

    scenario: str
    figure: str
    trials: int
    with_interval: float
    coverage: float
    own_coverage: float
    false_alarms: float
    power: float
    resolves: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Enough:
    """A figure whose `min_effect` takes longer runs than the scenario's, and what they find.

    asked       samples a variant, as the median of shorter runs says (`Estimate.more_needed`), to two digits
    trials      runs of that size; 0 where it is more than `MOST_SIMULATED`
    power       share of them that would say WORSE if the truth were 2 * `min_effect`; NaN without trials
    equivalent  share of them that would say EQUIVALENT if the truth were no difference; NaN without trials
    """

    scenario: str
    figure: str
    asked: int
    trials: int
    power: float
    equivalent: float


def simulate(
    scenario: Scenario,
    *,
    trials: int,
    seed: int = DEFAULT_SEED,
    min_effect_ms: float = DEFAULT_MIN_EFFECT_MS,
    truth_runs: int = TRUTH_RUNS,
) -> tuple[Row, ...]:
    """All figures of one scenario."""
    generator = np.random.default_rng(seed)
    differences, owns = _truth(scenario, generator, truth_runs)
    errors = np.full((trials, len(FIGURES), 4), np.nan)
    for trial in range(trials):
        baseline, candidate = _folds(scenario, generator)
        found = _intervals(scenario, baseline, candidate, seed=trial)
        for i, (q, difference) in enumerate(zip(FIGURES.values(), found, strict=True)):
            if not math.isnan(difference.low):
                own = own_intervals.own_interval(candidate, q, seed=trial)
                ends = (difference.low, difference.high, own.low, own.high)
                errors[trial, i] = np.array(ends) - (differences[i], differences[i], owns[i], owns[i])
    if not scenario.own_truth:
        errors[:, :, 2:] = np.nan
    return tuple(_row(scenario.name, name, errors[:, i], min_effect=min_effect_ms) for i, name in enumerate(FIGURES))


def enough(
    scenario: Scenario,
    *,
    trials: int,
    seed: int = DEFAULT_SEED,
    min_effect_ms: float = DEFAULT_MIN_EFFECT_MS,
    truth_runs: int = TRUTH_RUNS,
    most: int = MOST_SIMULATED,
) -> Iterator[Enough]:
    """The figures of a scenario for which its own runs are too short, one after another."""
    generator = np.random.default_rng(seed)
    differences, _owns = _truth(scenario, generator, truth_runs)
    short = [_intervals(scenario, *_folds(scenario, generator), seed=trial) for trial in range(_PILOTS)]
    for i, name in enumerate(FIGURES):
        known = [found[i] for found in short if not math.isnan(found[i].low)]
        wanted = [verdicts.samples_to_resolve(one, scenario.samples, min_effect=min_effect_ms) for one in known]
        asked = int(float(f"{np.median(wanted):.2g}")) if wanted else 0
        if asked <= scenario.samples:
            continue
        longer = scenario.of_size(asked)
        runs = trials if asked <= most else 0
        found = [_intervals(longer, *_folds(longer, generator), seed=trial)[i] for trial in range(runs)]
        low, high = (np.array([getattr(one, end) for one in found]) - differences[i] for end in ("low", "high"))
        yield Enough(
            scenario=scenario.name,
            figure=name,
            asked=asked,
            trials=runs,
            power=float(np.mean(low > -min_effect_ms)) if runs else math.nan,
            equivalent=float(np.mean((low > -min_effect_ms) & (high < min_effect_ms))) if runs else math.nan,
        )


def simulate_failures(failing: Failures, *, trials: int, seed: int = DEFAULT_SEED) -> Row:
    """The auth-failure rate of two variants that are refused alike; `min_effect` is the default for rates."""
    generator = np.random.default_rng(seed)
    errors = np.empty((trials, 4))
    for trial in range(trials):
        baseline, candidate = (_refused(failing, generator) for _ in range(2))
        found, own = rates.difference(baseline, candidate), rates.own(candidate)
        errors[trial] = found.low, found.high, own.low - failing.rate, own.high - failing.rate
    return _row(failing.name, "auth_failure_rate", errors, min_effect=DEFAULT_MIN_EFFECT_RATE)


def _row(scenario: str, figure: str, errors: Floats, *, min_effect: float) -> Row:
    """`errors`: ends of both intervals less the truth (difference low, high, own low, high), one trial a line."""
    intervals = errors[~np.isnan(errors[:, 0])]
    low, high, own_low, own_high = intervals.T
    shares = {
        "coverage": (low <= 0) & (high >= 0),
        "own_coverage": (own_low <= 0) & (own_high >= 0),
        "false_alarms": (low > min_effect) | (high < -min_effect),
        "power": low > -min_effect,
    }
    known = {name: np.full(len(intervals), True) for name in shares} | {"own_coverage": ~np.isnan(own_low)}
    return Row(
        scenario=scenario,
        figure=figure,
        trials=len(errors),
        with_interval=len(intervals) / len(errors),
        resolves=float(np.quantile(-low, 0.8)) if len(intervals) else math.nan,
        **{name: float(hits[known[name]].mean()) if known[name].any() else math.nan for name, hits in shares.items()},
    )


def _truth(scenario: Scenario, generator: np.random.Generator, runs: int) -> tuple[Floats, Floats]:
    """True differences and the candidate's true figures, averaged over very long runs at the same rate."""
    long = scenario.of_size(_TRUTH_SAMPLES)
    figures = np.zeros((2, len(FIGURES)))
    for _ in range(runs):
        for side, (_times, values) in enumerate(long.draw(generator)):
            figures[side] += np.append(np.quantile(values, _PRINTED_Q), values.mean()) / runs
    differences = np.full(len(FIGURES), SHIFT_MS) if scenario.only_shift else figures[1] - figures[0]
    return differences, figures[1]


def _refused(failing: Failures, generator: np.random.Generator) -> rates.Share:
    times, refused = failing.draw(generator)
    cell = cell_of((times * 1e9).astype(np.int64), (0, round(failing.duration_s * 1e9)))
    hits, count = np.bincount(cell[refused], minlength=CELLS), np.bincount(cell, minlength=CELLS)
    return rates.Share(hits=hits, count=count, span_s=failing.duration_s)


def _intervals(scenario: Scenario, baseline: Fold, candidate: Fold, *, seed: int) -> list[Interval]:
    """The interval of the difference for every figure, in one simulated run; NaN where there is none."""
    pairing = bootstrap.paired if scenario.paired else bootstrap.independent
    found = compare.folds(baseline, candidate, pairing=pairing, min_effect_ms=DEFAULT_MIN_EFFECT_MS, seed=seed)
    ends = [(found[name].low, found[name].high) for name in FIGURES]
    return [
        Interval(low=math.nan, high=math.nan) if low is None or high is None else Interval(low=low, high=high)
        for low, high in ends
    ]


def _folds(scenario: Scenario, generator: np.random.Generator) -> tuple[Fold, Fold]:
    window_ns = (0, round(scenario.duration_s * 1e9))
    first = scenario.draw(generator)
    sides = first if scenario.paired else (first[0], scenario.draw(generator)[1])
    baseline, candidate = (
        fold(
            np.rint(values * 1e6).astype(np.int64),
            cell_of((times * 1e9).astype(np.int64), window_ns),
            _PRINTED_Q,
        )
        for times, values in sides
    )
    return baseline, candidate
