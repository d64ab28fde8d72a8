"""A user that holds conversations: an arrival begins one, and its turns follow, each with the answers so far.

The first turn counts from when its arrival was due, every further one from when it could begin: an answer's end and the
pause after it. A turn that does not end well ends its conversation. What the answers said is put together between two
turns, from events that were only kept while they came.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from bench.clock import monotonic_ns
from bench.load.engine.answer_reader import AnswerReader
from bench.load.engine.conversation import FirstTurn, body_of, message
from bench.load.engine.payload import Payload
from bench.load.engine.request import Scorer
from bench.load.engine.shared import Engine
from bench.plan.prompt_plan import turn_class

MOST_SPOKEN_BYTES = 16 << 20
"""Of all messages of a conversation."""


class ConversationEnd(StrEnum):
    """How a conversation ended."""

    WHOLE = "whole"
    TURN_FAILED = "turn_failed"
    NO_TEXT = "no_text"
    TOO_LONG = "too_long"
    RUN_ENDED = "run_ended"


class Conversing(Scorer):
    """`score` has the signature of a `Scorer`'s, and takes a conversation to its end.

    `goes_on` waits for a pause in ns and says whether the run still goes on after it.
    """

    def __init__(self, bench: Engine, *, goes_on: Callable[[int], bool], content_type: str) -> None:
        super().__init__(bench)
        self._goes_on = goes_on
        self._content_type = content_type
        self._reader = AnswerReader()
        self.read_with(self._reader)

    def score(
        self, lane_index: int, *, intended_ns: int, number: int, late_cause: str = "", payload: Payload | None = None
    ) -> bool:
        """Returns whether every turn that was sent ended well."""
        first = payload or self._bench.feeder.at(number)
        self._reader.forget()
        well = super().score(lane_index, intended_ns=intended_ns, number=number, late_cause=late_cause, payload=first)
        if not isinstance(first, FirstTurn):
            return well
        ended = ConversationEnd.RUN_ENDED
        try:
            ended = self._go_on(lane_index, first) if well else ConversationEnd.TURN_FAILED
        finally:  # this user may be killed while it waits
            self._reader.forget()
            counts = self.tally.conversations.setdefault(self._bench.lanes[lane_index].variant.name, {})
            counts[ended] = counts.get(ended, 0) + 1
        return ended is not ConversationEnd.TURN_FAILED

    def _go_on(self, lane_index: int, first: FirstTurn) -> ConversationEnd:
        """Send the turns after the first."""
        spoken = first.spoken
        for number, turn in enumerate(first.later, 2):
            text = self._reader.text()
            self._reader.forget()
            if not text:
                return ConversationEnd.TOO_LONG if text is None else ConversationEnd.NO_TEXT
            spoken = b"%b,%b,%b" % (spoken, message("assistant", text), turn.messages)
            if len(spoken) > MOST_SPOKEN_BYTES:
                return ConversationEnd.TOO_LONG
            payload = Payload.of(
                body_of(spoken, turn.fields), content_type=self._content_type, request_class=turn_class(number)
            )
            if not self._pause(turn.think_ns):
                return ConversationEnd.RUN_ENDED
            if not super().score(lane_index, intended_ns=monotonic_ns(), number=0, payload=payload):
                return ConversationEnd.TURN_FAILED
        return ConversationEnd.WHOLE

    def _pause(self, think_ns: int) -> bool:
        self.tally.between_turns += 1
        try:
            return self._goes_on(think_ns)
        finally:
            self.tally.between_turns -= 1
