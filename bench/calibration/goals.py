"""What the harness promises on a quiet machine, and whether a row of the table keeps it. Pure.

The promises are those of docs/guides/calibration.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MOST_MS: Mapping[str, float] = {
    "service error p50 ms": 0.2,
    "service error p99 ms": 0.4,
    "service error p99.9 ms": 1.5,
    "lag p50 ms": 0.15,
    "lag p99 ms": 0.5,
}
"""At a rate that the core can hold."""

MOST_OF_STREAMS_MS: Mapping[str, float] = {
    "first token error p50 ms": 0.2,
    "first token error p99 ms": 0.5,
    "gap error p50 ms": 0.05,
    "gap error p99 ms": 0.2,
}
"""Of streamed answers, at up to 25,000 tokens a second on one core."""

MOST_OF_RESPONSE = 0.05
"""Error of response time, as a share of the true one, when the target stands still."""

MOST_CPU_GROWTH = 0.10
"""CPU a request on several workers, against that on one."""


def of_rate(row: Mapping[str, Any]) -> str:
    """`met`, or what was missed."""
    return _verdict([name.removesuffix(" ms") for name, most in MOST_MS.items() if not abs(row[name]) <= most])


def of_streams(row: Mapping[str, Any]) -> str:
    """The same for streamed answers, of which every token must be counted."""
    missed = [name.removesuffix(" ms") for name, most in MOST_OF_STREAMS_MS.items() if not abs(row[name]) <= most]
    return _verdict([*missed, *(["tokens miscounted"] if row["miscounted"] else [])])


def of_stall(row: Mapping[str, Any]) -> str:
    """The same for a target that stalls: the debt must show in response time as it was."""
    return _verdict(
        [
            f"response error {q}"
            for q in ("p50", "p95", "p99")
            if not abs(row[f"response error {q} ms"]) <= MOST_OF_RESPONSE * row[f"true response {q} ms"]
        ]
    )


def of_workers(row: Mapping[str, Any], one: Mapping[str, Any]) -> str:
    """The same for a load split among workers; `one` is the row of a single one."""
    growth = row["CPU us/request"] / one["CPU us/request"] - 1
    return _verdict([f"CPU a request {growth:+.0%}"] if growth > MOST_CPU_GROWTH else [])


def _verdict(missed: list[str]) -> str:
    return f"missed: {', '.join(missed)}" if missed else "met"
