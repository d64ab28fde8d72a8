"""What a response time is made of, as the report draws and says it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bench.metrics import PARTS

NAMES = {name: word.title for name, word in PARTS.items()}
"""Part -> what it is called, in the order a request meets them."""

_POINTS = ("p50", "p99")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Response times split into parts at one point of the distribution, and how the candidate differs in each.

    `bars` maps a variant to its parts in ms; `differences` maps a part to an estimate of the summary.
    """

    point: str
    bars: Mapping[str, Mapping[str, float]]
    differences: Mapping[str, Mapping[str, Any]]


def stacks(summary: Mapping[str, Any], comparisons: list[Mapping[str, Any]]) -> list[Stack]:
    """One stack a point and comparison; without any comparison, one of the means of all variants."""
    compared = [stack for comparison in comparisons for stack in _compared(comparison)]
    means = {name: _mean_parts(variant) for name, variant in summary["variants"].items()}
    known = {name: parts for name, parts in means.items() if parts}
    return compared or ([Stack(point="mean", bars=known, differences={})] if known else [])


def _compared(comparison: Mapping[str, Any]) -> Iterator[Stack]:
    for point in _POINTS:
        found = comparison["decomposition"].get(point)
        if found:
            bars = {comparison["baseline"]: found["baseline_ms"], comparison["candidate"]: found["candidate_ms"]}
            yield Stack(point=point, bars=bars, differences=found["difference_ms"])


def _mean_parts(variant: Mapping[str, Any]) -> dict[str, float]:
    """Means add up exactly; the server's share is shown only where the server reported it."""
    lag, wait, service, server = (
        variant[f"{metric}_ms"]["mean"] for metric in ("schedule_lag", "lease_wait", "service_time", "server_time")
    )
    if service is None:
        return {}
    if server is None or server > service:
        return {"schedule_lag": lag, "lease_wait": wait, "service_time": service}
    known = {"schedule_lag": lag, "lease_wait": wait, "server_time": server}
    round_trip = (variant.get("network") or {}).get("round_trip_ms")
    if round_trip is None:
        return {**known, "rest": service - server}
    way = min(round_trip, service - server)
    return {**known, "network": way, "front_end": service - server - way}
