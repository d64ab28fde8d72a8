"""The conversations of `--prompt-tokens`: made before the run, the same ones from the same options and seed everywhere.

Edge: may read a tokenizer's file. Lengths of prompts, lengths of answers and words are drawn apart, so that asking for
longer answers changes no prompt.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import msgspec
import numpy as np

from bench.errors import UsageError
from bench.load.engine import chat_fields
from bench.load.engine.bodies import KEPT_BYTES, Bodies, Framing
from bench.load.engine.chat_fields import Fields
from bench.load.engine.conversation import FirstTurn, Turn, body_of, fields_of, message
from bench.load.engine.payload import JSON, Payload
from bench.load.engine.vocabulary import TokenizerFile, Vocabulary, Words
from bench.plan.lengths import Lengths
from bench.plan.prompt_plan import MOST_TURNS, Made, PromptPlan, Spread

MOST_COUNTED = 2_000_000
"""Tokens that a tokenizer may be asked to count: some seconds, in which a worker hears nothing."""

_BYTES = 5
"""Of a word and its space, on average."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompts:
    """What was made; `turns` is how many the longest conversation has, 0 where all have one."""

    bodies: Sequence[Payload]
    sha256: str
    made: Made
    turns: int


def make_prompts(
    plan: PromptPlan, *, seed: int, framing: Framing, fields: Fields | None = None, think_s: float = 0.0
) -> Prompts:
    """All of them. UsageError where they would not fit into memory, or the tokenizer cannot be used."""
    maker = _Maker(plan, seed=seed, fields=fields or {}, think_ns=round(think_s * 1e9))
    several = maker.turns.most > 1
    digest, bodies = hashlib.sha256(), []
    for lengths in maker.lengths(plan.prompts):
        turns = maker.conversation(lengths)
        digest.update(b"".join(turn.messages + turn.fields for turn in turns))
        bodies.append(
            FirstTurn.begin(turns, content_type=framing.content_type or JSON)
            if several
            else framing.frame(body_of(turns[0].messages, turns[0].fields), content_type=JSON)
        )
    made = maker.made()
    turns_made = made.turns if several else 0
    return Prompts(bodies=Bodies(tuple(bodies)), sha256=digest.hexdigest(), made=made, turns=turns_made)


class _Maker:
    """Draws lengths, then words, and keeps count of the tokens."""

    def __init__(self, plan: PromptPlan, *, seed: int, fields: Fields, think_ns: int) -> None:
        self.turns = Lengths.parse(plan.turns, option="--turns", most=MOST_TURNS)
        self._prompt_tokens = Lengths.parse(plan.prompt_tokens, option="--prompt-tokens")
        self._output_tokens = (
            Lengths.parse(plan.output_tokens, option="--output-tokens") if plan.output_tokens else None
        )
        self._prefix_wanted = plan.shared_prefix
        self._draws, self._answers, self._words = (
            Random(f"{what}-{seed}")  # noqa: S311 - reproducible, not secret
            for what in ("prompt-lengths", "output-lengths", "prompt-words")
        )
        self._tokenizer, self._fields, self._think_ns = plan.tokenizer, chat_fields.streamed(fields), think_ns
        self._vocabulary: Vocabulary = Words()
        self._prefix, self._prefix_tokens = b"", 0
        self._asked: list[int] = []
        self._answered: list[int] = []
        self._most_turns = 0

    def lengths(self, prompts: int) -> list[list[int]]:
        """Those of every turn of all conversations. UsageError where texts of that length are too much."""
        most, why = (MOST_COUNTED, "count") if self._tokenizer else (KEPT_BYTES // _BYTES, "keep in memory")
        drawn: list[list[int]] = []
        total = self._prefix_wanted
        for _ in range(prompts):
            drawn.append([self._prompt_tokens.draw(self._draws) for _ in range(self.turns.draw(self._draws))])
            total += sum(drawn[-1]) + self._prefix_wanted
            if total > most:
                raise UsageError(
                    f"--prompt-tokens: {prompts:,} prompts of that length are too much to {why}",
                    hint=f"ask for fewer --prompts, or shorter ones: at most {most:,} tokens in all",
                )
        if self._tokenizer:
            self._vocabulary = TokenizerFile(self._tokenizer)
        if self._prefix_wanted:
            text, self._prefix_tokens = self._vocabulary.text(self._words, self._prefix_wanted)
            self._prefix = message("system", text) + b","
        return drawn

    def conversation(self, lengths: Sequence[int]) -> list[Turn]:
        """One with turns of these lengths."""
        self._most_turns = max(self._most_turns, len(lengths))
        return [self._turn(tokens, first=not number) for number, tokens in enumerate(lengths)]

    def made(self) -> Made:
        """Of all that were made."""
        return Made(
            prompt_tokens=_spread(self._asked),
            output_tokens=_spread(self._answered) if self._answered else None,
            counted_by=self._vocabulary.counted_by,
            turns=self._most_turns,
        )

    def _turn(self, wanted: int, *, first: bool) -> Turn:
        text, tokens = self._vocabulary.text(self._words, wanted)
        self._asked.append(tokens + (self._prefix_tokens if first else 0))
        fields = dict(self._fields)
        if self._output_tokens is not None:
            self._answered.append(self._output_tokens.draw(self._answers))
            fields["max_tokens"] = msgspec.Raw(b"%d" % self._answered[-1])
        spoken = message("user", text)
        return Turn(self._prefix + spoken if first else spoken, fields_of(fields), self._think_ns)


def _spread(lengths: Sequence[int]) -> Spread:
    p50, p99 = np.quantile(lengths, (0.5, 0.99))
    return Spread(least=min(lengths), p50=float(p50), mean=float(np.mean(lengths)), p99=float(p99), most=max(lengths))
