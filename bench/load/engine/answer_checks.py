"""Which answers have their bodies checked, and what is wrong with them. Reads a clock that it is given.

A body is looked at after its time was measured, but that is work all the same, and other requests wait for it. Where
looking at all would take more than `MOST_OF_A_CORE`, one of `every` answers is drawn, and says for how many it stands.
Status and size cost nothing, and are looked at in every answer.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

from bench.clock import monotonic_ns
from bench.load.wire.answer import Answer
from bench.plan.expectation import MOST_OF_A_CORE, Expectation

NOT_LOOKED_AT = 0
ITSELF = 1
_MOST = 65_535
_LOOK_NS = 1_000_000_000
"""How often the share is set anew; earlier where that much time's allowance is used up."""


class AnswerChecks:
    """Those of one process. `every` is 1 while all bodies are checked; it follows what the last second's cost."""

    def __init__(self, expectation: Expectation, *, seed: str, clock: Callable[[], int] = monotonic_ns) -> None:
        self.expectation = expectation
        self.every = 1
        self._draw = Random(seed).random  # noqa: S311 - which answers are checked, repeatable
        self._clock = clock
        self._since_ns = clock()
        self._each_ns = 0.0
        self._answers = self._checked = self._spent_ns = 0

    def failure(self, answer: Answer) -> tuple[str, int]:
        """What is wrong with an answer whose time is measured already, "" when nothing is, and for how many it stands.

        `NOT_LOOKED_AT` of one whose body was passed over.
        """
        expectation = self.expectation
        why = expectation.failure_of_numbers(status=answer.status, size=answer.response_bytes)
        if why or not expectation.needs_body:
            return why, ITSELF
        every = self.every  # what an answer stands for must not depend on its own cost
        self._answers += 1
        if every > 1 and self._draw() * every >= 1:
            self._look(self._clock())
            return "", NOT_LOOKED_AT
        began_ns = self._clock()
        encoding = answer.parsed_head()[1].get("content-encoding", "")
        why = expectation.failure_of_body(b"".join(answer.pieces), encoding)
        ended_ns = self._clock()
        self._checked += 1
        self._spent_ns += ended_ns - began_ns
        self._look(ended_ns)
        return why, every

    def _look(self, now_ns: int) -> None:
        """Set the share for the answers to come, where it is time to."""
        passed_ns = now_ns - self._since_ns
        if passed_ns < _LOOK_NS and self._spent_ns < MOST_OF_A_CORE * _LOOK_NS:
            return
        if self._checked:
            self._each_ns = self._spent_ns / self._checked
        wanted = self._each_ns * self._answers / (MOST_OF_A_CORE * max(passed_ns, 1))
        self.every = min(max(math.ceil(wanted), 1), _MOST)
        self._since_ns = now_ns
        self._answers = self._checked = self._spent_ns = 0
