"""One probe: how long it has to be for its objectives, and what it says. Pure.

A probe that could not be judged is not one that failed: it has no verdict. It failed when an objective was broken, the
rate was not kept, or a backlog grew; not when there were too few requests, or when the client itself was the limit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bench.analysis.quantiles import samples_needed
from bench.capacity.search import Probe
from bench.gates.evaluate import judge
from bench.gates.gate import Gate
from bench.gates.result import GateVerdict
from bench.metrics import PRINTED, Kind

Measured = tuple[dict[str, Any], str]
"""The summary of a probe's run, and why it was not stable ("" where it was)."""
Measure = Callable[[float, float], Measured]
"""Runs a probe at a rate (1/s) for a time (s)."""

LONGEST_S = 600.0
_SPARE = 1.5
"""Requests beyond the least, for answers that resemble their neighbours show less."""


def length_s(gates: Sequence[Gate], rate: float, *, least_s: float, attempt: int = 0) -> float:
    """Seconds at `rate` after which every objective can be judged; twice as long at each further attempt."""
    quantiles = [PRINTED.get(gate.quantile, 0.5) for gate in gates if gate.metric.kind is Kind.TIME]
    wanted = max((samples_needed(q) for q in quantiles), default=0) * _SPARE
    return float(min(max(least_s, math.ceil(wanted / rate)) * 2**attempt, LONGEST_S))


def probe_at(rate: float, gates: Sequence[Gate], found: Measured) -> Probe:
    """What the run says of the rate."""
    summary, unstable = found
    trust, block = summary["trust"], next(iter(summary["variants"].values()))
    figures = {
        "achieved": trust["achieved_rate"],
        "p50": block["response_time_ms"]["p50"],
        "p99": block["response_time_ms"]["p99"],
        "error_rate": block["error_rate"],
    }
    results = [judge(gate, summary) for gate in gates]
    broken = [one.sentence for one in results if one.verdict in (GateVerdict.FAIL, GateVerdict.INCONCLUSIVE)]
    broken += [unstable] if unstable else []
    without_data = [one.sentence for one in results if one.verdict is GateVerdict.NO_DATA]
    reason = next(iter(trust["reasons"]), "")
    if broken and _client_is_the_limit(trust):
        why = f"this client was the limit, not the target; raise --processes ({broken[0]})"
        return Probe(rate=rate, holds=False, why=why, figures=figures, client=True)
    if broken:
        return Probe(rate=rate, holds=False, why=broken[0], figures=figures)
    if without_data or trust["verdict"] == "INVALID":
        invalid = trust["verdict"] == "INVALID"
        return Probe(rate=rate, holds=None, why=reason if invalid else without_data[0], figures=figures, client=invalid)
    doubt = f"SUSPECT: {reason}" if trust["verdict"] == "SUSPECT" else ""
    return Probe(rate=rate, holds=True, why=doubt, figures=figures)


def _client_is_the_limit(trust: Mapping[str, Any]) -> bool:
    return bool(trust.get("client_late")) or (trust["cpu"] or 0) > trust["limits"]["cpu_invalid"]
