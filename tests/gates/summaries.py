"""Summaries with round figures, for tests that are about gates and not about statistics."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.analysis import rates
from bench.analysis.blocks import CELLS
from bench.sample import Outcome

Summary = dict[str, Any]


def variant(
    *,
    requests: int = 10_000,
    p99: float | None = 100.0,
    within: float | None = 5.0,
    more_needed: int = 0,
    outcomes: dict[str, int] | None = None,
    refreshes: tuple[int, int] = (3, 0),
    throughput: float = 100.0,
) -> dict[str, Any]:
    """A variant's block: response_time.p99 is `p99` ms, give or take `within`; `outcomes` are those that are not ok."""
    bad = outcomes or {}
    counts = {"ok": requests - sum(bad.values()), **bad}
    times = {"p50": 10.0, "p99": p99, "max": 900.0}
    interval: dict[str, Any] = {"low": None, "high": None, "more_needed": more_needed}
    if p99 is not None and within is not None:
        interval = {"low": p99 - within, "high": p99 + within}
    return {
        "auth_mode": "key",
        "requests": requests,
        "latency_samples": requests,
        "throughput": throughput,
        "error_rate": sum(bad.values()) / requests if requests else 0.0,
        "error_rate_interval": scattered(sum(bad.values()), requests),
        "outcomes": counts,
        "outcome_rates": {name: scattered(counts.get(name, 0), requests) for name in Outcome},
        "auth_failures": {"count": bad.get("auth_failure", 0), "by_cause": {}},
        "refreshes": {"count": refreshes[0], "failures": refreshes[1], "by_cause": {}},
        "response_time_ms": times,
        "response_time_ms_interval": {"p99": interval},
    }


def scattered(hits: int, requests: int) -> dict[str, float | None]:
    """The interval of the share of events that come by themselves."""
    spread = np.bincount(np.linspace(0, CELLS - 1, hits).astype(int), minlength=CELLS)
    found = rates.own(rates.Share(hits=spread, count=np.full(CELLS, requests / CELLS), span_s=40.0))
    return {"low": found.low, "high": found.high} if requests else {"low": None, "high": None}


def summary(
    *, trust: str = "TRUSTED", achieved: float = 200.0, overhead: tuple[float, float] | None = None, **variants: Any
) -> Summary:
    """A run's summary with these variants, one called key if none is given; `overhead` is (p99, half width) in ms."""
    made: Summary = {
        "schema_version": 1,
        "run_id": "20260101-000000-000-beef",
        "trust": {
            "verdict": trust,
            "reasons": ["the client was the bottleneck"] if trust == "INVALID" else [],
            "asked_rate": 200.0,
            "achieved_rate": achieved,
            "dropped_arrivals": 0,
        },
        "variants": variants or {"key": variant()},
    }
    if overhead:
        estimate, half = overhead
        made["comparison"] = {
            "baseline": "key",
            "candidate": "aml_token",
            "response_time_ms": {"p99": {"estimate": estimate, "low": estimate - half, "high": estimate + half}},
        }
    return made
