"""Do intervals, verdicts and gates keep their promise where it is hard? Simulation of known truth. Pure.

`figures`: a target's own figures and the difference of two variants between which there is none. `shares`: a rate and a
gate on it. `looks`: a gate that is looked at once, until it is decided, and until it is lost. The tables are in
`results/calibration/audit.md`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bench.analysis import bootstrap, compare, own_intervals, rates, verdicts
from bench.analysis.blocks import CELLS, cell_of
from bench.analysis.bootstrap import DEFAULT_SEED
from bench.analysis.fold import Fold, fold
from bench.analysis.run import Floats, Mask
from bench.analysis.verdicts import Verdict
from bench.calibration import audit_processes as processes
from bench.calibration.audit_processes import DEADLINE_MS, RATE, RUN_S, Target
from bench.gates.evaluate import judge
from bench.gates.expression import parse
from bench.gates.extend import hopeless, needs_more
from bench.gates.result import GateVerdict
from bench.metrics import PRINTED
from bench.plan.run_plan import DEFAULT_MIN_EFFECT_MS

FIGURES: dict[str, float | None] = {**PRINTED, "mean": None}
LOOK_EVERY_S = 5.0
LONGEST_S = 300.0

_Q = np.array(list(PRINTED.values()))
_TRUTH_RUNS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureRow:
    """One figure of one target; shares of the trials, NaN where no trial has it.

    `with_interval`, `difference_with_interval`: had an interval. Of those `own` and `difference`: it held the truth.
    `warned`: reported for how long it hangs together, or on how few episodes it rests; `silent`: had an interval that
    did not hold the truth, and did not warn. `alarms`: said BETTER or WORSE.
    """

    target: str
    figure: str
    with_interval: float
    own: float
    warned: float
    silent: float
    difference_with_interval: float
    difference: float
    alarms: float
    any_alarm: float


def figures(target: Target, *, trials: int, seed: int = DEFAULT_SEED) -> list[FigureRow]:
    """All figures of one target."""
    generator = np.random.default_rng(seed)
    truth = _truth(target, generator)
    seen = np.full((trials, len(FIGURES), 7), math.nan)
    for trial in range(trials):
        sides = [folded(*side, RUN_S, target.step_at) for side in target.pair(generator)]
        found = compare.folds(*sides, pairing=bootstrap.paired, min_effect_ms=DEFAULT_MIN_EFFECT_MS, seed=trial)
        for i, (name, q) in enumerate(FIGURES.items()):
            own, one = own_intervals.own_interval(sides[0], q, seed=trial), found[name]
            warned = own.too_long or own.episodes < verdicts.ENOUGH_EPISODES
            held = own.low <= truth[i] <= own.high if own.known else math.nan
            known = one.low is not None or one.high is not None
            low, high = (-math.inf if one.low is None else one.low), (math.inf if one.high is None else one.high)
            seen[trial, i] = (
                own.known,
                held,
                warned,
                known,
                low <= 0 <= high if known else math.nan,
                one.verdict in (Verdict.BETTER, Verdict.WORSE),
                own.known and not held and not warned,
            )
    any_alarm = float(seen[:, :, 5].any(axis=1).mean())
    return [
        FigureRow(
            target=target.name,
            figure=name,
            with_interval=_mean(seen[:, i, 0]),
            own=_mean(seen[:, i, 1]),
            warned=_mean(seen[:, i, 2]),
            silent=_mean(seen[:, i, 6]),
            difference_with_interval=_mean(seen[:, i, 3]),
            difference=_mean(seen[:, i, 4]),
            alarms=_mean(seen[:, i, 5]),
            any_alarm=any_alarm,
        )
        for i, name in enumerate(FIGURES)
    ]


def folded(times: Floats, values_ms: Floats, length_s: float, step_at: float = 0.0) -> Fold:
    """One variant's latencies as a run of `length_s` holds them."""
    lost = values_ms >= DEADLINE_MS
    cell = cell_of((times * 1e9).astype(np.int64), (0, round(length_s * 1e9)))
    found = fold((values_ms * 1e6).astype(np.int64), cell, _Q, censored=lost if lost.any() else None)
    return replace(found, pieces=(round(step_at * CELLS),)) if step_at else found


def _truth(target: Target, generator: np.random.Generator) -> list[float]:
    pooled = np.concatenate([target.pair(generator)[0][1] for _ in range(_TRUTH_RUNS)])
    worst = np.sort(np.where(pooled >= DEADLINE_MS, math.inf, pooled))
    places = [worst[min(int(q * len(worst)), len(worst) - 1)] for q in _Q]
    return [float(one) for one in (*places, worst.mean())]


def _mean(values: Floats) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class Failing:
    """Requests that fail: each by itself with `at_random`, or all due in bursts of `burst_s`, `bursts` a minute."""

    name: str
    at_random: float = 0.0
    burst_s: float = 0.0
    bursts: float = 0.0

    @property
    def rate(self) -> float:
        return self.at_random + self.bursts * self.burst_s / 60

    def draw(self, generator: np.random.Generator, length_s: float) -> tuple[Floats, Mask]:
        times = np.sort(generator.random(generator.poisson(RATE * length_s))) * length_s
        reach = length_s + self.burst_s
        starts = generator.random(generator.poisson(self.bursts * reach / 60)) * reach - self.burst_s
        hit = processes.failing(times, starts, self.burst_s)
        return times, hit | (generator.random(len(times)) < self.at_random)


FAILING = (
    Failing(name="1 %, each by itself", at_random=0.01),
    Failing(name="0.05 %, each by itself", at_random=0.0005),
    Failing(name="1 %, in bursts of 0.2 s", burst_s=0.2, bursts=3),
    Failing(name="1 %, in bursts of 1 s", burst_s=1.0, bursts=0.6),
    Failing(name="0.05 %, in bursts of 0.03 s", burst_s=0.03, bursts=1),
    Failing(name="one outage of 2 s a minute, at random", burst_s=2.0, bursts=1),
)


def shares(failing: Failing, *, trials: int, seed: int = DEFAULT_SEED) -> dict[str, Any]:
    """Coverage of a rate, and what a gate at parts of the true rate says: shares of the trials that FAIL."""
    generator = np.random.default_rng(seed)
    covered, failed = [], {0.9: 0, 1.0: 0, 1.1: 0}
    for _ in range(trials):
        block = _rate_block(*failing.draw(generator, RUN_S), RUN_S)
        found = block["outcome_rates"]["throttled"]
        covered.append(found["low"] <= failing.rate <= found["high"])
        for part in failed:
            gate = parse(f"throttled_rate <= {100 * part * failing.rate:.6f}%")
            failed[part] += judge(gate, {"variants": {"key": block}}).verdict is GateVerdict.FAIL
    fails = {f"fail at {part:g}": number / trials for part, number in failed.items()}
    return {"rate": failing.name, "coverage": float(np.mean(covered)), **fails}


def _rate_block(times: Floats, hit: Mask, length_s: float) -> dict[str, Any]:
    cell = cell_of((times * 1e9).astype(np.int64), (0, round(length_s * 1e9)))
    hits, count = np.bincount(cell[hit], minlength=CELLS), np.bincount(cell, minlength=CELLS)
    found = rates.own(rates.Share(hits=hits, count=count, span_s=length_s))
    return {
        "requests": len(times),
        "throughput": len(times) / length_s,
        "outcomes": {"ok": int((~hit).sum()), "throttled": int(hit.sum())},
        "outcome_rates": {"throttled": {"low": found.low, "high": found.high}},
    }


def _time_block(times: Floats, values_ms: Floats, length_s: float) -> dict[str, Any]:
    side = folded(times, values_ms, length_s)
    found = own_intervals.own_interval(side, 0.99)
    interval = {"low": found.low, "high": found.high} if found.known else {"low": None, "high": None}
    few = {"episodes": max(round(found.episodes), 1)} if found.episodes < verdicts.ENOUGH_EPISODES else {}
    long = {"hangs_together_s": found.reach * length_s} if found.too_long else {}
    return {
        "requests": side.n,
        "latency_samples": side.n,
        "throughput": side.n / length_s,
        "response_time_ms": {"p99": side.quantile_ms(0.99)},
        "response_time_ms_interval": {"p99": {**interval, **few, **long, "more_needed": found.more_needed}},
    }


LOOKED_AT: dict[str, Target | Failing] = {
    "independent": Target("", processes.steady),
    "hangs together for 5 s": Target("", processes.wandering(5.0)),
    "hangs together for 20 s": Target("", processes.wandering(20.0)),
    "one queue, 70 % busy": Target("", processes.queueing),
    "2 s slow in 8 s": Target("", processes.on_and_off),
    "throttled 1 %, each by itself": FAILING[0],
    "throttled 1 %, in bursts of 0.2 s": FAILING[2],
}


def looks(name: str, *, trials: int, seed: int = DEFAULT_SEED) -> Iterator[dict[str, Any]]:
    """A gate at 0.9, 1 and 1.1 of the truth: one look at a minute, extended up to five, aborted within five."""
    target = LOOKED_AT[name]
    generator = np.random.default_rng(seed)
    gates = {part: parse(_gate(target, part, np.random.default_rng(seed + 1))) for part in (0.9, 1.0, 1.1)}
    counts = {part: {"one": [0, 0, 0], "extended": [0, 0, 0], "aborted": [0, 0], "looks": 0} for part in gates}
    for _ in range(trials):
        times, values = (
            target.side(generator, LONGEST_S) if isinstance(target, Target) else target.draw(generator, LONGEST_S)
        )
        done: dict[float, bool] = dict.fromkeys(gates, False)
        lost: dict[float, bool] = dict.fromkeys(gates, False)
        for end in np.arange(2 * LOOK_EVERY_S, LONGEST_S + 1, LOOK_EVERY_S):
            so_far = times < end
            make: Any = _time_block if isinstance(target, Target) else _rate_block
            summary = {
                "trust": {"verdict": "TRUSTED"},
                "variants": {"key": make(times[so_far], values[so_far], float(end))},
            }
            for part, gate in gates.items():
                tally: Any = counts[part]
                if not lost[part] and hopeless([gate], summary, measured_s=float(end)):
                    lost[part] = True
                    tally["aborted"][1] += 1
                    tally["aborted"][0] += end <= RUN_S
                if end < RUN_S or done[part]:
                    continue
                result = judge(gate, summary)
                place = _PLACES.get(result.verdict, 1)
                if end == RUN_S:
                    tally["one"][place] += 1
                tally["looks"] += 1
                if needs_more([result], summary, grown=float(end) / RUN_S) == 0 or end >= LONGEST_S:
                    done[part] = True
                    tally["extended"][place] += 1
            if all(done.values()) and all(lost.values()):
                break
    for part, tally in counts.items():
        yield {
            "target": name,
            "threshold / truth": part,
            "one look": _percents(tally["one"], trials),
            "extended": _percents(tally["extended"], trials),
            "looks": round(tally["looks"] / trials, 1),
            "aborted in 60 s / 300 s": _percents(tally["aborted"], trials),
        }


_PLACES = {GateVerdict.PASS: 0, GateVerdict.FAIL: 2}


def _gate(target: Target | Failing, part: float, generator: np.random.Generator) -> str:
    if isinstance(target, Failing):
        return f"throttled_rate <= {100 * part * target.rate:.6f}%"
    pooled = np.concatenate([target.side(generator, LONGEST_S)[1] for _ in range(_TRUTH_RUNS)])
    return f"response_time.p99 < {part * float(np.quantile(pooled, 0.99)):.4f}ms"


def _percents(numbers: Any, trials: int) -> str:
    return " / ".join(f"{100 * number / trials:.3g}" for number in numbers)
