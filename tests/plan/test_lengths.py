"""Lengths in tokens: what a person may write, and what is drawn."""

from __future__ import annotations

from random import Random
from statistics import fmean, stdev

import pytest

from bench.errors import UsageError
from bench.plan.lengths import MOST_TOKENS, Lengths


def drawn(text: str, *, count: int = 20_000) -> list[int]:
    lengths, rng = Lengths.parse(text, option="--prompt-tokens"), Random("1")
    return [lengths.draw(rng) for _ in range(count)]


@pytest.mark.parametrize(
    ("text", "least", "most", "mean", "deviation"),
    [
        ("512", 512, 512, 512, 0),
        ("100..800", 100, 800, 450, 202),
        (" 5 .. 5 ", 5, 5, 5, 0),
        ("normal(512, 100)", 1, MOST_TOKENS, 512, 100),
        ("Normal(512,0)", 512, 512, 512, 0),
        ("lognormal(512, 300)", 1, MOST_TOKENS, 512, 300),
        ("lognormal(512, 300, 400..600)", 400, 600, None, None),
        ("lognormal(1, 1000000)", 1, MOST_TOKENS, None, None),
    ],
)
def test_what_is_drawn(text: str, least: int, most: int, mean: float | None, deviation: float | None) -> None:
    """Mean and deviation are those that were asked for, and nothing lies outside of the bounds."""
    found = drawn(text)
    assert least <= min(found) <= max(found) <= most
    if mean is not None and deviation is not None:
        assert fmean(found) == pytest.approx(mean, rel=0.03)
        assert stdev(found) == pytest.approx(deviation, rel=0.06)
    assert found == drawn(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "0", "-5", "1.5", "nan", "inf", "1e3", "٣", "512 tokens", "2000000", "9" * 5_000),
        *("0..5", "5..1", "1..", "..5", "1..2..3", "1..9999999"),
        *("pareto(1, 2)", "normal", "normal()", "normal(5)", "normal(5, 1, 2, 3)", "normal(nan, 1)", "normal(5, inf)"),
        *("normal(-5, 1)", "normal(0, 1)", "normal(5, 1, 9)", "normal(5, 1, 6..9)", "lognormal(5, 9999999)"),
        *("normal(5, 1", "normal((5), 1)"),
    ],
)
def test_what_is_no_length(text: str) -> None:
    """One line that names the option."""
    with pytest.raises(UsageError, match=r"^--prompt-tokens: ") as refused:
        Lengths.parse(text, option="--prompt-tokens")
    assert len(refused.value.describe()) < 250
