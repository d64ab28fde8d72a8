"""Durations as people write them. Pure; the command line and the fault script read them here."""

from __future__ import annotations

import math
import re
from typing import Any

_UNITS = {"": 1.0, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"([+-]?\d+(?:\.\d*)?|[+-]?\.\d+)\s*([a-z]*)")


def seconds(value: Any) -> float:
    """Seconds for 2, 0.5, "500ms", "30s", "2m" or "-10m". ValueError for anything else."""
    match = _DURATION.fullmatch(str(value).strip())
    if isinstance(value, bool) or not match or match[2] not in _UNITS:
        raise ValueError(f"{value!r} is no duration; write 30s, 500ms, 2m or plain seconds")
    duration_s = float(match[1]) * _UNITS[match[2]]
    if not math.isfinite(duration_s):
        raise ValueError(f"{value!r} is no duration")
    return duration_s


def nanoseconds(value: Any) -> int:
    """Like `seconds`, in whole nanoseconds."""
    return round(seconds(value) * 1e9)
