"""Streamed answers, conversations and goodput of a variant over the runs of a set. Pure.

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
    every = list(blocks.values())
    return {**_streams(blocks), **_conversations(every), **_goodput(every)}


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
        "lengths": _lengths([one.get("lengths") or {} for one in streams]),
        "per_event": mean_of(counted),
        **rate_of(streams, "throughput"),
        **rate_of(streams, "throughput_per_user"),
    }


def _lengths(lengths: Sequence[Mapping[str, Block]]) -> dict[str, Any]:
    """Of prompts and answers, where every run knows them: the least and the most of all runs, and means over them."""
    over = {"least": min, "most": max}
    return {
        name: {key: over.get(key, mean_of)([one[name][key] for one in lengths]) for key in lengths[0][name]}
        for name in lengths[0]
        if all(name in one for one in lengths)
    }


def _conversations(blocks: Sequence[Block]) -> dict[str, Any]:
    held = [block["conversations"] for block in blocks if "conversations" in block]
    if not held:
        return {}
    ended = summed(one["ended"] for one in held)
    return {"conversations": {"count": sum(ended.values()), "ended": ended}}


def _goodput(blocks: Sequence[Block]) -> dict[str, Any]:
    goodputs = [block["goodput"] for block in blocks if "goodput" in block]
    if not goodputs or len(goodputs) < len(blocks):
        return {}
    return {
        "goodput": {
            "objectives": goodputs[0]["objectives"],
            "requests": sum_of(one["requests"] for one in goodputs),
            **share_of(goodputs),
            **rate_of(goodputs, "throughput"),
            **({"why": why} if (why := next((one["why"] for one in goodputs if "why" in one), "")) else {}),
        }
    }
