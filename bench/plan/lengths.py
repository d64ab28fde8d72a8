"""Lengths in tokens, as a person asks for them: one number, or a distribution to draw from. Pure.

    512                               always so many
    100..800                          any of these, each as often
    normal(512, 100)                  mean and standard deviation
    lognormal(512, 300, 16..4096)     the same of lengths with a long tail; what lies outside is set to the bound

`mean` and `deviation` of a lognormal are those of the lengths themselves, not of their logarithms. Without bounds no
length is below 1.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from random import Random
from typing import Self

from bench.errors import UsageError

MOST_TOKENS = 1_000_000
"""Of one prompt or answer: more than any model reads."""

HINT = "write 512, 100..800, normal(512, 100) or lognormal(512, 300, 16..4096)"

_WHOLE = re.compile(r"[0-9]+")
_RANGE = re.compile(r"([0-9]+)\s*\.\.\s*([0-9]+)")
_DRAWN = re.compile(r"(normal|lognormal)\s*\(([^()]*)\)")
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengths:
    """A distribution of whole numbers between `least` and `most`; both with `shape` "uniform"."""

    shape: str
    least: int
    most: int
    mean: float = 0.0
    deviation: float = 0.0

    @classmethod
    def parse(cls, text: str, *, option: str, most: int = MOST_TOKENS) -> Self:
        """UsageError, which names `option`, for what is none of the four, or asks for less than 1 or too much."""
        spoken = text.strip().lower()
        if _WHOLE.fullmatch(spoken):
            least, highest = _bounds(spoken, spoken, option=option, most=most)
            return cls(shape="uniform", least=least, most=highest)
        if match := _RANGE.fullmatch(spoken):
            least, highest = _bounds(match[1], match[2], option=option, most=most)
            return cls(shape="uniform", least=least, most=highest)
        match = _DRAWN.fullmatch(spoken)
        words = [word.strip() for word in match[2].split(",")] if match else []
        if match is None or len(words) not in {2, 3} or not all(map(_NUMBER.fullmatch, words[:2])):
            raise UsageError(f"{option}: {text[:60]!r} is no length in tokens", hint=HINT)
        between = _RANGE.fullmatch(words[2]) if len(words) == 3 else None
        if len(words) == 3 and between is None:
            raise UsageError(f"{option}: {words[2][:40]!r} are no bounds", hint=HINT)
        least, highest = _bounds(between[1], between[2], option=option, most=most) if between else (1, most)
        mean, deviation = map(float, words[:2])
        if not least <= mean <= highest:
            raise UsageError(f"{option}: a mean of {mean:g} is not between {least:,} and {highest:,}", hint=HINT)
        if deviation > most:
            raise UsageError(f"{option}: a deviation of {deviation:g} is too large", hint=f"at most {most:,}")
        return cls(shape=match[1], least=least, most=highest, mean=mean, deviation=deviation)

    def draw(self, rng: Random) -> int:
        """One of them."""
        if self.shape == "uniform":
            return rng.randint(self.least, self.most)
        if self.shape == "normal":
            drawn = rng.normalvariate(self.mean, self.deviation)
        else:
            variance = math.log1p((self.deviation / self.mean) ** 2)
            drawn = rng.lognormvariate(math.log(self.mean) - variance / 2, math.sqrt(variance))
        return min(max(round(drawn), self.least), self.most)


def _bounds(low: str, high: str, *, option: str, most: int) -> tuple[int, int]:
    if len(low) > 12 or len(high) > 12 or int(high) > most:
        raise UsageError(f"{option}: {high[:20]} is too large", hint=f"at most {most:,}")
    if int(low) < 1:
        raise UsageError(f"{option}: {low} is too small", hint="at least 1")
    if int(low) > int(high):
        raise UsageError(f"{option}: {low} is above {high}", hint="write the smaller one first")
    return int(low), int(high)
