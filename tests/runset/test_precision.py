"""`--until`: what cannot be asked for, and that ending at a narrow interval does not lie."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from bench.analysis.student import t_quantile
from bench.errors import UsageError
from bench.runset.precision import LEAST_RUNS, WIDER, parse_precision


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("overhead.p50", "a width is missing"),
        ("", "a width is missing"),
        ("overhead.p50 +- 0ms", "above 0"),
        ("overhead.p50 +- baseline", "above 0"),
        ("overhead.p50 +- 0.1", "unit"),
        ("overhead +- 0.1ms", "quantile"),
        ("response_time.max +- 1ms", "has no interval"),
        ("requests +- 5", "has no interval"),
        ("nonsense +- 5ms", "unknown metric"),
        ("overhead.p50 +- 0.1ms +- 2ms", "too much"),
    ],
)
def test_what_cannot_be_asked_for_is_one_line(text: str, says: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_precision(text)
    assert says in refused.value.describe()
    assert "--until" in refused.value.describe()


def test_an_interval_that_is_not_known_is_not_narrow() -> None:
    precision = parse_precision("overhead.p50 ± 1ms")
    summary: dict[str, Any] = {"variants": {}, "comparison": None}
    assert precision.half_width(summary) == math.inf
    assert not precision.reached(summary, runs=50)
    assert "not known after 50 runs" in precision.sentence(summary, runs=50)


@pytest.mark.parametrize("spread", [0.2, 0.5, 1.0, 1.5, 1.8, 2.0, 3.0])
def test_a_set_that_ends_so_misses_the_truth_in_at_most_five_of_a_hundred(spread: float) -> None:
    """Runs with a standard deviation of `spread` times the width asked for, looked at after every run."""
    runs, sets = 20, 20_000
    figures = np.random.default_rng(7).normal(0, spread, (sets, runs))
    number = np.arange(1, runs + 1)
    mean = figures.cumsum(axis=1) / number
    variance = ((figures**2).cumsum(axis=1) - number * mean**2).clip(0) / np.maximum(number - 1, 1)
    t = np.array([0.0, *(t_quantile(0.975, degrees) for degrees in range(1, runs))])
    half = WIDER * t * np.sqrt(variance / number)
    narrow = (half <= 1) & (number >= LEAST_RUNS)
    ends, at = narrow.any(axis=1), narrow.argmax(axis=1)
    row = np.arange(sets)
    wrong = ends & (np.abs(mean[row, at]) > half[row, at])
    assert wrong.mean() <= 0.05
