"""One run of a set: its summary, or why it is left out. Pure noun."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WHOLE = ("completed", "decided")
"""How a run ends that went on for as long as it was asked to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """`summary` is None for a run that cannot be read; `unread` says why. `ended` is empty for one that was killed."""

    run_id: str
    ended: str = ""
    summary: Mapping[str, Any] | None = None
    unread: str = ""

    @property
    def left_out(self) -> str:
        """Why its figures do not count; empty when they do."""
        if self.summary is None:
            return self.unread or "it cannot be read"
        if self.ended not in WHOLE:
            return f"it ended early ({self.ended})" if self.ended else "it was killed"
        trust = self.summary["trust"]
        if trust["verdict"] == "INVALID":
            return f"INVALID: {next(iter(trust['reasons']), 'no reason given')}"
        return ""


def believed(members: Sequence[Member]) -> tuple[Mapping[str, Any], ...]:
    """The summaries that count."""
    return tuple(member.summary for member in members if member.summary is not None and not member.left_out)
