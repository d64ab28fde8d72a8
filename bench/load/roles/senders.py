"""Who sends the requests of a run, as its master sees them: this process. Edge.

`worker_senders` is the other kind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from bench.clock import ClockAnchor
from bench.live.view import View, view_of
from bench.load.roles.managers import ManagerPool
from bench.load.roles.part import Part
from bench.load.roles.sender import Sender
from bench.plan import RunPlan
from bench.rundir import RunDir

_LEAD_NS = 100_000_000
"""From the order to go to the run's zero: what is done meanwhile would make the first requests late."""


class Senders(Protocol):
    """The senders of one run."""

    lead_ns: int

    @property
    def size(self) -> int:
        """How many take part."""

    @property
    def complete(self) -> bool:
        """Nobody has died, so all users will be there."""

    def order(self, plan: RunPlan, pool: ManagerPool, run: RunDir) -> None: ...

    def ready(self) -> bool:
        """Everybody has what it needs. Raises the BenchError of one that has not."""

    def go(self, zero: ClockAnchor) -> None: ...

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

    size = 1
    lead_ns = _LEAD_NS
    complete = True

    def __init__(self, fire: Callable[..., None], on_flight: Callable[[Mapping[str, Any]], None]) -> None:
        self.sender: Sender | None = None
        self._fire = fire
        self._on_flight = on_flight

    def order(self, plan: RunPlan, pool: ManagerPool, run: RunDir) -> None:
        sender = Sender(
            plan,
            part=Part(),
            run=run,
            managers=pool.managers(plan.variants, on_flight=self._on_flight),
            fire=self._fire,
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
            self.sender = None
