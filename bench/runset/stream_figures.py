"""Streamed answers and goodput of a variant over the runs of a set. Pure.

Where a run had no streamed answer the set has no figure of streams, and `without_streams` names that run: the figures
of the others would be of another target than the set's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.metrics import STREAM_DURATIONS
from bench.runset.over_runs import Block, durations, mean_of, rate_of, share_of, sum_of, summed

_COUNTS = ("answers", "whole", "tokenless", "plain", "output_tokens", "prompt_tokens", "content_events")


def combined(blocks: Mapping[str, Block]) -> dict[str, Any]:
    """The blocks of a variant, by run, as the same blocks of the set; nothing where no run has any."""
    return {**_streams(blocks), **_goodput(list(blocks.values()))}


def _streams(blocks: Mapping[str, Block]) -> dict[str, Any]:
    without = [run_id for run_id, block in blocks.items() if "streams" not in block]
    if without:
        return {"without_streams": without} if len(without) < len(blocks) else {}
    every = list(blocks.values())
    found: dict[str, Any] = {"streams": _tokens([block["streams"] for block in every])}
    for metric in STREAM_DURATIONS:
        found |= durations(metric, every)
    return found


def _tokens(streams: Sequence[Block]) -> dict[str, Any]:
    counted = [one["per_event"] for one in streams if one["per_event"] is not None]
    return {
        **{name: sum(one[name] for one in streams) for name in _COUNTS},
        "tokens_from": summed(one["tokens_from"] for one in streams),
        "requests": summed(one["requests"] for one in streams),
        "per_event": mean_of(counted),
        **rate_of(streams, "throughput"),
        **rate_of(streams, "throughput_per_user"),
    }


def _goodput(blocks: Sequence[Block]) -> dict[str, Any]:
    told = [block["goodput"] for block in blocks if "goodput" in block]
    if not told or len(told) < len(blocks):
        return {}
    return {
        "goodput": {
            "objectives": told[0]["objectives"],
            "requests": sum_of(one["requests"] for one in told),
            **share_of(told),
            **rate_of(told, "throughput"),
            **({"why": why} if (why := next((one["why"] for one in told if "why" in one), "")) else {}),
        }
    }
