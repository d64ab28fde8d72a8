"""A run as its set lists it: trust, why it is left out, its figures with the intervals within the run. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bench.metrics import INTER_TOKEN_LATENCY, LATENCIES, TIME_TO_FIRST_TOKEN
from bench.runset.member import Member

Block = Mapping[str, Any]

_METRICS = (*LATENCIES, TIME_TO_FIRST_TOKEN, INTER_TOKEN_LATENCY)
_SHOWN = ("p50", "p99")
_ENDS = ("low", "high")


def line(member: Member) -> dict[str, Any]:
    """Nothing but its name and what is wrong for a run that cannot be read."""
    summary = member.summary or {"variants": {}}
    variants: Mapping[str, Block] = summary["variants"]
    return {
        "run_id": member.run_id,
        "trust": summary["trust"]["verdict"] if member.summary else "",
        "left_out": member.left_out,
        "figures": {name: _figures(block) for name, block in variants.items()},
        "intervals": {name: dict(_intervals(block)) for name, block in variants.items()},
        "differences": {one["candidate"]: dict(_differences(one)) for one in comparisons_of(summary)},
    }


def comparisons_of(summary: Block) -> list[Block]:
    """Every candidate against the baseline."""
    one = summary.get("comparison")
    return list(summary.get("comparisons") or ([one] if one else []))


def _figures(block: Block) -> dict[str, float | None]:
    return {f"{metric}.{name}": block[f"{metric}_ms"].get(name) for metric, name in _shown_figures(block)}


def _intervals(block: Block) -> Iterator[tuple[str, dict[str, float | None]]]:
    for metric, name in _shown_figures(block):
        found = block[f"{metric}_ms_interval"].get(name) or {}
        yield f"{metric}.{name}", {end: found.get(end) for end in _ENDS}


def _differences(comparison: Block) -> Iterator[tuple[str, dict[str, float | None]]]:
    for metric, name in _shown_figures(comparison):
        found = comparison[f"{metric}_ms"].get(name) or {}
        yield f"{metric}.{name}", {key: found.get(key) for key in ("estimate", *_ENDS)}


def _shown_figures(block: Block) -> Iterator[tuple[str, str]]:
    """(metric, quantile) of what a line shows; of streamed answers only where there were some."""
    return ((metric, name) for metric in _METRICS if f"{metric}_ms" in block for name in _SHOWN)
