"""A row keeps its promise or says which one it broke."""

from __future__ import annotations

import math
from typing import Any

import pytest

from bench.calibration import goals

_GOOD = dict(goals.MOST_MS)


def test_a_rate_within_its_limits() -> None:
    """Exactly at the limit still counts."""
    assert goals.of_rate(_GOOD) == "met"


@pytest.mark.parametrize("name", goals.MOST_MS)
@pytest.mark.parametrize("value", [9.0, -9.0, math.nan])
def test_a_rate_says_what_it_missed(name: str, value: float) -> None:
    """Reporting too little is as wrong as too much, and an unknown error keeps no promise."""
    assert goals.of_rate({**_GOOD, name: value}) == f"missed: {name.removesuffix(' ms')}"


@pytest.mark.parametrize(("error", "said"), [(2.4, "met"), (-2.4, "met"), (2.6, "missed: response error p95")])
def test_a_stall_is_judged_by_its_share(error: float, said: str) -> None:
    """5 % of the true response time at each quantile."""
    row: dict[str, Any] = {f"true response {q} ms": 50.0 for q in ("p50", "p95", "p99")}
    row |= {"response error p50 ms": 0.1, "response error p95 ms": error, "response error p99 ms": 0.1}
    assert goals.of_stall(row) == said


@pytest.mark.parametrize(("cpu", "said"), [(109.0, "met"), (50.0, "met"), (120.0, "missed: CPU a request +20%")])
def test_workers_are_judged_by_the_single_one(cpu: float, said: str) -> None:
    """A split load may cost a tenth more a request, and any amount less."""
    assert goals.of_workers({"CPU us/request": cpu}, {"CPU us/request": 100.0}) == said
