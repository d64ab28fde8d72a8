"""Conversations of several turns: which requests are not arrivals of their own, and how conversations ended. Pure."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from bench.analysis.run import LoadedRun, Mask
from bench.plan.prompt_plan import is_later_turn


def later_turns(run: LoadedRun) -> Mask:
    """The requests that followed an answer: no arrival asked for them."""
    request, words = run.plan.request, run.samples.words["request_class"]
    later = [word for word in words if is_later_turn(word)]
    if not later or not (request.chat or request.prompts is not None):
        return np.zeros(len(run.samples), bool)
    return run.samples.where("request_class", *later)


def block(run: LoadedRun, variant: str) -> dict[str, Any]:
    """How many conversations of a variant the whole run had, warm-up and all, and how many ended how; none without."""
    ended: Counter[str] = Counter()
    for records in run.health.values():
        for record in records:
            ended.update(record.get("conversations", {}).get(variant, {}))
    return {"conversations": {"count": ended.total(), "ended": dict(ended)}} if ended else {}
