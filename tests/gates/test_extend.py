"""Going on until a gate is decided, and stopping when it is lost."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bench.gates.evaluate import evaluate
from bench.gates.expression import parse
from bench.gates.extend import DEFAULT_GRACE_S, hopeless, needs_more, sequence
from bench.gates.result import GateVerdict
from tests.gates.summaries import Summary, summary, variant


def more(text: str, measured: Summary) -> float:
    return needs_more(evaluate([parse(text)], measured), measured)


def lost(text: str, measured: Summary, measured_s: float = 60.0) -> bool:
    return bool(hopeless([parse(text)], measured, measured_s=measured_s))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("response_time.p99 < 110ms", 0.0),
        ("response_time.p99 < 50ms", 0.0),
        ("response_time.p99 < 98ms", 2006),
        ("response_time.p99 < 94ms", 136.15),
        ("response_time.p99 < 102ms", 2006),
        ("response_time.p99 < 107ms", 73.5),
        ("response_time.p99 > 110ms", 0.0),
        ("error_rate <= 1%", 0.0),
        ("response_time.p99 < 100ms", math.inf),
        ("server_time.p99 < 1ms", 0.0),
    ],
)
def test_what_is_missing_is_given_in_seconds_of_load(text: str, seconds: float) -> None:
    """Until 1.84 times the interval clears the threshold, to whichever side; 0 where it does or load would not help."""
    assert more(text, summary()) == pytest.approx(seconds, rel=0.01)


def test_the_slowest_gate_decides_how_long_to_go_on() -> None:
    """Each undecided gate is given the time its own variant needs."""
    run = summary(key=variant(p99=104.0), aml_token=variant(p99=104.0, throughput=10.0))
    gates = [parse("response_time.p99{variant=key} < 101ms"), parse("response_time.p99{variant=aml_token} < 101ms")]
    quick, slow = (needs_more(evaluate([gate], run), run) for gate in gates)
    assert slow == pytest.approx(10 * quick)
    assert quick > 0
    assert needs_more(evaluate(gates, run), run) == slow


def test_too_few_requests_for_a_quantile_are_waited_for() -> None:
    """A gate without data because the run is short is worth going on for."""
    assert more("response_time.p99 < 1s", summary(key=variant(requests=60, within=None, more_needed=940))) == 9.4


def test_a_lost_or_invalid_run_is_not_made_longer() -> None:
    """One FAIL settles the whole run, and more of what cannot be believed is no better."""
    assert more("response_time.p99 < 98ms", summary(trust="INVALID")) == 0.0
    run = summary(key=variant(outcomes={"auth_failure": 1}))
    gates = [parse("auth_failure_rate == 0"), parse("response_time.p99 < 98ms")]
    assert needs_more(evaluate(gates[1:], run), run) > 0.0
    assert needs_more(evaluate(gates, run), run) == 0.0


LOST = [
    # p99 100 ms [95, 105]; of 10,000 requests 20 refused; 3 refreshes, 1 failed; half of the rate
    ("response_time.p99 < 89ms", True),
    ("response_time.p99 < 92ms", False),
    ("response_time.p99 > 111ms", True),
    ("response_time.max < 899ms", True),
    ("response_time.max > 2s", False),
    ("auth_failure_rate == 0", True),
    ("auth_failure_rate <= 0.03%", True),
    ("auth_failure_rate <= 0.11%", False),
    ("refresh_failures == 0", True),
    ("refreshes <= 2", True),
    ("refreshes == 4", False),
    ("refreshes >= 4", False),
    ("requests >= 20000", False),
    ("achieved_rate >= 98%", False),
    ("throughput >= 150/s", False),
    ("response_time.p99 < 110ms", False),
    ("server_time.p99 < 1ms", False),
]


@pytest.mark.parametrize(("text", "expected"), LOST)
def test_a_run_is_hopeless_when_no_ending_could_save_it(text: str, expected: bool) -> None:
    """What only grows and is too large, and estimates beyond by twice their interval; nothing that can recover."""
    key = variant(outcomes={"auth_failure": 20}, refreshes=(3, 1))
    assert lost(text, summary(key=key, achieved=100.0)) is expected


def test_nothing_is_hopeless_within_the_grace_time() -> None:
    """A cold start may look lost for a moment."""
    run = summary()
    assert not lost("response_time.p99 < 10ms", run, measured_s=DEFAULT_GRACE_S - 0.1)
    assert lost("response_time.p99 < 10ms", run, measured_s=DEFAULT_GRACE_S)


def test_a_run_that_has_not_ended_can_be_hopeless() -> None:
    """Its summary is INVALID, for it is not complete; that must not keep a lost run going."""
    assert lost("response_time.p99 < 10ms", summary(trust="INVALID"))


def test_a_lost_gate_is_waited_for_until_it_is_lost_for_good() -> None:
    """One look among many that fails it by a hair is luck; a count beyond its limit is none."""
    hair = more("response_time.p99 < 94ms", summary())
    assert hair > 0
    assert more("auth_failure_rate == 0", summary(key=variant(outcomes={"auth_failure": 1}))) == 0


def test_what_the_client_made_is_not_waited_for_and_ends_nothing() -> None:
    """More load on a slow machine decides nothing, and its lateness must not abort a run as the target's failure."""
    run = summary(trust="SUSPECT")
    run["trust"]["client_late"] = ["the client used 97% of its core"]
    assert more("response_time.p99 < 50ms", run) == 0
    assert not lost("response_time.p99 < 50ms", run)
    assert lost("response_time.p99 < 50ms", summary())


def test_what_hangs_together_for_long_ends_no_run() -> None:
    """The grace time is twenty times what hangs together: until then there is no interval to lose by."""
    made = variant()
    made["response_time_ms_interval"]["p99"] = {
        "low": None,
        "high": None,
        "more_needed": 30_000,
        "hangs_together_s": 5.0,
    }
    run = summary(key=made)
    assert not lost("response_time.p99 < 50ms", run)
    assert more("response_time.p99 < 50ms", run) == 300


def test_what_hangs_together_for_long_is_not_decided_before_its_time() -> None:
    """However clearly the figure lies beyond or within: after thirty-four times as long, and not of luck at once."""
    made = variant()
    made["response_time_ms_interval"]["p99"]["hangs_together_s"] = 10.0
    for limit in (50, 150):
        assert more(f"response_time.p99 < {limit}ms", summary(key=made)) == pytest.approx(343 - 100, abs=1)


def test_what_hangs_together_for_too_long_is_not_given_up() -> None:
    """However clearly it lies beyond: its interval is a guess until the run is long enough. A count is none."""
    made = variant(outcomes={"auth_failure": 1})
    assert lost("response_time.p99 < 10ms", summary(key=made))
    made["response_time_ms_interval"]["p99"]["hangs_together_s"] = 5.0
    assert not lost("response_time.p99 < 10ms", summary(key=made))
    assert lost("response_time.max < 10ms", summary(key=made))
    assert lost("auth_failure_rate == 0", summary(key=made))


ON_THE_THRESHOLD = parse("response_time.p99 < 100ms")


def chance_of_a_verdict(seed: int) -> tuple[bool, bool]:
    """Whether one run whose figure lies on its threshold fails between one minute and five, before its end or at it.

    A second is one independent value; the interval is Student's, from ten blocks.
    """
    values = np.random.default_rng(seed).standard_normal(300)
    failed = False
    for second in range(60, 301, 10):
        blocks = values[:second].reshape(10, -1).mean(axis=1)
        p99, half = 100 + float(blocks.mean()), 2.262 * float(blocks.std(ddof=1)) / np.sqrt(10)
        key = {
            "requests": 100 * second,
            "latency_samples": 100 * second,
            "throughput": 100.0,
            "response_time_ms": {"p99": p99},
            "response_time_ms_interval": {"p99": {"low": p99 - half, "high": p99 + half}},
        }
        run = {"trust": {"verdict": "TRUSTED"}, "variants": {"key": key}}
        results = evaluate([ON_THE_THRESHOLD], run)
        failed = results[0].verdict is GateVerdict.FAIL
        if needs_more(results, run, grown=second / 60) == 0:
            return True, failed
    return False, failed


def test_looking_again_and_again_keeps_the_five_percent() -> None:
    """400 extended runs of a target on its threshold: few end before their time, and few fail at the end or before."""
    ends = [chance_of_a_verdict(seed) for seed in range(400)]
    assert sum(early for early, _ in ends) / 400 < 0.03
    assert sum(failed for _, failed in ends) / 400 < 0.045


def test_a_confidence_sequence_is_wider_than_one_look_and_grows_slowly() -> None:
    """Nearly twice at the first look, and not much more after five times as long, nor without end."""
    widths = [sequence(grown) for grown in (0.5, 1.0, 5.0, 100.0)]
    assert widths == pytest.approx([1.84, 1.84, 1.96, 2.44], abs=0.01)
