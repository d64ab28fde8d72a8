"""Whether a drill went well enough. Pure.

The goals: nothing is lost beyond what was in flight, unless nothing could have served it; a second after the fault's
end no request fails or waits any more and the credential is renewed; never more than one fetch a back-off interval,
however many wait; every refusal has its right cause.
"""

from __future__ import annotations

from collections.abc import Iterator

from bench.drills.drill import Drill
from bench.drills.findings import Findings

SHORTEST_PAUSE_S = 0.1
"""The policy's base delay: from one fetch to the next there is never less."""
_CLOCK_S = 0.001


def missed(drill: Drill, found: Findings) -> tuple[str, ...]:
    """The goals that were missed, each in a few words; empty when all is well."""
    return tuple(_missed(drill, found))


def _missed(drill: Drill, found: Findings) -> Iterator[str]:
    beyond = found.lost - found.lost_in_flight
    if beyond and not drill.loses:
        yield f"{beyond} lost beyond those in flight"
    if found.recovered_s > drill.recovers_within_s:
        yield f"recovered {found.recovered_s:.1f} s after the fault, not within {drill.recovers_within_s:g} s"
    if found.renewed_s is not None and found.renewed_s > drill.renews_within_s:
        yield f"renewed {found.renewed_s:.1f} s after the fault, not within {drill.renews_within_s:g} s"
    if found.missing:
        yield f"{found.missing} arrivals have no sample"
    if found.overlapping_fetches:
        yield f"{found.overlapping_fetches} fetches at the same time as another"
    if found.unexplained_calls:
        yield f"{found.unexplained_calls} control-plane calls that no fetch accounts for"
    if found.shortest_pause_s is not None and found.shortest_pause_s < SHORTEST_PAUSE_S - _CLOCK_S:
        yield f"a fetch {found.shortest_pause_s * 1000:.0f} ms after another"
    if found.classified < found.refused:
        yield f"{found.refused - found.classified} of {found.refused} refusals misjudged: {', '.join(found.misjudged)}"
    if surprising := sorted(set(found.by_cause) - drill.causes):
        yield f"auth failures nobody expected: {', '.join(surprising)}"
