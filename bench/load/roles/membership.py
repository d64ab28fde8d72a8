"""Which workers a run has, who of them is ready, and who is gone. Edge: Locust's list of them, their processes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bench.errors import RunInvalid
from bench.live.view import View, merge
from bench.load.roles.losses import Loss
from bench.load.roles.member import Member
from bench.load.roles.messages import Ready
from bench.load.roles.part import Part
from bench.load.roles.processes import end_child, is_alive
from bench.load.roles.senders import DiskLoss

DIED = "its process died"


class Membership:
    """Those that were given an order, by Locust's name of them (`node`)."""

    def __init__(self, runner: Any) -> None:
        self._runner = runner
        self._members: dict[str, Member] = {}
        self._pids: dict[str, int] = {}
        self._dealt_to = 0

    def begin(self) -> tuple[str, ...]:
        """A new run is dealt among those that are there now; they are its first members. Locust keeps one that was lost
        in its list for a while."""
        self._members = {}
        nodes = tuple(sorted(node for node in self._runner.clients if not self.why_gone(node)))
        self._dealt_to = len(nodes)
        return nodes

    def join(self, node: str) -> Member:
        """The member called that; a new one is the next part's."""
        if node not in self._members:
            self._members[node] = Member(node=node, part=Part(index=len(self._members), workers=self._dealt_to))
        return self._members[node]

    def runs_as(self, node: str, pid: int) -> None:
        """Its process is this machine's number `pid`."""
        self._pids[node] = pid

    def __contains__(self, node: str) -> bool:
        return node in self._members

    def __getitem__(self, node: str) -> Member:
        return self._members[node]

    def __iter__(self) -> Iterator[Member]:
        return iter(self._members.values())

    def get(self, node: str) -> Member | None:
        return self._members.get(node)

    @property
    def names(self) -> tuple[str, ...]:
        """Of those that took their orders, the late ones too."""
        return tuple(member.name for member in self if not member.refused)

    @property
    def awaited(self) -> str:
        """Who is not ready yet, for people."""
        return ", ".join(member.name for member in self if not self._has_answered(member))

    def all_ready(self) -> bool:
        """Whoever is there is ready. RunInvalid when nobody is left."""
        if self.all_lost:
            refused = [f"{member.name} is refused: {member.refused}" for member in self if member.refused]
            raise RunInvalid(
                f"no worker can send anything: {refused[0]}" if refused else "all workers died before the run began",
                hint="what they wrote on stderr says why",
            )
        return all(self._has_answered(member) for member in self)

    @property
    def complete(self) -> bool:
        return not any(self.why_gone(member.node) for member in self)

    @property
    def all_lost(self) -> bool:
        """Nobody is left to send anything."""
        return all(member.is_lost or (not member.drained and self.why_gone(member.node)) for member in self)

    def drained(self) -> bool:
        """A late worker that is not ready yet keeps nobody waiting."""
        return all(
            member.is_lost or member.drained or member.is_idle
            for member in self
            if member.ready is not None or member.part.has_share
        )

    def all_reported(self) -> bool:
        """Every worker has sent its last message; one that was given up and is back still has to."""
        return all(
            member.drained or (member.is_lost and not (member.dismissed and not self.why_gone(member.node)))
            for member in self
            if member.ready is not None
        )

    def newly_gone(self) -> dict[str, str]:
        """Those that are given up now, and why."""
        lost = {}
        for member in self:
            if not member.is_lost and not member.drained and (why := self.why_gone(member.node)):
                lost[member.node] = why
        for node in lost:
            self._members[node].is_lost = True
        return lost

    def why_gone(self, node: str) -> str:
        """Why a worker is given up; empty for one that is there."""
        if node in self._members and self._members[node].refused:
            return f"refused, {self._members[node].refused}"
        pid = self._pids.get(node)
        if pid is not None and not is_alive(pid):
            return DIED
        clients = self._runner.clients
        if node not in clients:
            return "it left"
        return "it fell silent" if node in {client.id for client in clients.missing} else ""

    def end_those_that_are_stopped(self) -> None:
        """Workers of this process's own that do not listen are killed: they may be stopped, and would stay for ever."""
        for node, pid in self._pids.items():
            member = self._members.get(node)
            if member is not None and member.is_lost:
                end_child(pid)

    def facts(self) -> Ready | None:
        """What one of them said when it was ready."""
        return next((member.ready for member in self if member.ready is not None), None)

    def view(self, now_ns: int) -> View:
        """What can be seen of all at `now_ns` (monotonic)."""
        return merge(member.seen(now_ns) for member in self)

    def disk_loss(self, *, pieces: int) -> DiskLoss:
        """What their disks did not take, and `pieces` of their files not the master's."""
        reports = [member.progress for member in self if member.progress is not None]
        since = [progress.lost_from_ns for progress in reports if progress.lost_from_ns is not None]
        return DiskLoss(
            samples=sum(progress.unwritten for progress in reports),
            lines=sum(progress.lost_lines for progress in reports),
            pieces=pieces,
            gaps=sum(progress.lost_gaps for progress in reports),
            from_ns=min(since, default=None),
        )

    @property
    def losses(self) -> tuple[Loss, ...]:
        """In the order in which they happened."""
        return tuple(sorted((member.loss for member in self if member.loss is not None), key=lambda loss: loss.at_ns))

    def _has_answered(self, member: Member) -> bool:
        return member.ready is not None or bool(self.why_gone(member.node))
