"""What makes a run SUSPECT or INVALID, and what it says about itself."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import Any

import pytest

from bench.analysis import trust
from bench.analysis.run import LoadedRun
from bench.analysis.trust import TrustVerdict
from bench.plan.run_plan import parse_stages
from tests.analysis.synthetic import Side

MakeRun = Callable[..., LoadedRun]
TRUSTED, SUSPECT, INVALID = TrustVerdict.TRUSTED, TrustVerdict.SUSPECT, TrustVerdict.INVALID
BROKEN = (Side("key", outcomes={"transport_error": 0.05}),)
REFUSED = (Side("key", auth_failures={"forbidden": 1.0}),)
NO_DESCRIPTORS = (Side("key", client_limits={"no_descriptors": 0.3}),)
NO_PORTS = (Side("key", client_limits={"no_ports": 0.002}),)
MANY_STALLS = tuple((3.0 + i / 4, 60.0) for i in range(60))


def test_a_run_without_fault_is_trusted(two_sides: LoadedRun) -> None:
    """No reason, and the evidence that speaks for it."""
    found = trust.of(two_sides)
    assert (found.verdict, found.reasons) == (TRUSTED, ())
    assert found.evidence.asked_rate == found.evidence.achieved_rate == 400
    assert 0 < found.evidence.lag_ms["p50"] < found.evidence.lag_ms["p99"] < found.evidence.lag_ms["max"] < 1
    assert found.evidence.overhead_ms["p99"] == 0.05


@pytest.mark.parametrize(
    ("options", "verdict", "said"),
    [
        ({"lag_ms": 1.0}, SUSPECT, r"requests began \d\.\d+ ms late at p99 \(limit 2 ms\)"),
        ({"lag_ms": 20.0}, INVALID, "the client was the bottleneck"),
        ({"cpu": 0.9}, SUSPECT, r"used 90% of its core .*about 167/s would hold"),
        ({"cpu": 0.99}, INVALID, r"used 99% of its core .*about 152/s would hold"),
        ({"cpu": 0.99, "closed": True}, SUSPECT, "latency includes waiting for the client itself"),
        ({"dropped": 1}, SUSPECT, r"1 arrivals were dropped \(limit 0"),
        ({"unwritten": 100}, INVALID, "100 samples were not written"),
        ({"stalls": ((8.0, 80.0),)}, SUSPECT, r"stood still for 80 ms at once \(limit 50 ms\)"),
        ({"stalls": MANY_STALLS}, INVALID, r"stood still for \d+\.\d% of the time \(limit 1%\)"),
        ({"reason": None}, INVALID, "was killed before it ended, after 20.0 s"),
        ({"reason": "signal"}, SUSPECT, r"ended early \(signal\)"),
        ({"cut_off": 3_000}, INVALID, "is cut off after 0 samples"),
        ({"sides": BROKEN}, SUSPECT, r"\d\.\d% of the requests failed before an answer came"),
        ({"sides": REFUSED}, INVALID, "no request succeeded"),
        ({"sides": NO_DESCRIPTORS}, INVALID, r"no file descriptors left .*cause no_descriptors.*raise `ulimit -n`"),
        ({"sides": NO_PORTS}, INVALID, r"no local ports left .*cause no_ports.*more hosts"),
        ({"duration_s": 0.0}, INVALID, "no request was measured"),
    ],
)
def test_each_fault_has_its_verdict_and_its_sentence(
    make_run: MakeRun, options: dict[str, Any], verdict: TrustVerdict, said: str
) -> None:
    """The number, the limit and what to do, in one sentence."""
    found = trust.of(make_run(**({"rate": 200, "duration_s": 20.0} | options)))
    assert found.verdict is verdict
    assert [reason for reason in found.reasons if re.search(said, reason.text)]


def test_users_all_busy_is_the_targets_slowness_not_the_harness_fault(make_run: MakeRun) -> None:
    """The rate is missed and requests begin seconds late, yet the figures hold: SUSPECT, and more users are advised."""
    found = trust.of(make_run(busy=True))
    assert found.verdict is SUSPECT
    assert found.evidence.users_busy > 0.9
    assert all("users were all busy" in reason.text and "--users" in reason.text for reason in found.reasons)
    assert found.evidence.achieved_rate < 0.99 * found.evidence.asked_rate


def test_busy_users_do_not_excuse_a_client_out_of_cpu(make_run: MakeRun) -> None:
    """A saturated client keeps its users busy by itself."""
    assert trust.of(make_run(busy=True, cpu=0.99)).verdict is INVALID


def test_a_late_client_with_idle_users_is_not_excused(make_run: MakeRun) -> None:
    """The same lag with users to spare is the client's."""
    found = trust.of(make_run(lag_ms=20.0))
    assert found.evidence.users_busy < 0.05
    assert found.verdict is INVALID


def test_rate_checks_do_not_apply_in_the_closed_model(make_run: MakeRun) -> None:
    """Nothing was asked for, so nothing was missed."""
    found = trust.of(make_run(closed=True, users=3, rate=50, duration_s=10))
    assert (found.verdict, found.evidence.asked_rate) == (TRUSTED, 0.0)


def test_samples_that_vanished_from_disk_are_noticed(make_run: MakeRun) -> None:
    """The worker says it wrote more than there is."""
    run = make_run(rate=100, duration_s=10)
    records = {"w0": (*run.health["w0"][:-1], {**run.health["w0"][-1], "written": 5_000})}
    found = trust.of(dataclasses.replace(run, health=records, memo={}))
    assert found.verdict is INVALID
    assert "1200 samples are on disk of 5000" in found.reasons[0].text


def test_an_auth_mode_that_changed_invalidates_the_run(make_run: MakeRun) -> None:
    """The figures would be of another mode than the report says."""
    run = make_run(rate=100, duration_s=10)
    flights = (*run.flights, {"variant": "key", "auth_mode": "aad_token", "outcome": "ok"})
    found = trust.of(dataclasses.replace(run, flights=flights, memo={}))
    assert found.verdict is INVALID
    assert "key was to use key but got credentials for aad_token" in found.reasons[0].text


def test_the_invalidating_reason_comes_first(make_run: MakeRun) -> None:
    """The first line a reader sees is the one that matters."""
    found = trust.of(make_run(dropped=1, unwritten=5_000, cpu=0.9))
    assert [reason.verdict for reason in found.reasons] == [INVALID, SUSPECT, SUSPECT]


@pytest.mark.parametrize(
    ("stages", "warm_up_s", "expected"),
    [("10s@100", 0, 100.0), ("10s@100, 10s@300", 0, 200.0), ("10s@0..100", 0, 50.0), ("10s@0..100, 5s@100", 5, 87.5)],
)
def test_with_stages_the_asked_rate_is_the_mean_over_the_measured_part(
    make_run: MakeRun, stages: str, warm_up_s: float, expected: float
) -> None:
    """Ramps count by their area, and what the warm-up covers does not count."""
    planned = parse_stages(stages)
    lasts_s = sum(stage.duration_s for stage in planned) - warm_up_s
    run = make_run(rate=50, duration_s=lasts_s, warm_up_s=warm_up_s, stages=planned)
    assert trust.of(run).evidence.asked_rate == pytest.approx(expected)


LOSS = {"worker": "w1", "at_ns": 12_300_000_000, "why": "its process died", "lost_samples": 3, "taken_over": True}


@pytest.mark.parametrize(
    ("reason", "changes", "verdict", "said"),
    [
        (
            "completed",
            {"lost": [LOSS]},
            SUSPECT,
            r"worker w1 was lost at 12\.3 s \(its process died\): the others took",
        ),
        ("lost", {"lost": [LOSS]}, INVALID, r"worker w1 was lost at 12\.3 s .*, and 3 samples with it"),
        ("lost", {"disk": {"lost_from_s": 7.2}}, INVALID, "samples from second 7 on are lost"),
        ("lost", {}, INVALID, "were lost: run it again"),
    ],
)
def test_what_was_lost_is_judged_by_the_ending(
    make_run: MakeRun, reason: str, changes: dict[str, Any], verdict: TrustVerdict, said: str
) -> None:
    """Whoever led the run knows whether the others could make up for a lost worker; it is named either way."""
    run = make_run(rate=200, duration_s=20.0, reason=reason)
    found = trust.of(dataclasses.replace(run, manifest={**run.manifest, **changes}, memo={}))
    assert found.verdict is verdict
    assert [one for one in found.reasons if re.search(said, one.text)]


def test_the_clients_own_limits_are_not_put_down_to_the_target(make_run: MakeRun) -> None:
    """One reason, and none that sends anybody to look at the target and the network."""
    found = trust.of(make_run(rate=200, duration_s=20.0, sides=NO_DESCRIPTORS))
    assert [reason.text.partition(" left")[0] for reason in found.reasons] == ["the client had no file descriptors"]
