"""Which answers' bodies are checked: all while that is cheap, else a drawn share that says what it stands for."""

from __future__ import annotations

import pytest

from bench.load.engine.answer_checks import AnswerChecks
from bench.load.wire.answer import Answer
from bench.plan.expectation import MOST_OF_A_CORE, expectation_of


class Clock:
    """Time passes when the test says so, and while a body is looked at."""

    def __init__(self, *, a_look_ns: int) -> None:
        self.now_ns = 0
        self._a_look_ns = a_look_ns
        self.looking = False

    def __call__(self) -> int:
        if self.looking:
            self.now_ns += self._a_look_ns
        return self.now_ns


class Checked:
    """Answers that come at a rate, every `wrong`th of them a wrong one."""

    def __init__(self, *, a_look_ns: int, seed: str = "1", wrong: int = 10) -> None:
        expected = expectation_of((), ("$.a",), ())
        assert expected is not None
        self.clock = Clock(a_look_ns=a_look_ns)
        self.checks = AnswerChecks(expected, seed=seed, clock=self.clock)
        self._wrong = wrong

    def take(self, number: int, *, per_s: int) -> list[tuple[bool, int]]:
        """(whether it was found wrong, for how many it stands) of each."""
        found = []
        for at in range(number):
            answer = Answer()
            answer.status, answer.pieces = 200, [b'{"b": 1}' if at % self._wrong == 0 else b'{"a": 1}']
            self.clock.now_ns += 1_000_000_000 // per_s
            before = self.clock.now_ns
            self.clock.looking = True
            why, stands_for = self.checks.failure(answer)
            self.clock.looking = False
            if stands_for == 0:
                self.clock.now_ns = before
            found.append((bool(why), stands_for))
        return found


def test_cheap_looks_are_made_at_every_answer() -> None:
    """Each stands for itself, and every wrong one is found."""
    found = Checked(a_look_ns=10_000).take(5_000, per_s=1_000)
    assert {stands_for for _, stands_for in found} == {1}
    assert sum(wrong for wrong, _ in found) == 500


def test_dear_looks_take_no_more_than_their_share_and_what_they_find_is_true_of_all() -> None:
    """5 ms each at 1,000/s would take five cores. Weights sum to the answers, wrong ones to the wrong ones."""
    made = Checked(a_look_ns=5_000_000)
    found = made.take(60_000, per_s=1_000)
    looks = sum(stands_for > 0 for _, stands_for in found)
    assert looks * 5e6 < 1.5 * MOST_OF_A_CORE * made.clock.now_ns
    assert sum(stands_for for _, stands_for in found) == pytest.approx(60_000, rel=0.1)
    assert sum(stands_for for wrong, stands_for in found if wrong) == pytest.approx(6_000, rel=0.3)


def test_the_first_second_is_not_spent_on_looking() -> None:
    """The share is set as soon as a second's allowance is used up, and not a second later: 5 s of looking otherwise."""
    made = Checked(a_look_ns=5_000_000)
    found = made.take(1_000, per_s=1_000)
    assert sum(stands_for > 0 for _, stands_for in found) * 5e6 < 5 * MOST_OF_A_CORE * 1e9


def test_the_share_grows_again_where_the_load_falls() -> None:
    """A burst must not leave the rest of the run unchecked."""
    made = Checked(a_look_ns=5_000_000)
    made.take(20_000, per_s=10_000)
    assert made.checks.every > 100
    made.take(60, per_s=1)
    assert made.checks.every == 1


def test_the_same_seed_draws_the_same() -> None:
    """And another one others."""
    drawn = [Checked(a_look_ns=5_000_000, seed=seed).take(2_000, per_s=1_000) for seed in ("1", "1", "2")]
    assert drawn[0] == drawn[1] != drawn[2]
