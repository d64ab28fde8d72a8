"""What one request must keep to be good (`--goodput`), and its small grammar. Pure noun.

    objective = metric [ "." quantile ] ( "<" | "<=" ) number unit
    metric    = "time_to_first_token" | "response_time" | ...       one value a request, without a quantile
              | "inter_token_latency"                               with one: over that request's own gaps
    quantile  = "p50" | "p90" | "p95" | "p99" | "p99.9" | "mean" | "max"
    unit      = "us" | "ms" | "s"

A gate is a rule for a whole run; this is one for each request.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from bench.errors import UsageError
from bench.metrics import INTER_TOKEN_LATENCY, OBJECTIVES, STATISTICS, UNITS, Kind

_OBJECTIVE = re.compile(
    r"\s*(?P<metric>[a-z_]+)(?:\.(?P<quantile>[a-z]+\d*(?:\.\d+)?))?\s*(?P<sign><=?)\s*(?P<number>\d+(?:\.\d+)?)"
    r"\s*(?P<unit>[a-z]+)\s*"
)
_EXAMPLE = "write 'time_to_first_token < 500ms' or 'inter_token_latency.p99 < 50ms'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """`quantile` is empty for a metric with one value a request. `below_ms`: the limit; `or_equal`: it may be met."""

    metric: str
    quantile: str
    below_ms: float
    or_equal: bool
    text: str


def parse_objective(text: str) -> Objective:
    """UsageError for what is none."""
    found = _OBJECTIVE.fullmatch(text)
    if found is None:
        raise UsageError(f"--goodput {text[:60]!r} is no objective of a request", hint=_EXAMPLE)
    metric, quantile, unit = found["metric"], found["quantile"] or "", found["unit"]
    if metric not in OBJECTIVES:
        raise UsageError(f"--goodput: {metric!r} is no time of a request", hint=f"there are {', '.join(OBJECTIVES)}")
    if metric == INTER_TOKEN_LATENCY and quantile not in STATISTICS:
        raise UsageError(f"--goodput {text!r}: which of its gaps?", hint=f"{metric} has {', '.join(STATISTICS)}")
    if metric != INTER_TOKEN_LATENCY and quantile:
        raise UsageError(f"--goodput {text!r}: a request has one {metric}", hint=f"write {metric} alone")
    if unit not in UNITS[Kind.TIME]:
        raise UsageError(f"--goodput {text!r}: unknown unit {unit!r}", hint="write 500ms")
    below_ms = float(found["number"]) * float(UNITS[Kind.TIME][unit])
    if not 0 < below_ms < 1e9:
        raise UsageError(f"--goodput {text!r}: no request keeps that, or every one does", hint=_EXAMPLE)
    return Objective(
        metric=metric, quantile=quantile, below_ms=below_ms, or_equal=found["sign"] == "<=", text=" ".join(text.split())
    )


def parse_objectives(texts: Iterable[str]) -> tuple[Objective, ...]:
    """Each of them; all must hold for a request to be good."""
    return tuple(parse_objective(text) for text in texts)
