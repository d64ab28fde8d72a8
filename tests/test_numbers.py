"""How numbers are printed."""

from __future__ import annotations

from typing import Any

import pytest

from bench import numbers


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, numbers.DASH),
        (float("nan"), numbers.DASH),
        (0.0, "0.00"),
        (0.0004, "0.00"),
        (0.0312, "0.031"),
        (0.3127, "0.313"),
        (12.408, "12.41"),
        (250.34, "250.3"),
        (1240.4, "1,240"),
        (-3.5, f"{numbers.MINUS}3.50"),
    ],
)
def test_milliseconds_keep_about_four_digits(value: float | None, text: str) -> None:
    """A time is printed with about four digits, and a missing one with a dash and never as 0."""
    assert numbers.milliseconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.31, "+0.310"), (-0.31, f"{numbers.MINUS}0.310"), (0.0, "0.00"), (-0.00001, "0.00"), (None, numbers.DASH)],
)
def test_a_difference_always_carries_its_sign(value: float | None, text: str) -> None:
    """A difference has a sign unless it is too small to print."""
    assert numbers.difference(value) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (None, numbers.DASH),
        (0.0, "0 %"),
        (0.000_000_1, "<0.001 %"),
        (0.0002, "0.02 %"),
        (0.125, "12.5 %"),
        (1.0, "100 %"),
    ],
)
def test_a_small_share_is_never_printed_as_zero(share: float | None, text: str) -> None:
    """Only a share of exactly 0 prints as 0 %."""
    assert numbers.percent(share) == text


@pytest.mark.parametrize(
    ("found", "text"),
    [
        ({}, ""),
        ({"estimate": None, "low": None, "high": None}, ""),
        ({"estimate": 0.31, "low": 0.28, "high": 0.34}, "+0.310 [+0.280, +0.340]"),
        ({"estimate": 5.0, "low": None, "high": None, "more_needed": 49_972}, "+5.00 needs 50,000 more samples"),
    ],
)
def test_an_estimate_comes_with_its_interval_or_with_what_it_lacks(found: dict[str, Any], text: str) -> None:
    """A difference is never printed without its interval, or without how many samples it would take."""
    assert numbers.estimate(found) == text


def test_lists_are_joined_as_one_would_say_them() -> None:
    """Names are joined with commas and a last `and`."""
    assert [numbers.listed(list("abc")[:n]) for n in range(4)] == ["", "a", "a and b", "a, b and c"]


def test_causes_are_ranked_by_how_often_they_happened() -> None:
    """The most frequent cause comes first, and one that never happened is left out."""
    assert numbers.by_frequency({"expired": 3, "refused": 1200, "forbidden": 0}) == "1,200 refused, 3 expired"
