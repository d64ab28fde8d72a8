"""What a master sends its workers while a run goes on, sealed as its orders are. Edge: entropy.

    go          the run's zero
    take_over   a share of the arrivals that a lost worker had not begun
    go_on       the answer to one that stood still: it was not given up
    change      from a moment on the rate is another
    cut         the run is over: what is due later is not part of it
    dismiss     it was given up, and others have its share: begin nothing any more

A worker takes what is sealed with its run's key, each once. One that took an open order, for it shares no key with its
master, takes open commands: whoever is between the two can have it send more, less or later, as with its order, and
nothing else, nowhere else.
"""

from __future__ import annotations

import msgspec

from bench.credentials import RelayKey
from bench.credentials.relay.messages import MASTER
from bench.credentials.relay.seal import SealBroken, Sealer
from bench.load.roles.messages import Message
from bench.plan.load_changes import MOST_CHANGES, are_possible
from bench.plan.run_plan import LoadChange


class Go(msgspec.Struct, frozen=True, tag="go"):
    """The run's zero, on the master's clocks."""

    monotonic_ns: int
    wall_ns: int
    host: str


class Share(msgspec.Struct, frozen=True):
    """Some of the arrivals that were dealt to worker number `worker`, due after `from_ns`.

    `splits` are (offset, step) pairs, applied to all of them one after the other: who took over from a worker that is
    lost later has its part dealt again.
    """

    worker: int
    from_ns: int
    splits: tuple[tuple[int, int], ...] = ()


class TakeOver(msgspec.Struct, frozen=True, tag="take_over"):
    """The `number`-th time (from 1, with changes of the load) that this worker takes over."""

    number: int
    shares: tuple[Share, ...]


class Change(msgspec.Struct, frozen=True, tag="change"):
    """The `number`-th time (from 1, with what it takes over) that this worker has something else to send.

    All `changes` of the load so far; the last one is of the rate.
    """

    number: int
    changes: tuple[LoadChange, ...]

    def __post_init__(self) -> None:
        if not 0 < len(self.changes) <= MOST_CHANGES or not are_possible(self.changes):
            raise ValueError("a change is out of bounds")


class GoOn(msgspec.Struct, frozen=True, tag="go_on"):
    """To question `number` of a worker that woke."""

    number: int


class Cut(msgspec.Struct, frozen=True, tag="cut"):
    """The run is over."""


class Dismiss(msgspec.Struct, frozen=True, tag="dismiss"):
    """Begin nothing any more."""


Command = Go | TakeOver | Change | GoOn | Cut | Dismiss


class CommandMessage(Message, frozen=True):
    """A command on its way. `open` is there only where the master was given no BENCH_RELAY_KEY."""

    kind = "bench_command"
    sealed: dict[str, str | int]
    open: Command | None = None


class Commander:
    """The master's end, for one run."""

    def __init__(self, key: RelayKey, *, run_id: str) -> None:
        self._sealer = Sealer(key, run_id=_purpose(run_id), me=MASTER)
        self._is_closed = key.is_given

    def message(self, command: Command, *, to: str) -> CommandMessage:
        """For the worker called that."""
        sealed = self._sealer.seal(msgspec.to_builtins(command), to=to)
        return CommandMessage(sealed=sealed, open=None if self._is_closed else command)


class CommandReader:
    """The end of the worker called `me`, for one run; `takes_open` commands only if it took an open order."""

    def __init__(self, key: RelayKey, *, run_id: str, me: str, takes_open: bool) -> None:
        self._sealer = Sealer(key, run_id=_purpose(run_id), me=me)
        self._takes_open = takes_open

    def read(self, message: CommandMessage) -> Command:
        """What the master says. SealBroken for what it did not say, or had said before."""
        if self._takes_open:
            if message.open is None:
                raise SealBroken
            return message.open
        opened = self._sealer.open(message.sealed)
        try:
            command: Command = msgspec.convert(opened, Command)
        except msgspec.ValidationError as exc:
            raise SealBroken from exc
        return command


def _purpose(run_id: str) -> str:
    """Commands have a key of their own, lest they and orders share sequence numbers."""
    return f"{run_id} command"
