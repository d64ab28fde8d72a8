"""summary.json: the contract of schema_version 1, for whole and broken runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bench.analysis.run import METRICS, LoadedRun
from bench.analysis.summary import plain, summarise
from bench.plan.run_plan import DEFAULT_MIN_EFFECT_MS
from tests.analysis.synthetic import Side

MakeRun = Callable[..., LoadedRun]
FIGURES = {"p50", "p90", "p95", "p99", "p99.9", "mean"}


@pytest.fixture(scope="module")
def summary(two_sides: LoadedRun) -> dict[str, Any]:
    return summarise(two_sides)


def test_everything_the_design_names_is_there(summary: dict[str, Any]) -> None:
    """Names and nesting of schema_version 1."""
    assert summary["schema_version"] == 1
    assert summary["run_id"] == "two-sides"
    assert set(summary["trust"]) >= {
        "verdict",
        "reasons",
        "schedule_lag_ms",
        "asked_rate",
        "achieved_rate",
        "dropped_arrivals",
        "unwritten_samples",
    }
    assert set(summary["trust"]["schedule_lag_ms"]) == {"p50", "p99", "max"}
    assert list(summary["variants"]) == ["key", "aml_token"]
    for variant in summary["variants"].values():
        assert set(variant["auth_failures"]) >= {"count", "rate", "by_cause"}
        assert set(variant["refreshes"]) >= {"count", "failures", "by_cause"}
        for metric in METRICS:
            assert set(variant[f"{metric}_ms"]) == FIGURES | {"max"}
            assert set(variant[f"{metric}_ms_interval"]) == FIGURES
    comparison = summary["comparison"]
    assert (comparison["baseline"], comparison["candidate"]) == ("key", "aml_token")
    for block in ("response_time_ms", "service_time_ms"):
        assert set(comparison[block]) == FIGURES
        assert set(comparison[block]["p50"]) == {"estimate", "low", "high", "level", "verdict"}
    assert set(comparison["auth_failure_rate"]) == {"estimate", "low", "high", "level", "verdict"}


def test_figures_are_those_of_numpy_over_the_measured_samples(summary: dict[str, Any], two_sides: LoadedRun) -> None:
    """In ms, warm-up left out."""
    key = summary["variants"]["key"]
    samples = two_sides.samples
    rows = samples.where("variant", "key") & (samples.intended_ns >= 2_000_000_000)
    response_ms = (samples.done_ns[rows] - samples.intended_ns[rows]) / 1e6
    assert key["requests"] == key["outcomes"]["ok"] == key["latency_samples"] == 6_000
    assert key["throughput"] == 200.0
    assert key["response_time_ms"]["p99"] == pytest.approx(np.quantile(response_ms, 0.99))
    assert key["response_time_ms"]["mean"] == pytest.approx(response_ms.mean())
    assert key["response_time_ms"]["max"] == pytest.approx(response_ms.max())
    assert key["lease_wait_ms"]["p50"] == 0.002


def test_every_figure_lies_in_its_interval(summary: dict[str, Any]) -> None:
    """And where there is none, it says how many samples more it takes."""
    for variant in summary["variants"].values():
        for metric in METRICS:
            for name, interval in variant[f"{metric}_ms_interval"].items():
                if name == "p99.9":
                    assert interval == {"low": None, "high": None, "more_needed": 4_000}
                else:
                    assert interval["low"] <= variant[f"{metric}_ms"][name] <= interval["high"]


def test_the_distribution_tells_any_quantile_without_the_samples(summary: dict[str, Any]) -> None:
    """It agrees with the printed figures at their quantiles, rises, and is small enough to commit."""
    for variant in summary["variants"].values():
        curve = variant["distribution"]
        assert len(json.dumps(curve)) < 20_000
        for metric in ("response_time_ms", "service_time_ms"):
            assert curve[metric]["value"] == sorted(curve[metric]["value"])
            place = curve["q"].index(0.99)
            assert curve[metric]["value"][place] == variant[metric]["p99"]
            assert curve[metric]["low"][place] == variant[f"{metric}_interval"]["p99"]["low"]


def test_the_comparison_carries_what_the_report_draws_and_says(summary: dict[str, Any]) -> None:
    """Differences along all quantiles, the decomposition in numbers and words, and what it was judged by."""
    comparison = summary["comparison"]
    for metric in ("response_time_ms", "service_time_ms"):
        lengths = {len(values) for values in comparison["per_quantile"][metric].values()}
        assert len(lengths) == 1
        assert lengths.pop() > 50
    assert comparison["decomposition"]["sentence"].startswith("aml_token costs")
    assert set(comparison["decomposition"]["p50"]["difference_ms"]) >= {"lease_wait", "server_time", "rest"}
    assert comparison["min_effect_ms"] == DEFAULT_MIN_EFFECT_MS


def test_the_same_run_gives_the_same_summary(make_run: MakeRun) -> None:
    """To the last digit, although two threads made it."""
    one, other = (summarise(make_run(rate=200, duration_s=10)) for _ in range(2))
    one["run_id"] = other["run_id"]
    assert one == other


@pytest.mark.parametrize(
    "options",
    [
        {"cut_off": 10**9, "reason": None, "health": False, "flights": False},
        {"cut_off": 200, "reason": None},
        {"duration_s": 0.0},
        {"closed": True},
        {"sides": (Side("key"),)},
        {"sides": (Side("key", auth_failures={"no_lease": 1.0}), Side("aml_token"))},
        {"rate": 3, "duration_s": 3.0},
        {"sides": (Side("key", tells_server_time=False), Side("aml_token", tells_server_time=False))},
    ],
)
def test_a_run_that_is_broken_or_odd_still_has_a_summary(make_run: MakeRun, options: dict[str, Any]) -> None:
    """Plain JSON without NaN, and the variants of the plan are all there."""
    run = make_run(**({"rate": 100, "duration_s": 10.0} | options))
    summary = summarise(run)
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    assert tuple(summary["variants"]) == run.variants
    assert ("comparison" in summary) == (len(run.variants) > 1)
    assert summary["problems"] == list(run.problems)


def test_each_deployment_has_figures_of_its_own(make_run: MakeRun) -> None:
    """Blue and green get their own figures; with one deployment there is nothing to separate."""
    run = make_run(sides=(Side("key", deployments=("blue", "green")), Side("aml_token")), rate=200, duration_s=10)
    variants = summarise(run)["variants"]
    assert list(variants["key"]["deployments"]) == ["blue", "green"]
    assert sum(one["requests"] for one in variants["key"]["deployments"].values()) == 1_000
    assert variants["key"]["deployments"]["green"]["response_time_ms"]["p50"] == pytest.approx(12.1, abs=0.5)
    assert variants["aml_token"]["deployments"] == {}


def test_further_variants_are_each_compared_with_the_first(make_run: MakeRun) -> None:
    """`comparison` is the first of `comparisons`."""
    run = make_run(sides=(Side("key"), Side("aml_token"), Side("aad_token")), rate=300, duration_s=10)
    summary = summarise(run)
    assert [one["candidate"] for one in summary["comparisons"]] == ["aml_token", "aad_token"]
    assert summary["comparison"] == summary["comparisons"][0]


def test_only_plain_json_values_come_out() -> None:
    """numpy's numbers, NaN, infinity and tuples have no place in a file."""
    value = {"a": np.float64(1.5), "b": (np.int64(2), float("nan")), "c": float("inf"), "d": np.array([1.0]), "e": True}
    assert plain(value) == {"a": 1.5, "b": [2, None], "c": None, "d": [1.0], "e": True}
