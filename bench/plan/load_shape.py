"""The LoadTestShape of a manifest, in words by which two runs can be distinguished. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def shape_words(manifest: Mapping[str, Any]) -> str:
    """`Steps: 5, 20 users`; `Ramp: 1 to 90 users` where there are too many stages to list; empty without a shape.

    Not when: a shape is asked once a second, so that no two runs change at the same moment.
    """
    shape = manifest.get("shape")
    if not shape:
        return ""
    stages = shape.get("stages", ())
    if not stages or len(stages) == shape.get("changes"):
        users = ", ".join(str(stage["most_users"]) for stage in stages)
    else:
        fewest, most = min(stage["fewest_users"] for stage in stages), max(stage["most_users"] for stage in stages)
        users = f"{fewest} to {most}"
    return f"{shape['name']}: {users} users"
