"""Asking again before a run has begun: the policy's back-off, up to a time limit, with a line every ten seconds.

It may wait (with the `sleep` it is given) and read the monotonic clock. What a role, a name or a sign-in would cure is
not waited for.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from bench import clock
from bench.credentials.backoff import honoured_retry_after_s, next_delay_s
from bench.credentials.failure import Failure
from bench.credentials.lease import NS_PER_S
from bench.credentials.policy import BASE_S, WAITING_CAP_S
from bench.plan.run_plan import DEFAULT_START_TIMEOUT_S

_SAY_EVERY_S = 10.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to go on asking, how to wait, and where to report it."""

    sleep: Callable[[float], object]
    say: Callable[[str], object]
    timeout_s: float = DEFAULT_START_TIMEOUT_S
    now_ns: Callable[[], int] = clock.monotonic_ns

    def ask(self, question: Callable[[], T | Failure], *, waits: bool = True) -> T | Failure:
        """The answer, or the last failure with its attempts and time. `waits` False: the question itself backs off."""
        began_ns, delay_s, attempts, said_s = self.now_ns(), 0.0, 0, -_SAY_EVERY_S
        while True:
            answer = question()
            attempts += 1
            if not isinstance(answer, Failure) or not answer.may_pass:
                return answer
            elapsed_s = (self.now_ns() - began_ns) / NS_PER_S
            delay_s = next_delay_s(delay_s, base_s=BASE_S, cap_s=WAITING_CAP_S, jitter=random.random())  # noqa: S311
            wait_s = max(delay_s, honoured_retry_after_s(answer.retry_after_s))
            if elapsed_s + wait_s >= self.timeout_s:
                return _given_up(answer, attempts, elapsed_s, wait_s if wait_s > self.timeout_s else 0.0)
            if elapsed_s - said_s >= _SAY_EVERY_S:
                said_s = elapsed_s
                self.say(f"waiting for Azure, up to {self.timeout_s:g} s: {answer.message}")
            if waits:
                self.sleep(wait_s)


def _given_up(failure: Failure, attempts: int, elapsed_s: float, asked_wait_s: float) -> Failure:
    times = "1 attempt" if attempts == 1 else f"{attempts} attempts"
    wish = f", and Azure asks to wait {asked_wait_s:g} s" if asked_wait_s else ""
    return dataclasses.replace(
        failure,
        message=f"{failure.message}; {times} in {elapsed_s:.0f} s{wish}",
        hint=failure.hint or "give it longer with --start-timeout, or try again later",
    )
