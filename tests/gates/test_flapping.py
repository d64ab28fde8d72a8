"""Gates on real summaries of synthetic runs: one unchanged target does not flap, and a slower one does not slip by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest

from bench.analysis.run import LoadedRun
from bench.analysis.summary import summarise
from bench.gates import baseline
from bench.gates.evaluate import evaluate
from bench.gates.expression import parse
from bench.gates.result import GateVerdict
from bench.metrics import METRICS, STATISTICS, Metric
from bench.runreader import load_run
from tests.analysis.streamed import Asked, write_streamed
from tests.analysis.synthetic import TWO_SIDES, Side, write_run
from tests.gates.summaries import Summary

RUNS = 30
SLOWER = 1.25


@dataclass(frozen=True)
class Accepted:
    """A baseline as `evaluate` wants it."""

    summary: Summary
    name: str = "main"

    def elsewhere(self, machine: Mapping[str, Any]) -> str:
        """It is of any machine."""
        return ""


def measure(folder: Path, *, seed: int, slowness: float = 1.0) -> Summary:
    """Half a minute at 200/s against a target that drifts by 1 ms and wavers by 1 ms, which moves its p99 by 2 %."""
    path = write_run(
        folder / f"{seed}-{slowness}",
        sides=(Side("key", floor_ms=10.0 * slowness, mean_ms=3.0 * slowness),),
        rate=200,
        duration_s=30,
        seed=seed,
        drift_ms=1.0,
        noise_ms=1.0,
    )
    return summarise(load_run(path))


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory: pytest.TempPathFactory) -> list[Summary]:
    folder = tmp_path_factory.mktemp("unchanged")
    return [measure(folder, seed=seed) for seed in range(RUNS)]


def p99(run: Summary) -> float:
    return float(run["variants"]["key"]["response_time_ms"]["p99"])


@pytest.mark.slow
def test_a_threshold_a_tenth_above_the_p99_never_fails_an_unchanged_target(unchanged: list[Summary]) -> None:
    """30 runs, no FAIL: the promise that a red pipeline means something."""
    gate = parse(f"response_time.p99 < {1.1 * median(map(p99, unchanged)):.4f}ms")
    verdicts = Counter(evaluate([gate], run)[0].verdict for run in unchanged)
    assert verdicts[GateVerdict.FAIL] == 0
    assert verdicts[GateVerdict.PASS] >= RUNS - 2


@pytest.mark.slow
def test_a_threshold_on_the_p99_itself_is_mostly_undecided_and_seldom_fails(unchanged: list[Summary]) -> None:
    """Half the figures are beyond by luck; comparing points would fail half of the runs, the interval few."""
    gate = parse(f"response_time.p99 < {median(map(p99, unchanged)):.4f}ms")
    verdicts = Counter(evaluate([gate], run)[0].verdict for run in unchanged)
    assert verdicts[GateVerdict.INCONCLUSIVE] >= RUNS // 3
    assert verdicts[GateVerdict.FAIL] <= RUNS // 10


@pytest.mark.slow
def test_a_run_of_the_same_target_is_no_regression_of_the_one_before(unchanged: list[Summary]) -> None:
    """Each run against the previous one as its baseline, with the usual 10 %: no FAIL in 29 comparisons."""
    gate = parse("response_time.p99 <= baseline + 10%")
    verdicts = Counter(evaluate([gate], run, Accepted(before))[0].verdict for before, run in pairwise(unchanged))
    assert verdicts[GateVerdict.FAIL] == 0
    assert verdicts[GateVerdict.PASS] >= RUNS - 3


@pytest.mark.slow
def test_a_quarter_slower_is_found(unchanged: list[Summary], tmp_path: Path) -> None:
    """The other side of not flapping: `baseline + 10%` mostly catches a target 25 % slower, and never passes it."""
    gate = parse("response_time.p99 <= baseline + 10%")
    slower = [measure(tmp_path, seed=1000 + seed, slowness=SLOWER) for seed in range(12)]
    verdicts = [
        evaluate([gate], run, Accepted(before))[0].verdict for before, run in zip(unchanged, slower, strict=False)
    ]
    assert verdicts.count(GateVerdict.FAIL) >= 9
    assert GateVerdict.PASS not in verdicts


def subject(metric: Metric, quantile: str) -> str:
    """A metric as a gate writes it."""
    return f"{metric.name}{'(20ms)' if metric.deadline else ''}{f'.{quantile}' if quantile else ''}"


@pytest.fixture(scope="module")
def chats(tmp_path_factory: pytest.TempPathFactory) -> tuple[LoadedRun, Summary]:
    """22,000 streamed answers of two variants, with samples for every metric."""
    rng = np.random.default_rng(1)
    first, gaps = 50 + rng.exponential(5, 22_000), 10 + rng.exponential(2, (22_000, 3))
    requests = [
        Asked(
            at_s=22 * place / 22_000,
            variant=("aml_token", "key")[place % 2],
            first_ms=first[place],
            gaps_ms=gaps[place].tolist(),
            lag_ms=0.1,
        )
        for place in range(22_000)
    ]
    path = tmp_path_factory.mktemp("chats") / "run"
    run = load_run(write_streamed(path, requests, duration_s=22, goodput=("time_to_first_token < 60ms",)))
    return run, summarise(run, deadlines_ms=[20.0])


def test_every_metric_and_quantile_is_found_in_a_real_summary(chats: tuple[LoadedRun, Summary]) -> None:
    """The table of metrics promises nothing the summary does not hold: no gate here is without data."""
    _, summary = chats
    for metric in METRICS.values():
        for quantile in metric.quantiles or ("",):
            unit = {"time": "0ms", "rate": "0%", "count": "0", "throughput": "0/s"}[metric.kind]
            text = f"{subject(metric, quantile)} >= {unit}"
            (result,) = evaluate([parse(text)], summary)
            assert result.verdict is not GateVerdict.NO_DATA, result.sentence
            assert result.measured is not None
    assert set(summary["variants"]["key"]["response_time_ms"]) == set(STATISTICS)


def test_a_real_baseline_is_small_and_carries_its_intervals(chats: tuple[LoadedRun, Summary], tmp_path: Path) -> None:
    """Small enough to commit, and it judges a run just as the whole summary does."""
    plain = load_run(write_run(tmp_path / "plain", sides=TWO_SIDES, rate=1000, duration_s=22))
    file = baseline.save(summarise(plain, deadlines_ms=[20.0]), plain.manifest, name="plain", folder=tmp_path)
    assert file.stat().st_size < 20_000
    run, summary = chats
    file = baseline.save(summary, run.manifest, name="main", folder=tmp_path)
    assert file.stat().st_size < 50_000
    accepted = baseline.load("main", tmp_path)
    baseline.refuse_unlike(accepted, summary, run.manifest)
    for metric in METRICS.values():
        for quantile in metric.quantiles or ("",):
            gate = parse(f"{subject(metric, quantile)} <= baseline")
            ours, theirs = (evaluate([gate], summary, main)[0] for main in (accepted, Accepted(summary)))
            assert ours == theirs
            assert ours.verdict is GateVerdict.PASS
