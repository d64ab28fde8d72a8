"""What a drill is: a fault script, the run it meets, and what the run may lose by it. Pure noun.

Times are seconds from the run's zero. Fault entries are written for the emulator (docs/guides/emulator.md); one without
`at` holds from before the run. A client fault is one that no emulator can give its client: the runner does it, with
signals.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bench.endpoint import AuthMode


class ClientFaultKind(StrEnum):
    """What the runner does itself."""

    KILL_AGENT = "kill_agent"
    """SIGKILL to the credential agent, a child of Locust."""
    FREEZE = "freeze"
    """SIGSTOP to the emulator, SIGCONT when `for_s` is over: what was sent is judged late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientFault:
    """Something done to a process at `at_s`, undone after `for_s` where it can be."""

    kind: ClientFaultKind
    at_s: float
    for_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """One drill. `begins_s` and `ends_s` are of the fault as the run feels it, equal for what happens at once.

    `emulator` are its options. `loses` says that requests must fail (nothing could serve them). After the fault's end
    no request fails or waits any more within `recovers_within_s`, and a fetch that had failed succeeds within
    `renews_within_s`: a second, except for drills whose text says why not. `causes` are the auth failures that may
    show.
    """

    name: str
    text: str
    auth_mode: AuthMode
    begins_s: float
    ends_s: float
    faults: tuple[Mapping[str, Any], ...] = ()
    client_faults: tuple[ClientFault, ...] = ()
    emulator: str = ""
    rate: float = 200.0
    users: int = 20
    duration_s: float = 7.0
    loses: bool = False
    recovers_within_s: float = 1.0
    renews_within_s: float = 1.0
    causes: frozenset[str] = frozenset()
