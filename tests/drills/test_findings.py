"""What a drill's evidence amounts to, on evidence made by hand."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from bench.drills import goals
from bench.drills.drill import Drill
from bench.drills.evidence import Attempt, Call, Evidence, Flight
from bench.drills.findings import Findings, find
from bench.endpoint import AuthMode

MS = 1_000_000
DRILL = Drill(name="d", text="d", auth_mode=AuthMode.KEY, begins_s=1.0, ends_s=2.0)


def attempt(intended_ms: float, *, waited_ms: float = 0.0, took_ms: float = 10.0, **more: Any) -> Attempt:
    """A request that went well, unless `more` says otherwise."""
    began = round(intended_ms * MS)
    sent = began + round(waited_ms * MS)
    fields: dict[str, Any] = {
        "number": 0,
        "status": 200,
        "outcome": "ok",
        "cause": "",
        "request_id": f"id-{intended_ms}",
    }
    return Attempt(
        intended_ns=began, began_ns=began, sent_ns=sent, done_ns=sent + round(took_ms * MS), **(fields | more)
    )


def refused(intended_ms: float, *, cause: str = "refused", **more: Any) -> Attempt:
    return attempt(intended_ms, status=401, outcome="auth_failure", cause=cause, **more)


def no_lease(intended_ms: float, *, waited_ms: float) -> Attempt:
    return attempt(intended_ms, waited_ms=waited_ms, took_ms=0, status=0, outcome="auth_failure", cause="no_lease")


def flight(started_ms: float, ended_ms: float, *, ok: bool = True, attempts: int = 1) -> Flight:
    return Flight(
        started_ns=round(started_ms * MS),
        ended_ns=round(ended_ms * MS),
        attempts=attempts,
        ok=ok,
        error="" if ok else "no",
    )


def call(at_ms: float, operation: str = "token") -> Call:
    return Call(at_ns=round(at_ms * MS), operation=operation, status=200)


def found(*attempts: Attempt, flights: tuple[Flight, ...] = (), calls: tuple[Call, ...] = (), **more: Any) -> Findings:
    due = len({attempt.intended_ns for attempt in attempts})
    return find(
        DRILL, Evidence(attempts=attempts, flights=flights, calls=calls, **({"refusals": {}, "due": due} | more))
    )


class TestLost:
    def test_an_arrival_whose_replay_went_well_is_not_lost(self) -> None:
        """The refused attempt is an auth failure all the same."""
        first = refused(1100)
        replay = attempt(1100, waited_ms=30, number=1)
        result = found(first, replay)
        assert (result.arrivals, result.lost, result.by_cause) == (1, 0, {"refused": 1})

    def test_in_flight_when_the_fault_began(self) -> None:
        """Of three that are lost, the one that was under way at 1 s could not be helped."""
        result = found(refused(995), refused(1005), no_lease(1200, waited_ms=5))
        assert (result.lost, result.lost_in_flight) == (3, 1)

    def test_arrivals_without_a_sample(self) -> None:
        """What was due and never recorded does not hide."""
        assert found(attempt(10), due=3).missing == 2


class TestWaiting:
    def test_a_wait_ends_with_a_landing(self) -> None:
        """From the claim to the moment the request was sent; and over back-offs, as one."""
        waits = [attempt(1100, waited_ms=200), no_lease(1310, waited_ms=90), attempt(1420, waited_ms=100)]
        result = found(*waits, flights=(flight(1110, 1299), flight(1305, 1400, ok=False), flight(1500, 1519)))
        assert result.without_lease_s == pytest.approx(0.42)

    def test_a_busy_host_is_no_wait(self) -> None:
        """A request that was merely late to be sent, with no fetch about, waited for no credential."""
        result = found(attempt(2500, waited_ms=20), flights=(flight(100, 110),))
        assert (result.without_lease_s, result.recovered_s) == (0, 0)

    def test_between_a_refusal_and_its_replay(self) -> None:
        """It has no lease either."""
        result = found(refused(1100), attempt(1100, waited_ms=50, number=1), flights=(flight(1111, 1149),))
        assert result.without_lease_s == pytest.approx(0.04)


class TestRecovery:
    def test_counts_from_the_fault_s_end(self) -> None:
        """Until the last arrival was lost."""
        assert found(no_lease(2300, waited_ms=100)).recovered_s == pytest.approx(0.4)

    def test_over_before_the_end(self) -> None:
        """Never negative."""
        assert found(no_lease(1300, waited_ms=100)).recovered_s == 0

    def test_renewed(self) -> None:
        """By the first fetch that went well after one that had failed; None where none failed."""
        flights = (flight(900, 910), flight(1500, 1510, ok=False), flight(2300, 2310), flight(2600, 2610))
        assert found(attempt(10), flights=flights).renewed_s == pytest.approx(0.31)
        assert found(attempt(10), flights=flights[:1]).renewed_s is None


class TestCalls:
    def test_a_fetch_explains_one_call_an_operation_and_attempt(self) -> None:
        """A second token in one fetch, or a call outside of any, is somebody's stampede."""
        flights = (flight(1000, 1100), flight(1200, 1300, attempts=2))
        calls = (call(1010, "endpoint"), call(1020), call(1210), call(1220))
        assert found(attempt(10), flights=flights, calls=calls).unexplained_calls == 0
        assert found(attempt(10), flights=flights, calls=(*calls, call(1030), call(1150))).unexplained_calls == 2

    def test_calls_before_the_run_are_not_counted(self) -> None:
        """The endpoint was looked at, the first lease fetched."""
        result = found(attempt(10), calls=(call(-300), call(-20)))
        assert (result.calls, result.unexplained_calls) == (0, 0)

    def test_fetches_at_the_same_time_and_the_pause_between_them(self) -> None:
        """Both are found whatever order they are in."""
        flights = (flight(1500, 1600), flight(1000, 1100), flight(1550, 1650))
        result = found(attempt(10), flights=flights)
        assert result.overlapping_fetches == 1
        assert result.shortest_pause_s == pytest.approx(-0.05)


@pytest.mark.parametrize(
    ("reason", "cause", "right"),
    [
        ("expired", "expired", True),
        ("rotated", "refused", True),
        ("revoked", "refused", True),
        ("forbidden", "forbidden", True),
        ("forbidden", "refused", False),
        ("expired", "refused", False),
        ("rotated", "expired", False),
    ],
)
def test_causes_are_held_against_the_emulator_s_reasons(reason: str, cause: str, *, right: bool) -> None:
    """Request by request, joined by its id."""
    result = found(refused(1100, cause=cause), refusals={"id-1100": reason})
    assert (result.refused, result.classified) == (1, int(right))
    assert bool(result.misjudged) is not right


def test_a_refusal_the_emulator_does_not_know_is_misjudged() -> None:
    """Somebody else must have answered."""
    assert found(refused(1100)).misjudged == ("unknown called refused",)


GOOD = found(attempt(10), attempt(1500))


@pytest.mark.parametrize(
    ("change", "drill", "says"),
    [
        ({}, {}, ""),
        ({"lost": 2, "lost_in_flight": 2}, {}, ""),
        ({"lost": 3, "lost_in_flight": 2}, {}, "1 lost beyond"),
        ({"lost": 3}, {"loses": True}, ""),
        ({"recovered_s": 1.2}, {}, "recovered 1.2 s after"),
        ({"recovered_s": 1.2}, {"recovers_within_s": 2.0}, ""),
        ({"renewed_s": 1.2}, {}, "renewed 1.2 s after"),
        ({"renewed_s": 1.2}, {"renews_within_s": 2.0}, ""),
        ({"missing": 1}, {}, "1 arrivals have no sample"),
        ({"overlapping_fetches": 1}, {}, "at the same time"),
        ({"unexplained_calls": 4}, {}, "4 control-plane calls"),
        ({"shortest_pause_s": 0.05}, {}, "50 ms after another"),
        ({"shortest_pause_s": 0.1}, {}, ""),
        ({"refused": 3, "classified": 2, "misjudged": ("expired called refused",)}, {}, "1 of 3 refusals misjudged"),
        ({"by_cause": {"expired": 1}}, {}, "nobody expected: expired"),
        ({"by_cause": {"expired": 1}}, {"causes": frozenset({"expired"})}, ""),
    ],
)
def test_goals(change: dict[str, Any], drill: dict[str, Any], says: str) -> None:
    """Each can be missed, and says by how much; what the drill allows is no miss."""
    missed = goals.missed(dataclasses.replace(DRILL, **drill), dataclasses.replace(GOOD, **change))
    assert len(missed) == bool(says)
    assert says in "".join(missed)
