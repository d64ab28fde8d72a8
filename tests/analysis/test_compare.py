"""Differences, verdicts, and what is not said."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import pytest

from bench.analysis import bootstrap, compare, own_intervals, verdicts
from bench.analysis.bootstrap import Interval
from bench.analysis.fold import fold_variant
from bench.analysis.run import LoadedRun
from bench.analysis.verdicts import Verdict
from tests.analysis.synthetic import Side

MakeRun = Callable[..., LoadedRun]


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.3, 0.9, Verdict.WORSE),
        (-0.9, -0.3, Verdict.BETTER),
        (-0.1, 0.1, Verdict.EQUIVALENT),
        (0.05, 0.15, Verdict.EQUIVALENT),
        (0.1, 0.3, Verdict.INCONCLUSIVE),
        (-0.3, 0.3, Verdict.INCONCLUSIVE),
        (0.2, 0.3, Verdict.INCONCLUSIVE),
        (-0.3, 0.1, Verdict.INCONCLUSIVE),
    ],
)
def test_a_verdict_needs_the_whole_interval(low: float, high: float, verdict: Verdict) -> None:
    """Beyond min_effect for BETTER and WORSE, within it for EQUIVALENT; touching it is neither."""
    found = verdicts.judge((low + high) / 2, Interval(low=low, high=high), min_effect=0.2)
    assert found.verdict is verdict
    assert (found.low, found.high) == (low, high)


def test_no_interval_is_inconclusive_and_says_how_many_more() -> None:
    """The estimate is still given; only the interval is missing."""
    found = verdicts.judge(0.5, Interval(low=math.nan, high=math.nan, more_needed=900), min_effect=0.2)
    assert (found.estimate, found.low, found.high, found.verdict) == (0.5, None, None, Verdict.INCONCLUSIVE)
    assert found.as_json()["more_needed"] == 900


def test_too_wide_an_interval_says_how_many_more_samples_would_tell() -> None:
    """Half a width of 0.6 times min_effect tells; twice as wide takes four times the samples."""
    wide = Interval(low=-0.1, high=0.14)
    assert verdicts.judge(0.02, wide, min_effect=0.1, samples=1_000).more_needed == 3_000
    assert verdicts.judge(0.02, wide, min_effect=0.2, samples=1_000).more_needed == 0
    assert verdicts.judge(0.02, wide, min_effect=0.0, samples=1_000).more_needed == 0


def test_a_narrow_interval_around_min_effect_asks_for_no_more() -> None:
    """More samples do not help where the truth is about min_effect."""
    found = verdicts.judge(0.2, Interval(low=0.19, high=0.21), min_effect=0.2, samples=1_000)
    assert (found.verdict, found.more_needed) == (Verdict.INCONCLUSIVE, 0)


def test_a_known_shift_lies_in_its_interval(two_sides: LoadedRun) -> None:
    """0.5 ms more at every quantile and the mean, in response and in service time."""
    found = compare.variants(two_sides, "key", "aml_token", min_effect_ms=0.2)
    for block in (found.response_time_ms, found.service_time_ms):
        assert list(block) == ["p50", "p90", "p95", "p99", "p99.9", "mean"]
        for name in ("p50", "p90", "p95", "p99", "mean"):
            low, high = block[name].low, block[name].high
            assert low is not None
            assert high is not None
            assert low < 0.5 < high
    assert found.response_time_ms["p50"].verdict is Verdict.WORSE


def test_swapping_the_sides_swaps_the_sign(two_sides: LoadedRun) -> None:
    """candidate - baseline: what was WORSE is BETTER the other way round."""
    one = compare.variants(two_sides, "key", "aml_token", min_effect_ms=0.2).response_time_ms["p50"]
    other = compare.variants(two_sides, "aml_token", "key", min_effect_ms=0.2).response_time_ms["p50"]
    assert other.estimate == pytest.approx(-(one.estimate or 0.0))
    assert (one.verdict, other.verdict) == (Verdict.WORSE, Verdict.BETTER)


def test_a_mode_against_itself_is_equivalent(make_run: MakeRun) -> None:
    """A/A: with enough samples the whole interval lies within min_effect."""
    run = make_run(sides=(Side("key"), Side("key#2")), rate=1500, duration_s=40, drift_ms=3.0)
    found = compare.variants(run, "key", "key#2")
    assert found.response_time_ms["p50"].verdict is Verdict.EQUIVALENT
    assert found.auth_failure_rate.verdict is Verdict.EQUIVALENT


def test_too_few_samples_say_how_many_more(two_sides: LoadedRun) -> None:
    """6,000 samples a side are 4,000 short of p99.9."""
    found = compare.variants(two_sides, "key", "aml_token").response_time_ms["p99.9"]
    assert (found.low, found.high, found.more_needed) == (None, None, 4_000)
    assert found.verdict is Verdict.INCONCLUSIVE


def test_a_side_without_any_success_has_no_estimate(make_run: MakeRun) -> None:
    """Nothing to subtract from: None, not 0 and not NaN."""
    run = make_run(sides=(Side("key"), Side("aml_token", auth_failures={"forbidden": 1.0})), rate=100, duration_s=5)
    found = compare.variants(run, "key", "aml_token")
    assert found.response_time_ms["p50"].estimate is None
    assert found.auth_failure_rate.verdict is Verdict.WORSE


def test_more_refused_requests_are_worse(make_run: MakeRun) -> None:
    """3 % of the tokens refused is far beyond the smallest rate that matters."""
    run = make_run(sides=(Side("key"), Side("aml_token", auth_failures={"refused": 0.03})))
    rate = compare.variants(run, "key", "aml_token").auth_failure_rate
    assert rate.verdict is Verdict.WORSE
    assert rate.low is not None
    assert rate.low < 0.03


def test_the_difference_is_given_along_all_quantiles_both_sides_have(two_sides: LoadedRun) -> None:
    """In rising order, around the known shift, up to where ten samples are left in the tail."""
    differences = compare.per_quantile(two_sides, "key", "aml_token")
    q = [one for one, _ in differences]
    assert q == sorted(q)
    assert 0.995 < q[-1] <= 1 - 10 / 6_000
    assert all(found.low is not None and found.low < 1.0 and (found.high or 0.0) > 0.0 for _, found in differences)


def test_the_same_seed_says_the_same(make_run: MakeRun) -> None:
    """A summary made again is the same summary, also from another reading of the files."""
    one, other = (make_run(rate=100, duration_s=10) for _ in range(2))
    assert compare.variants(one, "key", "aml_token") == compare.variants(other, "key", "aml_token")
    assert compare.variants(one, "key", "aml_token") != compare.variants(other, "key", "aml_token", seed=4)


def test_the_tail_is_guided_by_what_hangs_together_at_p90(make_run: MakeRun) -> None:
    """Noise over seconds hardly shows in the few samples beyond p99, but it is there."""
    run = make_run(sides=(Side("key"),), noise_ms=2.0, noise_time_s=1.0)
    side = fold_variant(run, "response_time", "key")
    p99, p90, p50 = (side.quantile(q) for q in (0.99, 0.9, 0.5))
    found = dataclasses.replace(own_intervals.own_interval(side, 0.99, seed=3), episodes=math.inf)
    assert found == bootstrap.own(p99, guide=p90, middle=p50, seed=3)
    assert found != bootstrap.own(p99, seed=3)


def estimated(estimate: float, half: float, verdict: Verdict) -> verdicts.Estimate:
    return verdicts.Estimate(estimate=estimate, low=estimate - half, high=estimate + half, verdict=verdict)


def test_six_figures_together_miss_no_more_often_than_one() -> None:
    """One beyond by a hair is no finding among six that are not; six that agree leave no doubt about the last."""
    nothing = {f"p{i}": estimated(0.0, 0.2, Verdict.EQUIVALENT) for i in range(5)}
    hair = verdicts.all_at_once({**nothing, "p99": estimated(1.55, 1.0, Verdict.WORSE)}, min_effect=0.5)
    assert hair["p99"].verdict is Verdict.INCONCLUSIVE
    assert hair["p99"].why == "sure by itself, not as one of 6 figures"
    assert [hair[name] for name in nothing] == list(nothing.values())
    sure = verdicts.all_at_once({**nothing, "p99": estimated(3.0, 1.0, Verdict.WORSE)}, min_effect=0.5)
    assert sure["p99"].verdict is Verdict.WORSE
    few_runs = verdicts.all_at_once({**nothing, "p99": estimated(3.0, 1.0, Verdict.WORSE)}, min_effect=0.5, degrees=1)
    assert few_runs["p99"].verdict is Verdict.INCONCLUSIVE
    surer = {f"p{i}": estimated(-3.0, 1.0, Verdict.BETTER) for i in range(5)}
    last = verdicts.all_at_once({**surer, "p99": estimated(-1.55, 1.0, Verdict.BETTER)}, min_effect=0.5)
    assert {one.verdict for one in last.values()} == {Verdict.BETTER}
