"""A rate that was not judged is not one that failed; probes are as long as their objective needs."""

from __future__ import annotations

from typing import Any

import pytest

from bench.capacity.loop import conclusion, find
from bench.capacity.probe import LONGEST_S, Measured, length_s, probe_at
from bench.capacity.search import Probe, Search, best_rate
from bench.gates.expression import parse

P99 = [parse("response_time.p99 < 60ms")]


@pytest.mark.parametrize(
    ("slo", "rate", "attempt", "seconds"),
    [
        ("response_time.p99 < 60ms", 25, 0, 60),
        ("response_time.p99 < 60ms", 25, 1, 120),
        ("response_time.p99 < 60ms", 1000, 0, 10),
        ("response_time.p50 < 60ms", 25, 0, 10),
        ("response_time.p99.9 < 60ms", 1, 0, LONGEST_S),
        ("error_rate <= 1%", 25, 0, 10),
    ],
)
def test_a_probe_is_as_long_as_its_objective_needs(slo: str, rate: float, attempt: int, seconds: float) -> None:
    """1,500 requests for a p99; never for ever."""
    assert length_s([parse(slo)], rate, least_s=10, attempt=attempt) == seconds


def test_without_data_a_probe_is_repeated_longer_and_no_rate_is_said_to_fail() -> None:
    """The README's example found 'no rate held' where its probes were too short."""
    asked: list[tuple[float, float]] = []

    def measure(rate: float, seconds: float) -> Measured:
        asked.append((rate, seconds))
        return _summary(p99=None, verdict="TRUSTED"), ""

    probes = find(Search(first=25), P99, least_s=10, measure=measure, tell=lambda _: None)
    assert asked[:3] == [(25, 60), (25, 120), (50, 30)]
    assert len(asked) == 6
    assert best_rate(probes) is None
    assert conclusion(probes, "x", limit=None, limit_is_azures=False).startswith("no rate could be judged")


def test_where_the_client_cannot_be_judged_no_higher_rate_is_tried() -> None:
    """Once more, and then the answer says which rate it was and why."""

    def measure(rate: float, seconds: float) -> Measured:
        if rate < 100:
            return _summary(p99=50.0, verdict="TRUSTED"), ""
        summary = _summary(p99=50.0, verdict="INVALID")
        summary["trust"]["reasons"] = ["the client stood still"]
        return summary, ""

    probes = find(Search(first=50), P99, least_s=10, measure=measure, tell=lambda _: None)
    assert [(probe.rate, probe.holds) for probe in probes] == [(50, True), (100, None), (100, None)]
    assert conclusion(probes, "x", limit=None, limit_is_azures=False) == (
        "capacity: 50/s, the highest rate that held x; 100/s could not be judged: the client stood still"
    )


@pytest.mark.parametrize(
    ("summary", "unstable", "holds", "client"),
    [
        ({"p99": 50.0, "verdict": "TRUSTED"}, "", True, False),
        ({"p99": 50.0, "verdict": "INVALID"}, "", None, True),
        ({"p99": 90.0, "verdict": "TRUSTED"}, "", False, False),
        ({"p99": 50.0, "verdict": "TRUSTED"}, "the backlog grew", False, False),
        ({"p99": 90.0, "verdict": "INVALID", "late": ["the client was late"]}, "", False, True),
        ({"p99": None, "verdict": "TRUSTED"}, "", None, False),
    ],
)
def test_what_a_run_says_of_its_rate(summary: dict[str, Any], unstable: str, holds: bool | None, client: bool) -> None:
    """Trust counts, and whose limit it was."""
    probe = probe_at(100, P99, (_summary(**summary), unstable))
    assert (probe.holds, probe.client) == (holds, client)


def test_the_answer_says_when_the_client_was_the_limit() -> None:
    """The target may take more."""
    probes = [Probe(rate=100, holds=True), Probe(rate=200, holds=False, client=True), Probe(rate=100, holds=True)]
    assert "this client was the limit" in conclusion(probes, "x", limit=None, limit_is_azures=False)


def _summary(*, p99: float | None, verdict: str, late: list[str] | None = None) -> dict[str, Any]:
    interval = {} if p99 is None else {"p99": {"low": p99 - 5, "high": p99 + 5}}
    return {
        "trust": {
            "verdict": verdict,
            "reasons": late or [],
            "client_late": late or [],
            "achieved_rate": 100.0,
            "asked_rate": 100.0,
            "cpu": 0.2,
            "limits": {"cpu_invalid": 0.95},
        },
        "variants": {
            "key": {
                "requests": 500,
                "latency_samples": 500,
                "error_rate": 0.0,
                "response_time_ms": {"p50": 10.0, "p99": 55.0 if p99 is None else p99},
                "response_time_ms_interval": interval or {"p99": {"low": None, "high": None, "more_needed": 500}},
            }
        },
    }
