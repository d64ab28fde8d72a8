"""Prompts that are made rather than read: how long, how many, how long an answer they ask for. Pure noun."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from bench.errors import UsageError
from bench.plan.lengths import MOST_TOKENS, Lengths

DEFAULT_PROMPTS = 1_000
MOST_PROMPTS = 100_000
MOST_TURNS = 100

NEED_PROMPT_TOKENS = ("output_tokens", "shared_prefix", "prompts", "turns", "tokenizer")
"""Options that say something of prompts which `--prompt-tokens` asks for."""

_LATER_TURN = re.compile(r"turn ([2-9]|[1-9]\d+)")


def turn_class(turn: int) -> str:
    """The request class of turn number `turn` of a conversation, from 1."""
    return f"turn {turn}"


def is_later_turn(request_class: str) -> bool:
    """Whether it is that of a turn after the first."""
    return _LATER_TURN.fullmatch(request_class) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Lengths in tokens of what was made."""

    least: int
    p50: float
    mean: float
    p99: float
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What came of a `PromptPlan`, as whatever counted the tokens counts them: `counted_by` words, or a tokenizer's
    SHA-256. `prompt_tokens` are those of a turn, the shared prefix with the first; `output_tokens` is None where the
    server is to decide."""

    prompt_tokens: Spread
    output_tokens: Spread | None
    counted_by: str
    turns: int

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of `dataclasses.asdict`."""
        output = values.get("output_tokens")
        return cls(
            prompt_tokens=Spread(**values["prompt_tokens"]),
            output_tokens=Spread(**output) if output else None,
            counted_by=str(values["counted_by"]),
            turns=int(values["turns"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptPlan:
    """`prompts` conversations of `turns` turns, each of `prompt_tokens` (texts that `Lengths` reads), every one after
    the same `shared_prefix` tokens. `made` is filled in once they are."""

    prompt_tokens: str
    output_tokens: str = ""
    shared_prefix: int = 0
    prompts: int = DEFAULT_PROMPTS
    turns: str = "1"
    tokenizer: str = ""
    made: Made | None = None

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of `dataclasses.asdict`."""
        made = values.get("made")
        return cls(**{**values, "made": Made.from_json(made) if made else None})


def bodies_of(plan: Mapping[str, Any]) -> str | None:
    """What bodies a run sent, for whoever compares runs by their manifests' `plan`.

    The hash of a payload file; of prompts that were made what they were asked to be, for another seed draws others of
    the same lengths. A tokenizer is named by its hash, not by its path.
    """
    prompts = plan.get("request", {}).get("prompts")
    if not prompts:
        return plan.get("payload_sha256")
    counted_by = (prompts.get("made") or {}).get("counted_by")
    asked = {name: value for name, value in prompts.items() if name not in {"made", "tokenizer"}}
    parts = (
        f"{name.replace('_', ' ')} {value}" for name, value in {**asked, "counted_by": counted_by}.items() if value
    )
    return f"made ({', '.join(parts)})"


def prompt_plan_of(text: Mapping[str, str]) -> PromptPlan | None:
    """What the options ask for, by their names; None where they ask for no prompts. UsageError names the option."""
    if not text.get("prompt_tokens"):
        alone = next((name for name in NEED_PROMPT_TOKENS if text.get(name)), "")
        if alone:
            raise UsageError(
                f"--{alone.replace('_', '-')} is of prompts that are made, and none are", hint="give --prompt-tokens"
            )
        return None
    plan = PromptPlan(
        prompt_tokens=text["prompt_tokens"],
        output_tokens=text.get("output_tokens", ""),
        shared_prefix=_whole(text, "shared_prefix", default=0, least=0, most=MOST_TOKENS),
        prompts=_whole(text, "prompts", default=DEFAULT_PROMPTS, least=1, most=MOST_PROMPTS),
        turns=text.get("turns") or "1",
        tokenizer=text.get("tokenizer", ""),
    )
    Lengths.parse(plan.prompt_tokens, option="--prompt-tokens")
    if plan.output_tokens:
        Lengths.parse(plan.output_tokens, option="--output-tokens")
    Lengths.parse(plan.turns, option="--turns", most=MOST_TURNS)
    return plan


def _whole(text: Mapping[str, str], name: str, *, default: int, least: int, most: int) -> int:
    word, option = text.get(name) or str(default), f"--{name.replace('_', '-')}"
    if not word.isascii() or not word.isdecimal():
        raise UsageError(f"{option}: {word[:40]!r} is not a whole number", hint=f"between {least:,} and {most:,}")
    if len(word) > 12 or not least <= int(word) <= most:
        raise UsageError(f"{option}: {word[:20]} is not between {least:,} and {most:,}")
    return int(word)
