"""What a master knows of one worker in a run."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import msgspec

from bench.live.view import View, of_worker
from bench.load.roles.commands import Change, Share, TakeOver
from bench.load.roles.losses import Loss
from bench.load.roles.messages import PROGRESS_HOLDS_NS, Progress, Ready
from bench.load.roles.part import Part
from bench.plan.run_plan import LoadChange


@dataclass(slots=True, kw_only=True)
class Member:
    """A worker that was given an order; `marks` are those of its orders.

    `looked_ns`: its `view` came then (monotonic). `shares` are what it took over from others, `taken` how often it was
    given more or something else to send; `idle_after` is how often it had been when it said that it was idle. Of a lost
    one, others have what is due after `given_up_ns` (the run's time), and `may_have_begun` counts what was due before.
    One that was given up and asked before it began anything more is `dismissed`; one that did not ask `came_back`, and
    has sent what others have sent.
    """

    node: str
    part: Part
    ready: Ready | None = None
    progress: Progress | None = None
    view: View | None = None
    looked_ns: int = 0
    shares: tuple[Share, ...] = ()
    taken: int = 0
    idle_after: int = -1
    drained: bool = False
    is_lost: bool = False
    loss: Loss | None = None
    given_up_ns: int = 0
    may_have_begun: int = 0
    dismissed: bool = False
    came_back: bool = False
    marks: set[str] = field(default_factory=set)
    refused: str = ""

    @property
    def name(self) -> str:
        return self.part.name

    @property
    def begun(self) -> int:
        """Arrivals begun, as it said last."""
        return self.progress.begun if self.progress is not None else 0

    @property
    def kept(self) -> int:
        """Arrivals on disk, as it said last."""
        return self.progress.kept if self.progress is not None else 0

    @property
    def is_idle(self) -> bool:
        """It has sent all it was dealt, also what it took over last."""
        return self.idle_after >= self.taken

    @property
    def can_take_over(self) -> bool:
        return self.ready is not None and self.part.has_share and not self.drained and not self.is_lost

    def seen(self, now_ns: int) -> View:
        """What a watcher is shown of it at `now_ns` (monotonic): silence, loss and lateness among it."""
        silent_s = max(now_ns - self.looked_ns, 0) / 1e9 if self.looked_ns else 0.0
        return of_worker(self.name, self.view, lost=self.is_lost, late=not self.part.has_share, silent_s=silent_s)

    def alive_until(self, now_ns: int, *, by_system: bool) -> int:
        """Until when it may have begun requests: now, where the system has just said that it is gone, or a second
        after its last word.

        What is due later it begins only after another word. What was due before that may have been begun, and a
        request that may have been is not sent again.
        """
        if self.refused:
            return -1  # it begins nothing, also not what is due at zero
        last_word_ns = self.progress.at_ns if self.progress is not None else -PROGRESS_HOLDS_NS
        return now_ns if by_system else min(last_word_ns + PROGRESS_HOLDS_NS, now_ns)

    def heard(self, progress: Progress) -> None:
        """Its word, which may be that of a lost one: what is on disk after all is not lost."""
        self.progress = progress
        if self.loss is not None:
            self.loss = replace(self.loss, samples=max(self.may_have_begun - self.kept, 0))

    def dismiss(self) -> None:
        """It was given up, and has woken without having begun more."""
        if self.loss is not None and not self.dismissed:
            self.dismissed = True
            self.loss = replace(self.loss, why=f"{self.loss.why}, and woke later")

    def runs_on(self, progress: Progress) -> bool:
        """It was given up, does not know, and has sent meanwhile what others have sent too."""
        given_up = self.loss is not None and not self.dismissed and not self.came_back
        return given_up and progress.at_ns > self.given_up_ns

    def come_back(self, progress: Progress) -> str:
        """What is said of one that ran on; the run is not whole."""
        self.came_back = True
        if self.loss is not None:
            self.loss = replace(self.loss, taken_over=False, why=f"{self.loss.why}, and came back")
        return (
            f"worker {self.name} was heard again {progress.at_ns / 1e9:.1f} s into the run: it had run on,"
            " so what others took over was sent twice, and the run is lost"
        )

    def shares_after(self, from_ns: int) -> tuple[Share, ...]:
        """What it had to send that is due later: its own part, and what it took over. Nothing if it had sent it all."""
        if self.is_idle or not self.part.has_share:
            return ()
        own = Share(worker=self.part.index, from_ns=from_ns)
        taken = (msgspec.structs.replace(share, from_ns=max(share.from_ns, from_ns)) for share in self.shares)
        return (own, *taken)

    def change(self, changes: tuple[LoadChange, ...]) -> Change:
        """The message that has it send at another rate."""
        self.taken += 1
        return Change(number=self.taken, changes=changes)

    def take_over(self, shares: tuple[Share, ...]) -> TakeOver:
        """The message that has it take over these too."""
        self.taken += 1
        self.shares = (*self.shares, *shares)
        return TakeOver(number=self.taken, shares=shares)
