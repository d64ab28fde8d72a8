"""Asking again before a run: what is worth it, for how long, and what is said in the end."""

import pytest

from bench.credentials import Failure, FailureKind
from bench.credentials.patience import Patience

BUSY = Failure(kind=FailureKind.UNAVAILABLE, message="the control plane failed (ARM answered 503)")


class Script:
    """Answers in turn, and a clock that only `sleep` moves."""

    def __init__(self, *answers, timeout_s: float = 60.0) -> None:
        self.answers = list(answers)
        self.asked = 0
        self.now_s = 0.0
        self.said: list[str] = []
        self.patience = Patience(
            timeout_s=timeout_s, sleep=self.sleep, say=self.said.append, now_ns=lambda: round(self.now_s * 1e9)
        )

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds

    def answer(self):
        self.asked += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def run(self):
        return self.patience.ask(self.answer)


def test_it_gives_up_in_time_and_says_how_long_it_tried():
    """Exit 3 comes with attempts and time."""
    script = Script(BUSY)
    failure = script.run()
    assert 50 < script.now_s <= 60
    assert failure.message.startswith(BUSY.message)
    assert f"{script.asked} attempts in {script.now_s:.0f} s" in failure.message
    assert "--start-timeout" in failure.hint
    assert script.asked > 60


@pytest.mark.parametrize(
    "kind", [FailureKind.PERMISSION, FailureKind.NOT_FOUND, FailureKind.FORBIDDEN, FailureKind.IDENTITY]
)
def test_what_asking_again_does_not_cure_is_returned_at_once(kind):
    script = Script(Failure(kind=kind, message="no"))
    assert script.run().message == "no"
    assert script.asked == 1


def test_an_identity_service_in_trouble_is_asked_again():
    trouble = Failure(kind=FailureKind.IDENTITY, message="answered 503", temporary=True)
    assert Script(trouble, trouble, "token").run() == "token"


def test_retry_after_is_honoured():
    """A busy server is not asked before it said."""
    script = Script(Failure(kind=FailureKind.THROTTLED, message="429", retry_after_s=7.0), "token")
    assert script.run() == "token"
    assert script.now_s >= 7


def test_a_longer_wish_than_the_limit_ends_it_at_once():
    """There is no use in waiting for a part of it."""
    script = Script(Failure(kind=FailureKind.THROTTLED, message="429", retry_after_s=300.0))
    failure = script.run()
    assert script.now_s == 0
    assert "1 attempt in 0 s, and Azure asks to wait 300 s" in failure.message


def test_it_says_what_it_waits_for_and_not_too_often():
    script = Script(BUSY)
    script.run()
    assert 5 <= len(script.said) <= 7
    assert script.said[0] == f"waiting for Azure, up to 60 s: {BUSY.message}"


def test_no_patience_is_one_attempt():
    script = Script(BUSY, timeout_s=0)
    assert "1 attempt in 0 s" in script.run().message
