"""Requests without an answer: what they leave open, and what is known all the same."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis import bootstrap, compare, own_intervals, trust
from bench.analysis.blocks import CELLS
from bench.analysis.fold import Fold, fold, fold_variant
from bench.analysis.quantiles import CURVE_Q
from bench.analysis.run import LoadedRun
from bench.analysis.summary import NO_CONCLUSION, summarise
from bench.analysis.verdicts import Verdict
from bench.gates.evaluate import evaluate, exit_code, trust_of
from bench.gates.expression import parse
from bench.gates.result import GateVerdict
from tests.analysis.synthetic import Side

MakeRun = Callable[..., LoadedRun]
DEADLINE_MS = 1_000.0
REQUESTS = st.lists(st.tuples(st.integers(0, 2**40), st.integers(0, CELLS - 1), st.booleans()), max_size=80)
Q = np.array([0.5, 0.9, 0.99])


def side(seed: int, *, unanswered: float = 0.0, early: bool = False, slower_ms: float = 0.0, n: int = 4_000) -> Fold:
    """50 ms + exponential 10 ms; a share of the requests runs into a deadline of 1 s, or is given up after 1 ms."""
    rng = np.random.default_rng(seed)
    values = 50 + slower_ms + rng.exponential(10.0, n)
    lost = rng.random(n) < unanswered
    values[lost] = 1.0 if early else DEADLINE_MS
    cell = (np.arange(n) * CELLS // n).astype(np.int16)
    return fold((values * 1e6).astype(np.int64), cell, CURVE_Q, censored=lost if lost.any() else None)


@given(REQUESTS)
def test_a_fold_with_requests_without_an_answer_equals_counting_by_hand(requests: list[tuple[int, int, bool]]) -> None:
    """By the time they ended, and as slower than any answer."""
    values = np.array([value for value, _, _ in requests], np.int64)
    cell = np.array([place for _, place, _ in requests], np.int16)
    lost = np.array([one for _, _, one in requests], bool)
    if not lost.any():
        return
    found = fold(values.copy(), cell, Q, censored=lost)
    assert found.answers is not None
    assert found.ordered_ns.tolist() == sorted(values.tolist())
    assert found.answers.ordered_ns.tolist() == sorted(values[~lost].tolist())
    assert found.answers.first_open_ns == values[lost].min()
    assert found.censored == lost.sum()
    assert found.count.tolist() == np.bincount(cell, minlength=CELLS).tolist()
    worst = np.sort(np.where(lost, math.inf, values.astype(float)))
    for column, q in enumerate(Q):
        rank = q * (len(worst) - 1)
        low, high = worst[math.floor(rank)], worst[math.ceil(rank)]
        known = rank == math.floor(rank) or math.isinf(low)  # between two without an answer there is nothing to take
        expected = low if known else low + (rank - math.floor(rank)) * (high - low)
        quantile_ns = found.quantile_ms(float(q)) * 1e6
        assert quantile_ns == pytest.approx(expected)
        assert found.least_ms(float(q)) * 1e6 == pytest.approx(np.quantile(values, q))
        slower = (
            np.bincount(cell[np.where(lost, math.inf, values) > quantile_ns], minlength=CELLS)
            if np.isfinite(quantile_ns)
            else 0
        )
        lost_cells = np.bincount(cell[lost], minlength=CELLS)
        assert (found.answers.above[:, column] >= lost_cells).all()
        if np.isfinite(quantile_ns) and quantile_ns in worst:
            assert np.array_equal(found.answers.above[:, column], np.broadcast_to(slower, CELLS))


def test_a_quantile_among_requests_without_an_answer_is_above_the_deadline() -> None:
    """2 % run into it: p95 is known, p99 is infinite, at least the deadline, and its interval has no upper end."""
    found = side(1, unanswered=0.02)
    assert found.quantile_ms(0.95) < 150
    assert own_intervals.own_interval(found, 0.95).high < 200
    assert math.isinf(found.quantile_ms(0.99))
    assert found.least_ms(0.99) == DEADLINE_MS
    interval = own_intervals.own_interval(found, 0.99)
    assert interval.low == DEADLINE_MS
    assert math.isinf(interval.high)
    assert math.isinf(found.mean_ms)
    assert math.isfinite(found.least_ms(None))
    mean = own_intervals.own_interval(found, None)
    assert mean.low < found.least_ms(None)
    assert math.isinf(mean.high)


def test_a_quantile_near_the_share_without_an_answer_has_an_interval_without_an_end() -> None:
    """0.9 % are lost: p99 is known in this run, and may well not be in the next."""
    rng = np.random.default_rng(3)
    values = (50 + rng.exponential(10.0, 4_000)) * 1e6
    lost = np.zeros(4_000, bool)
    lost[rng.permutation(4_000)[:36]] = True
    values[lost] = DEADLINE_MS * 1e6
    found = fold(values.astype(np.int64), (np.arange(4_000) * CELLS // 4_000).astype(np.int16), Q, censored=lost)
    interval = own_intervals.own_interval(found, 0.99)
    assert found.quantile_ms(0.99) < 200
    assert interval.low < found.quantile_ms(0.99)
    assert math.isinf(interval.high)


def test_one_given_up_early_moves_no_quantile_by_more_than_its_rank() -> None:
    """A 504 after 1 ms among 4,000 leaves p50 what it was: it may have been faster or slower than that, not both."""
    found, whole = side(1, unanswered=0.0005, early=True), side(1)
    assert found.censored in range(1, 9)
    assert found.quantile_ms(0.5) == pytest.approx(whole.quantile_ms(0.5), abs=0.1)
    assert found.least_ms(0.5) <= found.quantile_ms(0.5)
    assert own_intervals.own_interval(found, 0.5).high < 60


VERDICTS = [
    # share without an answer of baseline and candidate, verdict at p99 and p50, what is known of the difference at p99
    (0.02, 0.05, Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE, (None, None, None)),
    (0.0, 0.05, Verdict.WORSE, Verdict.INCONCLUSIVE, (None, 800.0, None)),
    (0.05, 0.0, Verdict.BETTER, Verdict.INCONCLUSIVE, (None, None, -800.0)),
]


@pytest.mark.parametrize(("ours", "theirs", "p99", "p50", "known"), VERDICTS)
@pytest.mark.parametrize("pairing", [bootstrap.paired, bootstrap.independent])
def test_a_difference_is_concluded_only_from_the_end_that_is_known(
    ours: float, theirs: float, p99: Verdict, p50: Verdict, known: tuple[Any, Any, Any], pairing: compare.Pairing
) -> None:
    """Both above the deadline: nothing. One above it: at least so much. Where answers decide: as ever."""
    found = compare.folds(
        side(1, unanswered=ours), side(2, unanswered=theirs), pairing=pairing, min_effect_ms=0.5, seed=1
    )
    assert (found["p99"].verdict, found["p50"].verdict in (p50, Verdict.EQUIVALENT)) == (p99, True)
    for end, expected in zip((found["p99"].estimate, found["p99"].low, found["p99"].high), known, strict=True):
        assert (end is None) == (expected is None)
        assert expected is None or abs(end or 0.0) > abs(expected)
    assert found["p50"].low is not None
    assert found["p50"].high is not None
    assert found["mean"].estimate is None


def timed_out(run: LoadedRun, above_ms: float) -> LoadedRun:
    """The same run with a deadline: what took longer got no answer."""
    samples = run.samples
    late = samples.done_ns - samples.intended_ns > above_ms * 1e6
    words = dict(samples.words)
    words["outcome"] = (*(one for one in words["outcome"] if one != "timed_out"), "timed_out")
    outcome = np.where(late, len(words["outcome"]) - 1, samples.outcome)
    done = np.minimum(samples.done_ns, samples.intended_ns + int(above_ms * 1e6))
    return dataclasses.replace(
        run, samples=dataclasses.replace(samples, outcome=outcome, done_ns=done, words=words), memo={}
    )


def test_the_summary_says_above_what_and_the_gates_follow(make_run: MakeRun) -> None:
    """3 % of the requests run into a deadline of 20 ms."""
    run = timed_out(make_run(sides=(Side("key"),), rate=200, duration_s=20), 20.0)
    summary = summarise(run)
    key = summary["variants"]["key"]
    assert key["censored_samples"] == key["outcomes"]["timed_out"] > 0
    assert key["latency_samples"] == key["requests"]
    assert key["response_time_ms"]["p99"] is None
    assert key["response_time_ms"]["mean"] is None
    assert key["response_time_ms"]["p50"] is not None
    assert key["response_time_ms_censored"]["p99"]["above"] == pytest.approx(20.0)
    assert set(key["response_time_ms_censored"]) == {"p99", "p99.9", "mean", "max"}
    assert key["response_time_ms_interval"]["p99"] == {"low": pytest.approx(20.0), "high": None, "open": True}
    assert key["schedule_lag_ms"]["p99"] is not None
    assert "schedule_lag_ms_censored" not in key
    verdicts = {
        text: evaluate([parse(text)], summary)[0].verdict
        for text in ("response_time.p99 < 15ms", "response_time.p99 < 21ms", "response_time.p50 < 21ms")
    }
    assert list(verdicts.values()) == [GateVerdict.FAIL, GateVerdict.NO_DATA, GateVerdict.PASS]


@pytest.mark.parametrize("failing", [{"timed_out": 1.0}, {"server_error": 1.0}])
def test_a_target_that_never_answers_well_makes_the_run_invalid(make_run: MakeRun, failing: dict[str, float]) -> None:
    """Whatever the deadline was, and whatever gates say of it: exit 4."""
    run = make_run(sides=(Side("key", outcomes=failing),), rate=100, duration_s=5)
    summary = summarise(run)
    results = evaluate([parse("response_time.p50 < 2s"), parse("achieved_rate >= 98%")], summary)
    assert summary["trust"]["verdict"] == "INVALID"
    assert "no request succeeded" in summary["trust"]["reasons"][0]
    assert GateVerdict.PASS not in {result.verdict for result in results}
    assert exit_code(results, trust_of(summary)) == 4


def test_one_variant_without_a_success_is_named_and_nothing_is_concluded(make_run: MakeRun) -> None:
    """The other one's figures stay; differences, their sentence and what they ask for go."""
    run = make_run(sides=(Side("key"), Side("aml_token", auth_failures={"refused": 1.0})), rate=200, duration_s=10)
    summary = summarise(run)
    assert "no request of aml_token succeeded" in summary["trust"]["reasons"][0]
    assert summary["variants"]["key"]["response_time_ms"]["p50"] is not None
    comparison = summary["comparison"]
    assert comparison["decomposition"]["sentence"] == NO_CONCLUSION
    for found in (*comparison["response_time_ms"].values(), comparison["error_rate"]):
        assert (found["verdict"], found["why"]) == ("INCONCLUSIVE", NO_CONCLUSION)
        assert "more_needed" not in found


def test_failures_that_are_no_time_out_are_left_out_of_latency(make_run: MakeRun) -> None:
    """A 503 or a refusal says nothing of how long an answer takes."""
    outcomes = {"throttled": 0.2, "server_error": 0.1, "transport_error": 0.1, "model_error": 0.05}
    run = make_run(sides=(Side("key", outcomes=outcomes),), rate=200, duration_s=10)
    folded = fold_variant(run, "response_time", "key")
    assert folded.n == run.samples.counts("outcome", run.rows("key"))["ok"]
    assert folded.answers is None


def test_every_outcome_has_a_clustered_interval(make_run: MakeRun) -> None:
    """Throttling comes in bursts, and is then known as little as bursts are."""
    run = make_run(sides=(Side("key", outcomes={"throttled": 0.02}),), rate=200, duration_s=20)
    samples = run.samples
    burst = np.flatnonzero(run.measured)[1_000:1_080]
    outcome = np.where(samples.where("outcome", "throttled"), samples.words["outcome"].index("ok"), samples.outcome)
    outcome[burst] = samples.words["outcome"].index("throttled")
    bursty = dataclasses.replace(run, samples=dataclasses.replace(samples, outcome=outcome), memo={})
    scattered, together = (summarise(one)["variants"]["key"]["outcome_rates"] for one in (run, bursty))
    for rates in (scattered, together):
        assert rates["throttled"]["low"] < 0.02 < rates["throttled"]["high"]
        assert rates["ok"]["low"] == pytest.approx(1 - rates["throttled"]["high"])
        assert (rates["server_error"]["rate"], rates["server_error"]["low"]) == (0, 0)
    assert together["throttled"]["high"] > 2 * scattered["throttled"]["high"]


def test_whose_lateness_it_was_is_in_the_trust(make_run: MakeRun) -> None:
    """A late client is named; users that a slow target kept busy are the target's doing."""
    late = trust.of(make_run(rate=200, duration_s=10, lag_ms=3.0))
    assert any(reason.client_late for reason in late.reasons)
    busy = trust.of(make_run(busy=True))
    assert busy.reasons
    assert not any(reason.client_late for reason in busy.reasons)


def test_within_a_deadline_counts_good_answers_of_all_requests(make_run: MakeRun) -> None:
    """Failures are not within it, however quick; nor is what got no answer."""
    run = make_run(sides=(Side("key", outcomes={"throttled": 0.1, "timed_out": 0.05}),), rate=200, duration_s=20)
    block = summarise(run, deadlines_ms=[13.0, 0.5, 1e6])["variants"]["key"]
    ok = run.rows("key") & run.samples.where("outcome", "ok")
    response = (run.samples.done_ns - run.samples.intended_ns)[ok]
    within = block["within"]
    assert set(within) == {"13", "0.5", "1000000"}
    assert within["13"]["requests"] == (response <= 13e6).sum()
    assert within["13"]["rate"] == pytest.approx(within["13"]["requests"] / block["requests"])
    assert within["13"]["low"] < within["13"]["rate"] < within["13"]["high"]
    assert within["0.5"]["requests"] == 0
    assert within["1000000"]["requests"] == block["outcomes"]["ok"]
