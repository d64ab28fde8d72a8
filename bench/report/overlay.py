"""One summary out of several, to lay runs over each other in a report. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_WORST_FIRST = ("INVALID", "SUSPECT", "TRUSTED")


def joint(summaries: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The variants of all runs as `run/variant`, the worst trust of any, and every reason with its run before it.

    There is no comparison: runs at different times are compared by `bench diff`, which allows for drift between them.
    """
    verdicts = [summary["trust"]["verdict"] for summary in summaries.values()]
    return {
        "schema_version": 1,
        "run_id": ", ".join(summaries),
        "trust": {
            "verdict": next((verdict for verdict in _WORST_FIRST if verdict in verdicts), _WORST_FIRST[0]),
            "reasons": [
                f"{run_id}: {reason}" for run_id, one in summaries.items() for reason in one["trust"]["reasons"]
            ],
            "runs": {run_id: summary["trust"] for run_id, summary in summaries.items()},
        },
        "problems": [
            f"{run_id}: {problem}" for run_id, one in summaries.items() for problem in one.get("problems", ())
        ],
        "variants": {
            f"{run_id}/{name}": variant
            for run_id, summary in summaries.items()
            for name, variant in summary["variants"].items()
        },
        "comparison": None,
    }
