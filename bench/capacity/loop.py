"""Probe until the search is over. Pure but for what it is given: `measure` runs a probe, `tell` is called with each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.capacity.probe import Measure, length_s, probe_at
from bench.capacity.search import Probe, Search, best_rate
from bench.gates.gate import Gate


def find(
    search: Search, gates: Sequence[Gate], *, least_s: float, measure: Measure, tell: Callable[[Probe], None]
) -> list[Probe]:
    """All probes in the order in which they were made. One that could not be judged is repeated for twice as long."""
    probes: list[Probe] = []
    while (rate := search.next_rate(probes)) is not None:
        attempt = sum(probe.rate == rate and probe.holds is None for probe in probes)
        seconds = length_s(gates, rate, least_s=least_s, attempt=attempt)
        probes.append(probe_at(rate, gates, measure(rate, seconds)))
        tell(probes[-1])
    return probes


def conclusion(probes: Sequence[Probe], objective: str, *, limit: float | None, limit_is_azures: bool) -> str:
    """The answer in one sentence."""
    best = best_rate(probes)
    if best is None:
        if not any(probe.holds is False for probe in probes):
            return f"no rate could be judged by {objective}: {probes[-1].why}"
        return f"no rate held {objective}; the lowest tried was {min(probe.rate for probe in probes):g}/s"
    said = f"capacity: {best:,.6g}/s, the highest rate that held {objective}"
    doubts = [probe.why for probe in probes if probe.rate == best and probe.why]
    said += f" ({doubts[-1]})" if doubts else ""
    if limit is not None and best >= limit:
        said += f"; {limit:g}/s is the highest rate that the search was to try"
        return said + (
            ", Azure's documented limit of requests/s and connections of an endpoint" if limit_is_azures else ""
        )
    failing = [probe for probe in probes if probe.holds is False and probe.rate > best]
    if failing and min(failing, key=lambda probe: probe.rate).client:
        return f"{said}; beyond it this client was the limit, the target may take more"
    if not failing:
        unjudged = [probe for probe in probes if probe.holds is None and probe.rate > best]
        return f"{said}; {unjudged[0].rate:,.6g}/s could not be judged: {unjudged[-1].why}" if unjudged else said
    return said
