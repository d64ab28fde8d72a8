"""Who sends the requests of a run, as its master sees them: this process. Edge. `workers` is the other kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from bench.clock import ClockAnchor
from bench.credentials import CredentialManager
from bench.live.view import View, view_of
from bench.load.roles.losses import Loss
from bench.load.roles.managers import ManagerPool
from bench.load.roles.part import Part
from bench.load.roles.request_events import RequestEvents
from bench.load.roles.sender import Sender
from bench.plan.run_plan import RunPlan
from bench.rundir import RunDir

_LEAD_NS = 100_000_000
"""From the order to go to the run's zero: what is done meanwhile would make the first requests late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskLoss:
    """What disks did not take: `samples` from `from_ns` on (the run's time), `lines` of health, `pieces` of files.

    `gaps` are those between the tokens of streamed answers.
    """

    samples: int = 0
    lines: int = 0
    pieces: int = 0
    gaps: int = 0
    from_ns: int | None = None


class Senders(Protocol):
    """The senders of one run; `losses` are workers that were lost in it."""

    lead_ns: int

    @property
    def losses(self) -> tuple[Loss, ...]: ...

    @property
    def names(self) -> tuple[str, ...]:
        """Who takes part; one that was lost did."""

    @property
    def complete(self) -> bool:
        """Nobody has died, so all users will be there."""

    def order(self, plan: RunPlan, pool: ManagerPool, run: RunDir) -> None: ...

    def ready(self) -> bool:
        """Everybody has what it needs. Raises the BenchError of one that has not."""

    @property
    def managers(self) -> tuple[CredentialManager, ...]:
        """This process's own."""

    @property
    def awaited(self) -> str:
        """Who has not, for people."""

    @property
    def all_lost(self) -> bool:
        """Nobody is left to send anything."""

    def go(self, zero: ClockAnchor) -> None: ...

    def look(self) -> None:
        """See who is still there. Call it all the time."""

    def disk_loss(self) -> DiskLoss: ...

    def close(self) -> None:
        """Locust is quitting."""

    def change(self, plan: RunPlan) -> None:
        """The last change of this plan is of the rate: send as it says."""

    def cut(self) -> None:
        """The run ends here: what is due later is not part of it. Safe to call twice."""

    def drained(self) -> bool:
        """All that was due has been sent and answered."""

    def facts(self) -> dict[str, Any]:
        """`request_bytes` by variant, and the `pacer`'s name."""

    def view(self) -> View: ...

    def finish(self) -> None:
        """The test has stopped: write everything, forget every secret. Safe to call twice."""


class LocalSender:
    """This process alone."""

    names = ("w0",)
    lead_ns = _LEAD_NS
    complete = True
    awaited = ""
    all_lost = False
    losses: tuple[Loss, ...] = ()

    def __init__(self, events: RequestEvents, on_flight: Callable[[Mapping[str, Any]], None]) -> None:
        self.sender: Sender | None = None
        self._events = events
        self._on_flight = on_flight
        self._disk_loss = DiskLoss()

    def order(self, plan: RunPlan, pool: ManagerPool, run: RunDir) -> None:
        self._disk_loss = DiskLoss()
        sender = Sender(
            plan,
            part=Part(),
            run=run,
            managers=pool.managers(plan.variants, on_flight=self._on_flight),
            events=self._events,
            say=pool.say,
        )
        try:
            sender.make_ready()
        except BaseException:
            sender.finish()
            raise
        self.sender = sender

    def ready(self) -> bool:
        return True

    def go(self, zero: ClockAnchor) -> None:
        if self.sender is not None:
            self.sender.go(zero.monotonic_ns)

    @property
    def managers(self) -> tuple[CredentialManager, ...]:
        return self.sender.managers if self.sender is not None else ()

    def look(self) -> None:
        """It is here."""

    def disk_loss(self) -> DiskLoss:
        if self.sender is not None:
            progress = self.sender.progress()
            self._disk_loss = DiskLoss(
                samples=progress.unwritten,
                lines=progress.lost_lines,
                gaps=progress.lost_gaps,
                from_ns=progress.lost_from_ns,
            )
        return self._disk_loss

    def close(self) -> None:
        """It has finished."""

    def change(self, plan: RunPlan) -> None:
        if self.sender is not None:
            self.sender.change(plan.changes)

    def cut(self) -> None:
        if self.sender is not None:
            self.sender.cut()

    def drained(self) -> bool:
        return self.sender is None or self.sender.drained()

    def facts(self) -> dict[str, Any]:
        return self.sender.facts() if self.sender is not None else {}

    def view(self) -> View:
        return view_of(self.sender)

    def finish(self) -> None:
        if self.sender is not None:
            self.sender.finish()
            self.disk_loss()
            self.sender = None
