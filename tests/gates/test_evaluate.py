"""Verdicts: what passes, what fails, and what nobody can say yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.gates.evaluate import evaluate, exit_code, trust_of
from bench.gates.expression import parse
from bench.gates.result import GateResult, GateVerdict
from tests.gates.summaries import Summary, summary, variant

PASS, FAIL, INCONCLUSIVE, NO_DATA = GateVerdict


@dataclass(frozen=True)
class Accepted:
    """A baseline as `evaluate` wants it."""

    summary: Summary
    name: str = "main"

    def elsewhere(self, machine: Mapping[str, Any]) -> str:
        """It is of any machine."""
        return ""


def judged(text: str, measured: Summary, baseline: Summary | None = None) -> GateResult:
    return evaluate([parse(text)], measured, Accepted(baseline) if baseline else None)[0]


TIMES = [
    # p99 is 100 ms, and the interval [95, 105]
    ("response_time.p99 < 110ms", PASS, "which meets < 110 ms"),
    ("response_time.p99 < 102ms", PASS, "though its interval reaches beyond"),
    ("response_time.p99 <= 100ms", PASS, "though its interval reaches beyond"),
    ("response_time.p99 < 100ms", INCONCLUSIVE, "it lies on the threshold"),
    ("response_time.p99 < 98ms", INCONCLUSIVE, "about 53,000 more requests needed"),
    ("response_time.p99 <= 95ms", INCONCLUSIVE, "1 more requests needed"),
    ("response_time.p99 < 95ms", FAIL, "with its whole interval"),
    (
        "response_time.p99 < 50ms",
        FAIL,
        "is 100 ms [95, 105] ms, which breaks < 50 ms with its whole interval",
    ),
    ("response_time.p99 > 90ms", PASS, "meets"),
    ("response_time.p99 > 103ms", INCONCLUSIVE, "about 18,000 more requests needed"),
    ("response_time.p99 >= 110ms", FAIL, "with its whole interval"),
    ("response_time.max < 1s", PASS, "is 900 ms, which meets < 1,000 ms"),
    ("response_time.max < 899ms", FAIL, "is 900 ms, which breaks < 899 ms"),
    ("server_time.p99 < 50ms", NO_DATA, "no request measured it"),
]


@pytest.mark.parametrize(("text", "verdict", "said"), TIMES)
def test_the_interval_decides_about_a_time(text: str, verdict: GateVerdict, said: str) -> None:
    """FAIL only with the whole interval beyond; beyond but straddling is INCONCLUSIVE; within is PASS."""
    result = judged(text, summary())
    assert result.verdict is verdict
    assert said in result.sentence


COUNTED = [
    # 10,000 requests: 7 model errors, 3 auth failures; 5 refreshes, 1 failed; 99 % of the rate
    ("error_rate <= 0.1%", PASS),
    ("error_rate < 0.1%", INCONCLUSIVE),
    ("error_rate <= 0.06%", INCONCLUSIVE),
    ("error_rate <= 0.04%", FAIL),
    ("error_rate == 0", FAIL),
    ("throttled_rate == 0", PASS),
    ("auth_failure_rate == 0", FAIL),
    ("auth_failure_rate <= 0.1%", PASS),
    ("model_error_rate <= 0.02%", FAIL),
    ("ok_rate >= 99.9%", PASS),
    ("ok_rate == 100%", FAIL),
    ("requests >= 10000", PASS),
    ("requests > 10000", FAIL),
    ("errors <= 10", PASS),
    ("errors == 9", FAIL),
    ("auth_failures < 3", FAIL),
    ("refreshes == 5", PASS),
    ("refresh_failures == 0", FAIL),
    ("refresh_failures <= 1", PASS),
    ("dropped_arrivals == 0", PASS),
    ("achieved_rate >= 99%", PASS),
    ("achieved_rate >= 99.5%", FAIL),
]


@pytest.mark.parametrize(("text", "verdict"), COUNTED)
def test_what_is_counted_is_compared_as_it_is(text: str, verdict: GateVerdict) -> None:
    """Counts have no interval, shares have the summary's, and `== 0` looks at the count."""
    key = variant(outcomes={"model_error": 7, "auth_failure": 3}, refreshes=(5, 1))
    result = judged(text, summary(key=key, achieved=198.0))
    assert result.verdict is verdict
    assert "==" not in text or "interval" not in result.sentence


def test_the_worst_variant_decides() -> None:
    """Without {variant=} a gate must hold for each, and the result names the one that did worst."""
    run = summary(key=variant(p99=80.0), aml_token=variant(p99=130.0), aad_token=variant(p99=106.0))
    everyone = judged("response_time.p99 < 104ms", run)
    assert (everyone.verdict, everyone.variant, everyone.measured) == (FAIL, "aml_token", 130.0)
    assert judged("response_time.p99{variant=key} < 104ms", run).verdict is PASS
    assert judged("response_time.p99{variant=aad_token} < 104ms", run).verdict is INCONCLUSIVE
    assert judged("response_time.p99 < 200ms", run).variant == "aml_token"


def test_a_variant_without_requests_is_not_covered_by_the_others() -> None:
    """One side that never sent anything leaves the gate without data, however good the other looks."""
    run = summary(key=variant(), aml_token=variant(requests=0, p99=None))
    assert judged("response_time.p99 < 1s", run).verdict is NO_DATA
    assert judged("error_rate <= 1%", run).verdict is NO_DATA


NO_DATA_AT_ALL = [
    "response_time.p99 < 1s",
    "error_rate == 0",
    "ok_rate >= 1%",
    "refresh_failures == 0",
    "requests >= 0",
    "throughput >= 0",
    "overhead.p99 < 1s",
    "achieved_rate >= 0%",
    "dropped_arrivals == 0",
    "response_time.p99 <= baseline + 1000%",
]


@pytest.mark.parametrize("text", NO_DATA_AT_ALL)
@pytest.mark.parametrize("empty", [{}, {"variants": {}, "trust": {}}, summary(key=variant(requests=0, p99=None))])
def test_no_data_never_passes(text: str, empty: Summary) -> None:
    """Not even a gate that any number would meet; k6 lets such a threshold pass."""
    if empty.get("trust") and ("achieved" in text or "dropped" in text):
        empty = {**empty, "trust": {}}
    result = judged(text, empty, summary())
    assert result.verdict is NO_DATA
    assert exit_code([result], "TRUSTED") == 11


def test_too_few_requests_for_a_quantile_are_no_data_with_the_number_missing() -> None:
    """The p99 of 60 requests is not judged, on whichever side of the threshold it lies."""
    run = summary(key=variant(requests=60, within=None, more_needed=940))
    for text in ("response_time.p99 < 1s", "response_time.p99 < 1ms"):
        result = judged(text, run)
        assert (result.verdict, result.needed_requests) == (NO_DATA, 940)
        assert "60 requests, too few to judge it; about 940 more requests needed" in result.sentence


def test_an_invalid_run_passes_nothing_and_fails_nothing() -> None:
    """Its figures are shown and not believed, and the exit code is the run's, not the gate's."""
    for text in ("response_time.p99 < 1s", "response_time.p99 < 1ms", "auth_failure_rate == 0"):
        result = judged(text, summary(trust="INVALID"))
        assert result.verdict is INCONCLUSIVE
        assert "the run is INVALID: the client was the bottleneck" in result.sentence
        assert exit_code([result], "INVALID") == 4


AGAINST_MAIN = [
    # main has p99 100 ms [95, 105]; so have the runs, around their own p99
    (104.0, 5.0, "response_time.p99 <= baseline + 10%", PASS, 110.0),
    (114.0, 5.0, "response_time.p99 <= baseline + 10%", INCONCLUSIVE, 110.0),
    (117.0, 5.0, "response_time.p99 <= baseline + 10%", INCONCLUSIVE, 110.0),
    (118.0, 5.0, "response_time.p99 <= baseline + 10%", FAIL, 110.0),
    (104.0, 5.0, "response_time.p99 <= baseline + 2ms", INCONCLUSIVE, 102.0),
    (104.0, 0.1, "response_time.p99 <= baseline", INCONCLUSIVE, 100.0),
    (80.0, 5.0, "response_time.p99 <= baseline - 10%", PASS, 90.0),
    (99.0, 5.0, "response_time.p99 <= baseline - 10%", INCONCLUSIVE, 90.0),
    (150.0, 5.0, "response_time.p99 <= baseline", INCONCLUSIVE, 100.0),
]


@pytest.mark.parametrize(("p99", "within", "text", "verdict", "threshold"), AGAINST_MAIN)
def test_a_baseline_is_as_unsure_as_a_run(
    p99: float, within: float, text: str, verdict: GateVerdict, threshold: float
) -> None:
    """The interval held against the threshold is that of the difference: sqrt(5^2 + 5.5^2) ms, not 5."""
    result = judged(text, summary(key=variant(p99=p99, within=within)), summary())
    assert (result.verdict, result.threshold) == (verdict, pytest.approx(threshold))
    assert "where main has 100 ms" in result.sentence


def test_more_requests_are_asked_for_only_where_they_help() -> None:
    """The run's share of the uncertainty shrinks, the baseline's does not."""
    helped = judged("response_time.p99 <= baseline + 2ms", summary(key=variant(p99=108.0)), summary())
    assert helped.needed_requests == 13_000
    stuck = judged("response_time.p99 <= baseline + 2ms", summary(key=variant(p99=104.0)), summary())
    assert stuck.needed_requests is None
    assert "main itself is too uncertain: save a longer run as baseline" in stuck.sentence


def test_a_baseline_that_lacks_the_variant_is_no_data() -> None:
    """Nothing is compared with nothing."""
    result = judged("response_time.p99 <= baseline + 10%", summary(aad_token=variant()), summary())
    assert result.verdict is NO_DATA
    assert "has no data in baseline main" in result.sentence


def test_rates_and_counts_compare_with_a_baseline_too() -> None:
    """On a rate `+ 0.1%` is a tenth of a percentage point; a count is compared as it is."""
    before = summary(key=variant(outcomes={"throttled": 10}, refreshes=(4, 0)))
    after = summary(key=variant(outcomes={"throttled": 19}, refreshes=(5, 0)))
    rate = judged("throttled_rate <= baseline + 0.1%", after, before)
    assert (rate.verdict, rate.threshold) == (PASS, pytest.approx(0.002))
    assert judged("refreshes <= baseline", after, before).verdict is FAIL
    assert judged("refreshes <= baseline + 1", after, before).verdict is PASS


@pytest.mark.parametrize(("limit", "verdict"), [("5ms", PASS), ("3.5ms", INCONCLUSIVE), ("2ms", FAIL)])
def test_overhead_is_the_difference_of_the_two_variants(limit: str, verdict: GateVerdict) -> None:
    """overhead.p99 is candidate less baseline at p99, with the interval of the comparison."""
    run = summary(key=variant(), aml_token=variant(), overhead=(4.0, 1.0))
    assert judged(f"overhead.p99 < {limit}", run).verdict is verdict


CODES = [
    ((), "TRUSTED", 0),
    ((PASS, PASS), "TRUSTED", 0),
    ((PASS,), "SUSPECT", 0),
    ((PASS, INCONCLUSIVE), "TRUSTED", 11),
    ((PASS, NO_DATA), "TRUSTED", 11),
    ((NO_DATA, FAIL, INCONCLUSIVE), "TRUSTED", 10),
    ((PASS,), "INVALID", 4),
    ((FAIL,), "INVALID", 4),
    ((), "INVALID", 4),
]


@pytest.mark.parametrize(("verdicts", "trust", "code"), CODES)
def test_the_exit_code_is_that_of_the_worst(verdicts: tuple[GateVerdict, ...], trust: str, code: int) -> None:
    """4 an INVALID run, 10 a failed gate, 11 an undecided one, 0 only when each passed."""
    gate = parse("error_rate <= 1%")
    results = [GateResult(gate=gate, verdict=verdict, sentence="") for verdict in verdicts]
    assert exit_code(results, trust) == code


@given(
    p99=st.floats(1, 1000),
    within=st.floats(0.001, 500),
    limit=st.integers(1, 1000),
    sign=st.sampled_from(["<", "<=", ">", ">="]),
)
def test_a_verdict_never_contradicts_its_numbers(p99: float, within: float, limit: int, sign: str) -> None:
    """PASS means the figure meets the threshold; FAIL means that no value of the interval does."""
    result = judged(f"response_time.p99 {sign} {limit}ms", summary(key=variant(p99=p99, within=within)))
    holds = result.gate.comparison.holds
    assert result.interval is not None
    assert (result.verdict is PASS) == holds(p99, limit)
    assert (result.verdict is FAIL) == (not any(holds(x, limit) for x in (p99, *result.interval)))
    assert (result.needed_requests is not None) <= (result.verdict is INCONCLUSIVE)


def test_failures_that_come_in_bursts_count_as_fewer_witnesses() -> None:
    """Where the summary says how failures cluster its interval is used: 30 in one outage prove less than 30 alone."""
    alone = variant(outcomes={"auth_failure": 30})
    burst = variant(outcomes={"auth_failure": 30})
    burst["error_rate_interval"] = {"low": 0.0005, "high": 0.02}
    burst["outcome_rates"]["auth_failure"] = {"low": 0.0005, "high": 0.02}
    burst["outcome_rates"]["ok"] = {"low": 0.98, "high": 0.9995}
    for text in ("error_rate <= 0.1%", "auth_failure_rate <= 0.1%", "ok_rate >= 99.9%"):
        assert judged(text, summary(key=alone)).verdict is FAIL
        assert judged(text, summary(key=burst)).verdict is INCONCLUSIVE
    ok = judged("ok_rate >= 99.9%", summary(key=burst))
    assert ok.interval == pytest.approx((0.98, 0.9995))


def test_overhead_of_several_candidates_is_that_of_the_worst() -> None:
    """Three variants make two comparisons; the gate holds for both."""
    run = summary(key=variant(), aml_token=variant(), aad_token=variant(), overhead=(4.0, 1.0))
    worse = {**run["comparison"], "candidate": "aad_token"}
    worse["response_time_ms"] = {"p99": {"estimate": 9.0, "low": 8.0, "high": 10.0}}
    run["comparisons"] = [run["comparison"], worse]
    result = judged("overhead.p99 < 6ms", run)
    assert (result.verdict, result.variant, result.measured) == (FAIL, "aad_token", 9.0)


def lopsided(p99: float, below: float, above: float) -> dict[str, object]:
    """A variant whose interval reaches further on one side, as those of tails do."""
    made = variant(p99=p99)
    made["response_time_ms_interval"]["p99"] = {"low": p99 - below, "high": p99 + above}
    return made


@pytest.mark.parametrize(
    ("text", "interval", "needed"),
    [
        # down from 120 ms by sqrt(4^2 + 3^2), as far as the baseline reaches up; up by sqrt(12^2 + 5^2)
        ("response_time.p99 <= baseline + 16ms", (115.0, 133.0), 13_000),
        ("response_time.p99 >= baseline + 32ms", (115.0, 133.0), None),  # one run cannot tell, however long
    ],
)
def test_each_limit_meets_the_opposite_one_of_the_baseline(
    text: str, interval: tuple[float, float], needed: int | None
) -> None:
    """The run may be lower and the baseline higher, or the other way round; the side of the threshold counts."""
    main = summary(key=lopsided(100.0, below=5.0, above=3.0))
    result = judged(text, summary(key=lopsided(120.0, below=4.0, above=12.0)), main)
    assert result.interval == pytest.approx(interval)
    assert (result.verdict, result.needed_requests) == (INCONCLUSIVE, needed)


def test_a_summary_without_a_trust_verdict_is_not_believed() -> None:
    """An old or cut-off file passes nothing."""
    run = summary()
    del run["trust"]
    result = judged("response_time.p99 < 1s", run)
    assert result.verdict is INCONCLUSIVE
    assert exit_code([result], trust_of(run)) == 4


def test_overhead_is_waited_for_by_the_side_with_fewer_requests() -> None:
    """More of the side that has plenty would not narrow a difference."""
    run = summary(key=variant(requests=90_000), aml_token=variant(requests=10_000), overhead=(4.0, 2.0))
    assert judged("overhead.p99 < 3ms", run).needed_requests == 30_000


def without_an_answer(*, above: float, low: float) -> Summary:
    """A variant whose p99 lies among requests that got no answer."""
    made = variant(p99=None)
    made["response_time_ms"]["max"] = None
    made["response_time_ms_censored"] = {"p99": {"above": above}, "max": {"above": above}}
    made["response_time_ms_interval"]["p99"] = {"low": low, "high": None, "open": True}
    return summary(key=made)


FROM_BELOW = [
    # above 1,001 ms, and the lower end of its interval is 990 ms
    ("response_time.p99 < 500ms", FAIL, "is > 1,001 ms (requests there got no answer in time), which breaks < 500 ms"),
    ("response_time.p99 < 995ms", INCONCLUSIVE, "its interval straddles that"),
    ("response_time.p99 < 2s", NO_DATA, "whether it meets < 2,000 ms is not known"),
    ("response_time.p99 < 10001s", NO_DATA, "raise --timeout"),
    ("response_time.max < 1s", FAIL, "breaks"),
    ("response_time.max < 2s", NO_DATA, "not known"),
    ("response_time.p99 > 900ms", PASS, "meets > 900 ms"),
    ("response_time.p99 > 2s", NO_DATA, "not known"),
    ("response_time.p99 <= baseline + 10%", FAIL, "with its whole interval"),
    ("response_time.p99 <= baseline", INCONCLUSIVE, "straddles"),
    ("response_time.p99 <= baseline + 2000%", NO_DATA, "not known"),
]


@pytest.mark.parametrize(("text", "verdict", "said"), FROM_BELOW)
def test_a_time_among_requests_without_an_answer_never_passes_a_limit(
    text: str, verdict: GateVerdict, said: str
) -> None:
    """It fails when the least it can be is beyond, and is without data otherwise."""
    result = judged(text, without_an_answer(above=1001.0, low=990.0), summary())
    assert result.verdict is verdict
    assert said in result.sentence
    assert (result.measured, result.shown) == (None, "> 1,001 ms")
    assert exit_code([result], "TRUSTED") == {FAIL: 10, PASS: 0}.get(verdict, 11)


def test_a_figure_whose_upper_end_is_not_known_says_so() -> None:
    """It is known itself, and so passes; the sentence shows how little that means."""
    made = variant()
    made["response_time_ms_interval"]["p99"] = {"low": 95.0, "high": None, "open": True}
    result = judged("response_time.p99 < 110ms", summary(key=made))
    assert result.verdict is PASS
    assert "[95, no limit] ms" in result.sentence
    assert "though its interval reaches beyond" in result.sentence
    assert judged("response_time.p99 > 110ms", summary(key=made)).verdict is INCONCLUSIVE


@pytest.mark.parametrize(
    ("why", "said"),
    [
        ({"hangs_together_s": 12.3, "more_needed": 9_000}, "the run is too short: it hangs together for 12 s"),
        ({"episodes": 2, "more_needed": 9_000}, "it rests on 2 episodes"),
    ],
)
def test_a_figure_that_rests_on_too_little_fails_nothing(why: dict[str, float], said: str) -> None:
    """Beyond the threshold it is undecided and asks for more; within it passes, as it would with an interval."""
    made = variant()
    made["response_time_ms_interval"]["p99"] = {"low": None, "high": None, **why}
    beyond = judged("response_time.p99 < 10ms", summary(key=made))
    assert (beyond.verdict, beyond.needed_requests) == (INCONCLUSIVE, 9_000)
    assert f"but {said}; about 9,000 more requests needed" in beyond.sentence
    within = judged("response_time.p99 < 110ms", summary(key=made))
    assert within.verdict is PASS
    assert f"though {said}" in within.sentence


def test_few_episodes_are_named_with_the_interval() -> None:
    """Enough to judge by, and few enough to be named."""
    made = variant()
    made["response_time_ms_interval"]["p99"] |= {"episodes": 5}
    result = judged("response_time.p99 < 90ms", summary(key=made))
    assert result.verdict is FAIL
    assert "100 ms [95, 105] ms (it rests on 5 episodes)" in result.sentence


LATE_CLIENT = [
    ("response_time.p99 < 92ms", INCONCLUSIVE),
    ("response_time.p99 < 50ms", FAIL),  # its service time, 85 ms or more, fails it without any lateness
    ("response_time.p99 < 98ms", INCONCLUSIVE),
    ("response_time.max < 1ms", INCONCLUSIVE),
    ("response_time.p99 > 10ms", INCONCLUSIVE),
    ("response_time.p99 < 110ms", PASS),
    ("response_time.p99 < 1s", PASS),
    ("service_time.p99 < 50ms", FAIL),
    ("error_rate <= 0.01%", FAIL),
    ("overhead.p99 < 1ms", INCONCLUSIVE),
    ("server_time.p99 < 50ms", NO_DATA),
]


@pytest.mark.parametrize(("text", "verdict"), LATE_CLIENT)
def test_what_the_client_itself_was_late_for_fails_no_gate(text: str, verdict: GateVerdict) -> None:
    """A response time counts from when a request was due, so a slow runner is in it; service time is judged."""
    key = variant(outcomes={"throttled": 90})
    key |= {"service_time_ms": {"p99": 90.0}, "service_time_ms_interval": {"p99": {"low": 85.0, "high": 95.0}}}
    run = summary(trust="SUSPECT", key=key, aml_token=key, overhead=(4.0, 1.0))
    run["trust"]["client_late"] = ["requests began 3.4 ms late at p99 (limit 2 ms)"]
    result = judged(text, run)
    assert result.verdict is verdict
    assert exit_code([result], "SUSPECT") == {PASS: 0, FAIL: 10}.get(verdict, 11)
    if verdict is INCONCLUSIVE:
        assert "the client itself was late: requests began 3.4 ms late at p99" in result.sentence


@dataclass(frozen=True)
class SeveralRuns(Accepted):
    """A baseline of several runs, as `evaluate` wants it."""

    summaries: tuple[Summary, ...] = ()


@pytest.mark.parametrize(
    ("text", "p99", "verdict"),
    [
        # 98, 100 and 102 ms: the next run of the same lies within 4.303 * 2 * sqrt(4/3) = 9.9 ms of 100
        ("response_time.p99 <= baseline", 105.0, INCONCLUSIVE),
        ("response_time.p99 <= baseline", 109.0, INCONCLUSIVE),
        ("response_time.p99 <= baseline", 111.0, FAIL),
        ("response_time.p99 <= baseline + 10%", 119.0, INCONCLUSIVE),
        ("response_time.p99 <= baseline + 10%", 121.0, FAIL),
        ("response_time.p99 <= baseline", 99.0, PASS),
    ],
)
def test_a_baseline_of_several_runs_knows_how_much_runs_differ(text: str, p99: float, verdict: GateVerdict) -> None:
    """A run fails when it lies beyond where the next run of the same thing would, and not before."""
    runs = tuple(summary(key=variant(p99=value, within=0.5)) for value in (98.0, 100.0, 102.0))
    main = SeveralRuns(runs[0], summaries=runs)
    (result,) = evaluate([parse(text)], summary(key=variant(p99=p99, within=0.5)), main)
    assert result.verdict is verdict
    assert "where 3 runs of main have 100 ms" in result.sentence


def test_one_run_against_one_fails_only_a_gate_that_leaves_room() -> None:
    """How much runs of one thing differ is not known from one; the room of `+ 10%` stands for it."""
    result = judged("response_time.p99 <= baseline", summary(key=variant(p99=150.0)), summary())
    assert result.verdict is INCONCLUSIVE
    assert "save three runs or more as main" in result.sentence
    assert judged("response_time.p99 <= baseline + 10%", summary(key=variant(p99=150.0)), summary()).verdict is FAIL


WITHIN = [
    ("within(250ms) >= 98%", PASS),
    ("within(250ms) >= 99%", INCONCLUSIVE),
    ("within(250ms) >= 99.9%", FAIL),
    ("within(0.25s) >= 99.9%", FAIL),
    ("within(100ms) >= 1%", NO_DATA),
]


@pytest.mark.parametrize(("text", "verdict"), WITHIN)
def test_the_share_within_a_deadline_is_judged_by_its_interval(text: str, verdict: GateVerdict) -> None:
    """98.9 % of 10,000 requests, [98.5, 99.2] %; another deadline was not counted."""
    key = variant() | {"within": {"250": {"requests": 9_890, "rate": 0.989, "low": 0.985, "high": 0.992}}}
    result = judged(text, summary(key=key))
    assert result.verdict is verdict
    assert result.sentence.startswith(text.split()[0] + " of key")


def test_a_late_client_spoils_a_share_within_a_deadline_only_downwards() -> None:
    """What was answered in time in spite of it was answered in time."""
    key = variant() | {"within": {"250": {"requests": 9_890, "rate": 0.989, "low": 0.985, "high": 0.992}}}
    run = summary(trust="SUSPECT", key=key)
    run["trust"]["client_late"] = ["the client used 97% of its core"]
    assert judged("within(250ms) >= 98%", run).verdict is PASS
    assert judged("within(250ms) >= 99.9%", run).verdict is INCONCLUSIVE
