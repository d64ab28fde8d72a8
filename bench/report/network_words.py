"""What the summary knows of the network, in words: round trip, addresses, what was sent again or held back. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bench.numbers import count, listed, milliseconds, percent, plural
from bench.report.words import Summary

_MOST_PLACES = 8
UNKNOWN = "not known, for the client's system does not report it (Linux's TCP_INFO)"
FAR_END = "to the first TCP end (a proxy, or Azure's front door)"


def sentences(summary: Summary) -> list[str]:
    """Without full stops; variants of which the same is to be said share one."""
    by_text: dict[str, list[str]] = {}
    for name, variant in summary["variants"].items():
        for text in _of(variant):
            by_text.setdefault(text, []).append(name)
    return [text if len(summary["variants"]) == 1 else f"{listed(names)}: {text}" for text, names in by_text.items()]


def _of(variant: Mapping[str, Any]) -> Iterator[str]:
    if "network" not in variant:
        return  # several runs, or one that an older version summarised
    found = variant["network"]
    if found is None or found["round_trip_ms"] is None:
        yield f"round trip {FAR_END}: {UNKNOWN}"
    else:
        again = f", {plural(found['sent_again'], 'TCP segment')} sent again" if found["sent_again"] else ""
        yield f"round trip {milliseconds(found['round_trip_ms'])} ms {FAR_END}{again}"
    places = found["places"] if found else []
    if len(places) > 1:
        shown = listed([_place(place) for place in places[:_MOST_PLACES]])
        more = f" and {len(places) - _MOST_PLACES} more" if len(places) > _MOST_PLACES else ""
        yield f"connections to {len(places)} addresses: {shown}{more}"
    held = variant["held_back"]
    if held["answers"]:
        share = percent(held["answers"] / variant["requests"]) if variant["requests"] else count(held["answers"])
        yield (
            f"{share} of the answers say that the endpoint's bandwidth limit held them back, by "
            f"{milliseconds(held['request_ms'])} ms for the request and {milliseconds(held['response_ms'])} ms for the "
            "answer on average"
        )


def _place(place: Mapping[str, Any]) -> str:
    took = f", {milliseconds(place['round_trip_ms'])} ms" if place["round_trip_ms"] is not None else ""
    return f"{place['to']} ({count(place['connections'])} at once, {count(place['opened'])} opened{took})"
