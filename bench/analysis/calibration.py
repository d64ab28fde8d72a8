"""Do the intervals keep their promise? Simulation of known truth, as a table. Pure; called by `bench calibrate`.

For every scenario and printed figure: how often the 95 % interval of the difference, and of a variant's own figure,
covers the truth; how often it would call two equal variants BETTER or WORSE; and how often it finds a shift of twice
`min_effect`. The full table of 1,000 trials is in docs/guides/statistics.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from bench.analysis import bootstrap, compare, rates
from bench.analysis.blocks import CELLS, cell_of
from bench.analysis.compare import DEFAULT_MIN_EFFECT_RATE, DEFAULT_SEED
from bench.analysis.fold import Fold, fold
from bench.analysis.quantiles import PRINTED
from bench.analysis.run import Floats
from bench.analysis.scenarios import FAILURES, SCENARIOS, SHIFT_MS, Failures, Scenario
from bench.plan import DEFAULT_MIN_EFFECT_MS

FIGURES: dict[str, float | None] = {**PRINTED, "mean": None}

_PRINTED_Q = np.array(list(PRINTED.values()))
TRUTH_RUNS = 16
_TRUTH_SAMPLES = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure in one scenario; shares are of the trials that gave an interval, NaN where there were none.

    Every figure but the rates is in ms.

    told            share of the trials with enough samples for an interval
    coverage        ... of the difference covers its truth; 0.95 is promised
    own_coverage    ... of the candidate's own figure covers its truth
    false_alarms    ... would say BETTER or WORSE if the truth were no difference, with `min_effect`
    power           ... would say WORSE if the truth were 2 * `min_effect`
    resolves        the min_effect at which that is 80 %: what runs of this size can tell
    """

    scenario: str
    figure: str
    trials: int
    told: float
    coverage: float
    own_coverage: float
    false_alarms: float
    power: float
    resolves: float


def table(
    *,
    trials: int,
    seed: int = DEFAULT_SEED,
    min_effect_ms: float = DEFAULT_MIN_EFFECT_MS,
    truth_runs: int = TRUTH_RUNS,
    scenarios: Iterable[Scenario] = SCENARIOS,
    failures: Iterable[Failures] = FAILURES,
) -> Iterator[Row]:
    """Rows as they are done, one scenario after another.

    A trial takes about 25 ms, and the truth of a scenario half a second for each of the long runs it is averaged over.
    """
    for scenario in scenarios:
        yield from simulate(scenario, trials=trials, seed=seed, min_effect_ms=min_effect_ms, truth_runs=truth_runs)
    for failing in failures:
        yield simulate_failures(failing, trials=trials, seed=seed)


def simulate(
    scenario: Scenario, *, trials: int, seed: int, min_effect_ms: float, truth_runs: int = TRUTH_RUNS
) -> tuple[Row, ...]:
    """All figures of one scenario."""
    generator = np.random.default_rng(seed)
    differences, owns = _truth(scenario, generator, truth_runs)
    pairing = bootstrap.paired if scenario.paired else bootstrap.independent
    errors = np.full((trials, len(FIGURES), 4), np.nan)
    for trial in range(trials):
        baseline, candidate = _folds(scenario, generator)
        found = compare.folds(baseline, candidate, pairing=pairing, min_effect_ms=min_effect_ms, seed=trial)
        for i, (name, q) in enumerate(FIGURES.items()):
            if (low := found[name].low) is not None and (high := found[name].high) is not None:
                own = compare.own_interval(candidate, q, seed=trial)
                errors[trial, i] = low - differences[i], high - differences[i], own.low - owns[i], own.high - owns[i]
    if not scenario.own_truth:
        errors[:, :, 2:] = np.nan
    return tuple(_row(scenario.name, name, errors[:, i], min_effect=min_effect_ms) for i, name in enumerate(FIGURES))


def simulate_failures(failing: Failures, *, trials: int, seed: int) -> Row:
    """The auth-failure rate of two variants that are refused alike; `min_effect` is the default for rates."""
    generator = np.random.default_rng(seed)
    errors = np.empty((trials, 4))
    for trial in range(trials):
        baseline, candidate = (_refused(failing, generator) for _ in range(2))
        found, own = rates.difference(baseline, candidate), rates.own(candidate)
        errors[trial] = found.low, found.high, own.low - failing.rate, own.high - failing.rate
    return _row(failing.name, "auth_failure_rate", errors, min_effect=DEFAULT_MIN_EFFECT_RATE)


def markdown(rows: Iterable[Row]) -> str:
    """The rows as a table for people."""
    lines = [
        "| scenario | figure | told | coverage | own coverage | false alarms | power | resolves |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        shares = (row.told, row.coverage, row.own_coverage, row.false_alarms, row.power)
        cells = " | ".join("-" if math.isnan(share) else f"{share:.1%}" for share in shares)
        resolves = "-" if math.isnan(row.resolves) else f"{row.resolves:.3g}"
        lines.append(f"| {row.scenario} | {row.figure} | {cells} | {resolves} |")
    return "\n".join(lines)


def _row(scenario: str, figure: str, errors: Floats, *, min_effect: float) -> Row:
    """`errors`: ends of both intervals less the truth (difference low, high, own low, high), one trial a line."""
    told = errors[~np.isnan(errors[:, 0])]
    low, high, own_low, own_high = told.T
    shares = {
        "coverage": (low <= 0) & (high >= 0),
        "own_coverage": (own_low <= 0) & (own_high >= 0),
        "false_alarms": (low > min_effect) | (high < -min_effect),
        "power": low > -min_effect,
    }
    known = {name: np.full(len(told), True) for name in shares} | {"own_coverage": ~np.isnan(own_low)}
    return Row(
        scenario=scenario,
        figure=figure,
        trials=len(errors),
        told=len(told) / len(errors),
        resolves=float(np.quantile(-low, 0.8)) if len(told) else math.nan,
        **{name: float(hits[known[name]].mean()) if known[name].any() else math.nan for name, hits in shares.items()},
    )


def _truth(scenario: Scenario, generator: np.random.Generator, runs: int) -> tuple[Floats, Floats]:
    """True differences and the candidate's true figures, averaged over very long runs at the same rate."""
    duration_s = scenario.duration_s * _TRUTH_SAMPLES / scenario.samples
    figures = np.zeros((2, len(FIGURES)))
    for _ in range(runs):
        for side, (_times, values) in enumerate(
            scenario.draw(generator, samples=_TRUTH_SAMPLES, duration_s=duration_s)
        ):
            figures[side] += np.append(np.quantile(values, _PRINTED_Q), values.mean()) / runs
    differences = np.full(len(FIGURES), SHIFT_MS) if scenario.only_shift else figures[1] - figures[0]
    return differences, figures[1]


def _refused(failing: Failures, generator: np.random.Generator) -> rates.Share:
    times, refused = failing.draw(generator)
    cell = cell_of((times * 1e9).astype(np.int64), (0, round(failing.duration_s * 1e9)))
    return rates.Share(hits=np.bincount(cell[refused], minlength=CELLS), count=np.bincount(cell, minlength=CELLS))


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
