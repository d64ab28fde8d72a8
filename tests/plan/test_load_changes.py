"""What a person may make of a load that goes on: what is refused first, then from when on it holds."""

from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.endpoint import AuthMode
from bench.errors import UsageError
from bench.plan.load_changes import MOST_CHANGES, are_possible, change_words, changed, load_at, load_name, loads_of
from bench.plan.load_over_time import asked_rate, stages_of
from bench.plan.run_plan import LoadChange, RunPlan, Variant, parse_stages

SECOND = 1_000_000_000
OPEN = RunPlan(
    target="",
    variants=(Variant(name="key", auth_mode=AuthMode.KEY),),
    arrival_rate=50.0,
    duration_s=10.0,
    warm_up_s=2.0,
    users=20,
)
CLOSED = dataclasses.replace(OPEN, arrival_rate=None)
ENDLESS = dataclasses.replace(OPEN, duration_s=None)


def load(from_ns: int, arrival_rate: float | None, users: int) -> LoadChange:
    return LoadChange(from_ns=from_ns, arrival_rate=arrival_rate, users=users)


def many() -> RunPlan:
    changes = tuple(load(number * SECOND, 50.0 + number % 2, 20) for number in range(MOST_CHANGES))
    return dataclasses.replace(ENDLESS, changes=changes)


@pytest.mark.parametrize(
    ("plan", "rate", "now_s", "said"),
    [
        (CLOSED, 80.0, 1.0, "arrival_rate cannot be changed in a run without one, where users go back to back"),
        (OPEN, None, 1.0, "arrival_rate cannot be changed"),
        (
            dataclasses.replace(OPEN, arrival_rate=None, stages=parse_stages("12s@50")),
            80.0,
            1.0,
            "whose rate follows its stages",
        ),
        (
            dataclasses.replace(OPEN, arrival_rate=None, stages=parse_stages("12s@50"), arrivals_from="at.csv"),
            80.0,
            1.0,
            "that replays recorded arrivals",
        ),
        (dataclasses.replace(OPEN, warm_up_auto=True), 80.0, 1.0, "warm_up auto"),
        (OPEN, 80.0, 10.6, "arrival_rate cannot be changed any more: the run ends in 1.4 s"),
        (OPEN, 80.0, 13.0, "the run ends in 0.0 s"),
        (many(), 80.0, 500.0, f"changed {MOST_CHANGES} times"),
    ],
)
def test_what_cannot_be_changed_is_refused(plan: RunPlan, rate: float | None, now_s: float, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        changed(plan, arrival_rate=rate, users=20, now_ns=round(now_s * SECOND))


@pytest.mark.parametrize("plan", [OPEN, CLOSED, many()])
def test_the_same_load_again_is_none(plan: RunPlan) -> None:
    """Also at a time when another could not be had."""
    now = load_at(plan)
    assert changed(plan, arrival_rate=now.arrival_rate, users=now.users, now_ns=999 * SECOND) is plan


@pytest.mark.parametrize(
    "change",
    [
        *(load(SECOND, rate, 20) for rate in (0.0, -1.0, math.nan, math.inf, 1e7, None)),
        *(load(SECOND, 50.0, users) for users in (0, -1, 10**9)),
        *(load(from_ns, 50.0, 20) for from_ns in (-1, 99, 1 << 62)),
    ],
)
def test_an_impossible_change_is_detected(change: LoadChange) -> None:
    """From a file, or from whoever is between a master and its worker: the first one is sound, and at 100 ns."""
    assert not are_possible((load(100, 50.0, 20), change))


def test_another_rate_begins_a_moment_later_and_two_are_a_second_apart() -> None:
    once = changed(OPEN, arrival_rate=80.0, users=20, now_ns=3 * SECOND)
    twice = changed(once, arrival_rate=20.0, users=20, now_ns=3 * SECOND + 1)
    assert [change.from_ns / 1e9 for change in twice.changes] == [3.5, 4.5]
    stages = [(stage.duration_s, stage.start_rate) for stage in stages_of(twice)]
    assert stages == [(3.5, 50.0), (1.0, 80.0), (7.5, 20.0)]
    assert stages_of(changed(ENDLESS, arrival_rate=80.0, users=20, now_ns=0))[-1].duration_s == math.inf
    assert are_possible(twice.changes)


def test_other_users_come_at_once_and_are_no_stage_of_the_rate() -> None:
    plan = changed(OPEN, arrival_rate=50.0, users=30, now_ns=3 * SECOND)
    assert plan.changes == (load(3 * SECOND, 50.0, 30),)
    assert stages_of(plan) == stages_of(OPEN)
    closed = changed(CLOSED, arrival_rate=None, users=30, now_ns=3 * SECOND)
    assert (closed.changes, stages_of(closed)) == ((load(3 * SECOND, None, 30),), ())
    soon = changed(OPEN, arrival_rate=80.0, users=20, now_ns=3 * SECOND)
    both = changed(soon, arrival_rate=80.0, users=30, now_ns=3 * SECOND + 1)
    assert are_possible(both.changes)


@given(
    st.lists(st.tuples(st.floats(0.1, 1e4), st.integers(1, 99), st.floats(0, 40)), max_size=8),
    st.sampled_from([OPEN, ENDLESS]),
)
def test_what_is_asked_for_is_the_sum_of_its_stages(steps: list[tuple[float, int, float]], plan: RunPlan) -> None:
    """Whatever is wished and refused: stages lie end to end, last a second or more, and are what the plan keeps."""
    now_ns = 0
    for rate, users, after_s in steps:
        now_ns += round(after_s * SECOND)
        try:
            plan = changed(plan, arrival_rate=rate, users=users, now_ns=now_ns)
        except UsageError:
            assert plan.duration_s is not None
    stages = stages_of(plan)
    assert all(stage.duration_s >= 0.5 for stage in stages)
    assert are_possible(plan.changes)
    assert RunPlan.from_json(plan.as_json()) == plan
    for number, stage in enumerate(stages):
        from_s = math.fsum(one.duration_s for one in stages[:number])
        to_s = from_s + min(stage.duration_s, 5.0)
        assert asked_rate(plan, from_s=from_s, to_s=to_s) == pytest.approx(stage.start_rate)


def test_it_is_put_in_words() -> None:
    plan = dataclasses.replace(
        OPEN, changes=(load(3 * SECOND, 80.0, 20), load(4 * SECOND, 80.0, 1), load(SECOND, 1e3, 9))
    )
    assert change_words(plan) == "changed by hand to 80/s from 3.0 s, 1 user from 4.0 s, 1,000/s and 9 users from 1.0 s"
    assert change_words(OPEN) == ""
    assert [load_name(load, with_users=True) for load in loads_of(plan)][:2] == ["50/s, 20 users", "80/s, 20 users"]
    assert load_name(load(0, None, 9), with_users=False) == "9 users"
    assert loads_of(OPEN) == ()
