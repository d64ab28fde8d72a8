"""Stored runs against stored runs."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable

import numpy as np
import pytest

from bench.analysis.bootstrap import Interval
from bench.analysis.diff import ONE_AGAINST_ONE, pooled, summarise_diff
from bench.analysis.run import LoadedRun
from bench.commands import diff as command
from bench.errors import RunInvalid, UsageError
from tests.analysis.synthetic import Side

MakeRun = Callable[..., LoadedRun]


def figures(*values: float, half: float = 0.1) -> list[tuple[float, Interval]]:
    return [(value, Interval(low=value - half, high=value + half)) for value in values]


def test_a_deployment_that_got_slower_is_found(make_run: MakeRun) -> None:
    """Three runs before and one after, 3 ms slower at p50; only variants of the same name are compared."""
    before = [make_run(seed=seed) for seed in (1, 2, 3)]
    after = make_run(seed=4, sides=(Side("key", shift_ms=3.0), Side("aad_token")))
    found = summarise_diff(before, [after])
    (comparison,) = found["comparisons"]
    assert (comparison["baseline"], comparison["candidate"]) == ("key", "key")
    p50 = comparison["response_time_ms"]["p50"]
    assert p50["verdict"] == "WORSE"
    assert p50["low"] < 3.0 < p50["high"]
    assert found["unit"] == "run"
    assert found["sentence"].startswith("key is worse at p50")
    sides = comparison["figures"]
    difference = sides["candidate"]["response_time_ms"]["p50"] - sides["baseline"]["response_time_ms"]["p50"]
    assert difference == pytest.approx(p50["estimate"])
    assert sides["candidate"]["error_rate"] == 0
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_one_run_against_one_has_figures_and_no_verdict(make_run: MakeRun) -> None:
    """However far apart they lie: how much runs of one thing differ, nobody knows from one."""
    before, after = make_run(seed=1), make_run(seed=2, sides=(Side("key", shift_ms=5.0), Side("aml_token")))
    found = summarise_diff([before], [after])
    assert found["unit"] == "block of time"
    assert "cannot be determined from one run against one" in found["sentence"]
    for comparison in found["comparisons"]:
        for one in (*comparison["response_time_ms"].values(), comparison["error_rate"]):
            assert one["verdict"] == "INCONCLUSIVE"
            assert one["why"] == ONE_AGAINST_ONE
            assert "more_needed" not in one
    p50 = found["comparisons"][0]["response_time_ms"]["p50"]
    assert p50["low"] < 5.0 < p50["high"]


def test_runs_that_cannot_be_believed_are_refused_and_concluded_from_never(make_run: MakeRun) -> None:
    """Exit code 4 either way, and with `anyway` the figures without a verdict."""
    good, killed = make_run(sides=(Side("key"),), rate=100), make_run(sides=(Side("key"),), rate=100, reason=None)
    with pytest.raises(RunInvalid, match="is INVALID and compares with nothing: the run was killed"):
        summarise_diff([good], [killed])
    found = summarise_diff([good, good, good], [killed], anyway=True)
    assert found["trust"] == "INVALID"
    assert found["sentence"].startswith("nothing can be concluded")
    assert {one["verdict"] for one in found["comparisons"][0]["response_time_ms"].values()} == {"INCONCLUSIVE"}


def test_the_command_refuses_tells_and_exits(make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    """One sentence first, then trust, then both sides' figures and error rates."""
    good = [str(make_run(sides=(Side("key"),), rate=100, duration_s=15, seed=seed).path) for seed in (1, 2, 3)]
    slow = str(make_run(sides=(Side("key", shift_ms=9.0, outcomes={"throttled": 0.1}),), rate=100, duration_s=15).path)
    invalid = str(make_run(sides=(Side("key"),), rate=100, duration_s=15, reason=None).path)

    def diff(*words: str) -> tuple[int, list[str]]:
        parser = argparse.ArgumentParser()
        command.add_arguments(parser)
        code = command.run(parser.parse_args(words))
        return code, capsys.readouterr().out.splitlines()

    code, lines = diff("--baseline", *good, "--candidate", slow)
    assert code == 0
    assert lines[0].startswith("key is worse at p50")
    p50 = next(line for line in lines if "response time p50" in line).split()
    assert float(p50[4]) - float(p50[3]) == pytest.approx(9.0, abs=0.5)
    assert p50[-1] == "WORSE"
    assert any(line.split()[:4] == ["error", "rate", "0", "%"] for line in lines)
    code, lines = diff(good[0], invalid, "--anyway")
    assert code == 4
    assert lines[0].startswith("nothing can be concluded")
    assert any(line.startswith("INVALID") and "killed" in line for line in lines)
    with pytest.raises(RunInvalid):
        diff(good[0], invalid)


def test_a_figure_that_requests_without_an_answer_decide_is_not_pooled() -> None:
    """A mean of a known and an unknown value is unknown."""
    estimate, interval = pooled(figures(10.0, 10.1), figures(float("inf")))
    assert np.isnan(estimate)
    assert not interval.known


def test_runs_of_one_variant_each_are_compared_whatever_they_are_called(make_run: MakeRun) -> None:
    """A key run against a token run."""
    runs = [make_run(sides=(Side(name),), rate=100, duration_s=10) for name in ("key", "aml_token")]
    (comparison,) = summarise_diff(runs[:1], runs[1:])["comparisons"]
    assert (comparison["baseline"], comparison["candidate"]) == ("key", "aml_token")


def test_runs_with_nothing_in_common_are_refused(make_run: MakeRun) -> None:
    """The error names both."""
    a = make_run(sides=(Side("key"),), rate=50, duration_s=4)
    b = make_run(sides=(Side("aml_token"), Side("aad_token")), rate=50, duration_s=4)
    with pytest.raises(UsageError, match="share no variant: key against aml_token, aad_token"):
        summarise_diff([a], [b])


def test_with_several_runs_a_side_the_run_is_the_unit() -> None:
    """Student's t over the runs: the textbook's pooled two-sample interval."""
    estimate, interval = pooled(figures(10.0, 10.4, 10.2), figures(11.0, 11.2, 11.4, 11.2))
    spread = (0.08 + 0.08) / 5
    half = 2.5706 * np.sqrt(spread * (1 / 3 + 1 / 4))
    assert estimate == pytest.approx(1.0)
    assert (interval.low, interval.high) == pytest.approx((1.0 - half, 1.0 + half), rel=1e-3)


def test_runs_that_agree_by_luck_do_not_make_the_interval_narrower_than_their_own() -> None:
    """Two runs with the same figure still have the uncertainty within each."""
    _, interval = pooled(figures(10.0, 10.0, half=0.5), figures(11.0, 11.0, half=0.5))
    assert interval.high - interval.low == pytest.approx(2 * 0.5)


def test_runs_that_differ_among_themselves_say_less_than_their_samples(make_run: MakeRun) -> None:
    """Each run resolves 0.2 ms, but the baseline runs lie 1 ms apart: no verdict."""
    a = [make_run(seed=i, sides=(Side("key", floor_ms=10.0 + i),), rate=300, duration_s=20) for i in (0, 1)]
    b = [make_run(seed=9, sides=(Side("key", floor_ms=10.8),), rate=300, duration_s=20)]
    found = summarise_diff(a, b)
    assert found["unit"] == "run"
    assert found["comparisons"][0]["response_time_ms"]["p50"]["verdict"] == "INCONCLUSIVE"


def test_too_few_samples_in_any_run_are_reported() -> None:
    """One short run is enough to leave a quantile open."""
    short = [(10.0, Interval(low=float("nan"), high=float("nan"), more_needed=500))]
    _, interval = pooled(figures(10.0, 10.1), short)
    assert interval.more_needed == 500


def test_runs_of_another_load_are_refused(make_run: MakeRun) -> None:
    """A different rate may be the whole difference; who asks for it all the same sees the difference named."""
    a, b = (make_run(sides=(Side("key"),), rate=rate, duration_s=5) for rate in (50.0, 100.0))
    assert summarise_diff([a], [a])["differences"] == []
    said = "arrival rate is not the same: 50.0 in the baseline, 100.0 in the candidate"
    with pytest.raises(UsageError, match=said):
        summarise_diff([a], [b])
    assert summarise_diff([a], [b], anyway=True)["differences"] == [said]
