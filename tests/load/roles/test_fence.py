"""What a worker may begin, and when it has to ask first: a sender without a network, and times that a test makes up."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from bench.load.roles.fence import STOOD_STILL_NS, Fence
from bench.load.roles.messages import PROGRESS_HOLDS_NS, Message, Progress, Woke
from bench.process import supervise

ZERO_NS = 7_000_000_000
SECOND = 1_000_000_000


class FakeSender:
    """At `at_ns` of the run's time; `until_ns` is what it may begin until then, on the same clock."""

    def __init__(self) -> None:
        self.bench = SimpleNamespace(zero_ns=ZERO_NS)
        self.at_ns = 0
        self.until_ns = 1 << 62
        self.at_fence: Callable[[], object]

    def progress(self) -> Progress:
        return Progress(at_ns=self.at_ns)

    def fence(self, until_ns: int, at_fence: Callable[[], object]) -> None:
        self.until_ns, self.at_fence = until_ns - ZERO_NS, at_fence


class FakeChannel:
    """To a master that says what a test has it say."""

    def __init__(self) -> None:
        self.sent: list[Message] = []

    def send(self, message: Message) -> None:
        self.sent.append(message)


class Bench:
    """A fence that has started at 0."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(supervise, "start", lambda *_, **__: None)  # each word is a test's own
        self.sender, self.channel = FakeSender(), FakeChannel()
        sender: Any = self.sender
        channel: Any = self.channel
        self.fence = Fence(sender, channel)
        self.closed_at_first = self.sender.until_ns < 0
        self.fence.start()

    def at(self, at_ns: int) -> None:
        """It is then; the fence gets its turn."""
        self.sender.at_ns = at_ns
        self.fence.tell(self.sender.progress())

    @property
    def questions(self) -> list[int]:
        return [message.number for message in self.channel.sent if isinstance(message, Woke)]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


def test_nothing_is_begun_before_the_first_word(bench: Bench) -> None:
    """A master that has no word of a worker deals all of its part again."""
    assert bench.closed_at_first
    assert bench.channel.sent == [Progress(at_ns=0)]
    assert bench.sender.until_ns == PROGRESS_HOLDS_NS


def test_each_word_holds_for_a_second(bench: Bench) -> None:
    """From the time that it names, however long it took to be sent."""
    for at_ns in (SECOND // 2, SECOND, 3 * SECOND):
        bench.at(at_ns)
        assert bench.channel.sent[-1] == Progress(at_ns=at_ns)
        assert bench.sender.until_ns == at_ns + PROGRESS_HOLDS_NS
    assert bench.questions == []


def test_one_that_stood_still_begins_nothing_before_the_answer(bench: Bench) -> None:
    """It sends a question; meanwhile it sends nothing else, though time goes on."""
    woke_ns = STOOD_STILL_NS + 1
    for at_ns in (woke_ns, woke_ns + SECOND // 2, woke_ns + SECOND):
        bench.at(at_ns)
    assert bench.channel.sent == [Progress(at_ns=0), Woke(number=1, progress=Progress(at_ns=woke_ns))]
    assert bench.sender.until_ns == PROGRESS_HOLDS_NS
    bench.fence.go_on(1)
    assert bench.channel.sent[-1] == Progress(at_ns=woke_ns + SECOND)
    assert bench.sender.until_ns == woke_ns + SECOND + PROGRESS_HOLDS_NS


@pytest.mark.parametrize("number", [0, 1, 3, -1])
def test_only_the_answer_to_the_last_question_counts(number: int, bench: Bench) -> None:
    """It stood still again while it waited: the first answer was given before that."""
    bench.at(3 * SECOND)
    bench.at(9 * SECOND)
    assert bench.questions == [1, 2]
    bench.fence.go_on(number)
    assert bench.sender.until_ns == PROGRESS_HOLDS_NS
    bench.fence.go_on(2)
    assert bench.sender.until_ns == 9 * SECOND + PROGRESS_HOLDS_NS


def test_an_answer_that_finds_it_after_another_stand_still_is_a_question_again(bench: Bench) -> None:
    """The answer was in its socket while the process stood still."""
    bench.at(3 * SECOND)
    bench.sender.at_ns = 9 * SECOND
    bench.fence.go_on(1)
    assert bench.questions == [1, 2]
    assert bench.sender.until_ns == PROGRESS_HOLDS_NS


def test_an_answer_that_nobody_asked_for_is_nothing(bench: Bench) -> None:
    bench.fence.go_on(0)
    assert bench.channel.sent == [Progress(at_ns=0)]
