"""A LoadTestShape: its time is the run's, what makes no sense ends the run, and its stages are reported."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest

from bench.clock import monotonic_ns
from bench.errors import BenchError
from bench.load.roles.shape import Shape
from bench.load.roles.shape_stages import ShapeStage, asked, folded


class Stop(Exception):
    """As Locust's StopTest."""


class Authored:
    """A shape of a locustfile, which answers what a test says."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.times_set = 0

    def reset_time(self) -> None:
        self.times_set += 1

    def tick(self) -> Any:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


class User:
    """A class of users."""


class Watch:
    """A shape between a fake author and a fake Locust."""

    def __init__(self, *answers: Any) -> None:
        self.authored = Authored(*answers)
        self.broken: list[tuple[str, Exception]] = []
        self.shape = Shape(
            self.authored, user_classes=(User,), stop=Stop, failed=lambda where, exc: self.broken.append((where, exc))
        )
        self._greenlets: list[gevent.Greenlet] = []

    def start(self) -> None:
        self.shape.begin()
        self.shape.start(monotonic_ns())

    def tick(self) -> Any:
        """What Locust hears; nothing when it is never answered."""
        greenlet = gevent.spawn(self.authored.tick)
        self._greenlets.append(greenlet)
        greenlet.join(0 if self.broken else 0.3)
        return greenlet.value

    def close(self) -> None:
        gevent.killall(self._greenlets)


@pytest.fixture
def watch() -> Iterator[Callable[..., Watch]]:
    made: list[Watch] = []

    def make(*answers: Any) -> Watch:
        made.append(Watch(*answers))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_a_shape_is_asked_first_when_the_clock_starts(watch: Callable[..., Watch]) -> None:
    """Until then there are no users, and its own time is set to 0 then."""
    one = watch((5, 5.0), None)
    assert [one.authored.tick()[0] for _ in range(2)] == [0, 0]
    assert one.authored.tick() != one.authored.tick(), "an answer that Locust has heard is not tried again"
    one.shape.begin()
    asking = gevent.spawn(one.authored.tick)
    gevent.sleep(0)
    assert one.shape.waits
    assert (one.authored.times_set, len(one.authored.answers)) == (0, 2)
    one.shape.start(monotonic_ns() + 10_000_000)
    assert asking.get(timeout=60) == (5, 5.0)
    assert one.authored.times_set == 1
    assert one.tick() is None
    assert one.shape.as_json(end_s=9.0)["stages"] == [
        {"from_s": 0.0, "fewest_users": 5, "most_users": 5, "spawn_rate": 5.0}
    ]


def test_the_next_run_begins_anew(watch: Callable[..., Watch]) -> None:
    """With a web UI one Locust makes several; what the last one asked for is kept until then."""
    one = watch((5, 5), None, (7, 1))
    for users in (5, 7):
        assert one.authored.tick()[0] == 0
        one.start()
        assert one.tick()[0] == users
        one.shape.rest()
        assert [stage.most_users for stage in one.shape.stages] == [users]
        one.authored.answers = one.authored.answers[1:]


NONSENSE = [
    pytest.param(None, "ended at its first tick", id="nothing at all"),
    pytest.param((-1, 1), "returned -1 as its number of users", id="negative users"),
    pytest.param(("many", 1), "returned 'many' as its number", id="a word for users"),
    pytest.param((1.5, 1), "returned 1.5 as its number", id="half a user"),
    pytest.param((True, 1), "returned True as its number", id="a boolean"),
    pytest.param((math.nan, 1), "returned nan as its number", id="no number"),
    pytest.param((math.inf, 1), "returned inf as its number", id="no end"),
    pytest.param((10**400, 1), "returned 1000", id="more than there can be"),
    pytest.param((5, 0), "returned 0 as its spawn rate", id="nobody is spawned"),
    pytest.param((5, "fast"), "returned 'fast' as its spawn rate", id="a word for a rate"),
    pytest.param((5, math.inf), "returned inf as its spawn rate", id="an infinite rate"),
    pytest.param((5,), "returned (5,)", id="too few"),
    pytest.param((5, 1, None, 2), "returned (5, 1, None, 2)", id="too many"),
    pytest.param(7, "returned 7", id="one number"),
    pytest.param("ab", "returned 'ab'", id="two letters"),
    pytest.param((5, 1, [int]), "returned user classes", id="strange classes"),
    pytest.param((5, 1, []), "returned user classes", id="no classes"),
]


@pytest.mark.parametrize(("answer", "says"), NONSENSE)
def test_nonsense_ends_the_run_in_one_line(answer: Any, says: str, watch: Callable[..., Watch]) -> None:
    """Locust never hears of it: it would go on for ever with the users that it has."""
    one = watch(answer)
    one.start()
    assert one.tick() is None
    [(where, error)] = one.broken
    assert where == "the LoadTestShape Authored"
    assert isinstance(error, BenchError)
    assert error.exit_code == 1
    assert f"the LoadTestShape Authored {says}" in error.describe()
    assert error.describe().count("\n") == 0
    assert error.hint


def test_what_a_shape_raises_ends_the_run(watch: Callable[..., Watch]) -> None:
    """As it is, for its traceback is kept; Locust's own StopTest is an end like any."""
    one = watch((5, 1), ZeroDivisionError("division by zero"))
    one.start()
    assert one.tick() == (5, 1)
    assert one.tick() is None
    assert [type(error) for _, error in one.broken] == [ZeroDivisionError]
    other = watch((5, 1), Stop())
    other.start()
    assert [other.tick(), other.tick(), other.broken] == [(5, 1), None, []]


@pytest.mark.parametrize("answer", [(5, 2), [5, 2.0], (5.0, 2), (5, 2, None), (5, 2, [User])])
def test_what_locust_takes_is_taken(answer: Any) -> None:
    """Lists, whole floats, classes."""
    assert asked(answer, user_classes=(User,)) == (5, 2.0)


def stage(from_s: float, users: int) -> ShapeStage:
    return ShapeStage(from_s=from_s, fewest_users=users, most_users=users, spawn_rate=1.0)


def test_few_stages_are_kept_as_they_are() -> None:
    """Twenty of them, however short."""
    stages = [stage(number * 0.1, number % 3) for number in range(20)]
    assert folded(stages, end_s=2) == stages
    assert folded([], end_s=0) == []


def test_a_ramp_is_folded_and_a_plateau_is_not() -> None:
    """Users change each second for a minute, stay for a minute, and go again: the folded stages cover all of it."""
    up = [stage(second, second) for second in range(60)]
    down = [stage(120 + second, 60 - second) for second in range(60)]
    stages = folded([*up, stage(60, 60), *down], end_s=180)
    assert 10 <= len(stages) <= 20
    assert stages[0].from_s == 0
    assert stage(60, 60) in stages
    assert [one.from_s for one in stages] == sorted(one.from_s for one in stages)
    assert all(one.most_users - one.fewest_users <= 10 for one in stages)
    assert min(one.fewest_users for one in stages) == 0


@pytest.mark.parametrize("number", [21, 400, 20_000])
def test_any_shape_is_folded(number: int) -> None:
    """Long and short by turns, and two that began at once."""
    times_s = [index + (0.9 if index % 2 else 0) for index in range(number)]
    stages = folded([stage(0, 1), *(stage(time_s, 2) for time_s in times_s)], end_s=number)
    assert 1 <= len(stages) <= 20
