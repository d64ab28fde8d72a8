"""What master and workers say to each other beside Locust's own messages: one class a message, and a `Channel`.

    master  <── here ───────  worker     it can take orders: Locust connects a worker before it loads the locustfile's
    master  ─── order ─────>  worker     plan, target, folder, its part (see `order`)
    master  <── refused ──  worker     it does not take that order: its key, its target or its files are others
    master  <── ready ──────  worker     leases fetched, or the error that prevented it
    master  ─── command ───>  worker     go, take over, change, go on, cut, dismiss (see `commands`)
    master  <── progress ───  worker     twice a second: what it has begun, and what its disk did not take
    master  <── woke ───────  worker     it stood still, and begins nothing before it knows that it was not given up
    master  <── look ───────  worker     once a second: what can be seen of it
    master  <── flight ─────  worker     one credential fetch of its own, in the run's time
    master  <── failed ─────  worker     an exception that ends the run
    master  <── piece ──────  worker     of its files, where the master cannot see its disk
    master  <── idle ───────  worker     all sent and answered; it may take over more
    master  <── drained ────  worker     after a cut: all sent, answered and written
    master  <── relay ─────>  worker     sealed leases (see `credentials.relay`)

Whatever comes in is a stranger's until it has been decoded: what does not fit its class, and what comes from somebody
who is not expected, is dropped, counted, and said once a kind. Edge: Locust's messages.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from typing import Annotated, Any, ClassVar, TypeVar

import msgspec

from bench.live.view import View
from bench.process import supervise

PROGRESS_HOLDS_NS = 1_000_000_000
"""A worker begins nothing later than this after the `at_ns` of its last word: what is due later is dealt to others."""


class Message(msgspec.Struct, frozen=True):
    """A message of plain values; `kind` is what Locust calls it."""

    kind: ClassVar[str]


class Here(Message, frozen=True):
    """By `pid` a master on the same `host` sees whether the worker lives."""

    kind = "bench_here"
    pid: int = 0
    host: str = ""


class Ready(Message, frozen=True):
    """`error` says why it is not."""

    kind = "bench_ready"
    request_bytes: dict[str, int] = {}
    pacer: str = ""
    error: str = ""
    exit_code: Annotated[int, msgspec.Meta(ge=1, le=11)] = 1


class Refused(Message, frozen=True):
    """It does not take the order with that `mark`. `why` is one line."""

    kind = "bench_refused"
    mark: str
    why: Annotated[str, msgspec.Meta(max_length=300)]


class Progress(Message, frozen=True):
    """Of arrivals this worker was dealt `begun` are under way, and `kept` are on disk; times in the run's own.

    `unwritten` samples, `lost_lines` of health and `lost_gaps` between tokens were not taken by the disk; samples from
    `lost_from_ns` on.
    """

    kind = "bench_progress"
    at_ns: int
    begun: int = 0
    kept: int = 0
    unwritten: int = 0
    lost_lines: int = 0
    lost_gaps: int = 0
    lost_from_ns: int | None = None


class Woke(Message, frozen=True):
    """Its `number`-th question (from 1) whether it may go on; `progress` as it wakes."""

    kind = "bench_woke"
    number: int
    progress: Progress


class Look(Message, frozen=True):
    """What a watcher is shown of it; the leases are the master's."""

    kind = "bench_look"
    view: View


class Idle(Message, frozen=True):
    """All that was due has been sent and answered, also after taking over `taken` times."""

    kind = "bench_idle"
    taken: int = 0


class Flight(Message, frozen=True):
    """A record of flights.jsonl."""

    kind = "bench_flight"
    record: dict[str, str | int | float | bool | None]


class Failed(Message, frozen=True):
    """`traceback` holds no secret that the worker knows. `exit_code` is not 1 where it is no bug."""

    kind = "bench_failed"
    where: str
    error: str
    traceback: str
    exit_code: Annotated[int, msgspec.Meta(ge=1, le=11)] = 1


class Piece(Message, frozen=True):
    """The next bytes of one of the sender's files; `file` says which kind."""

    kind = "bench_piece"
    file: str
    data: bytes


class Drained(Message, frozen=True):
    """The last word; `progress` as at the very end."""

    kind = "bench_drained"
    progress: Progress | None = None


class Relay(Message, frozen=True):
    """An envelope: see `credentials.relay.seal`."""

    kind = "bench_relay"
    envelope: dict[str, str | int | bool]


M = TypeVar("M", bound=Message)


class Channel:
    """One process's end of the messages, on a Locust `runner`."""

    def __init__(self, runner: Any) -> None:
        self.refused: Counter[str] = Counter()
        """How many messages of each kind were dropped."""
        self._runner = runner

    def send(self, message: Message, *, to: str | None = None) -> None:
        """To the worker called that, or to all; on a worker to the master."""
        self._runner.send_message(message.kind, msgspec.to_builtins(message, builtin_types=(bytes,)), client_id=to)

    def on(
        self,
        kind: type[M],
        handler: Callable[[str, M], None],
        *,
        expected: Callable[[str], bool] = lambda _: True,
        concurrent: bool = False,
    ) -> None:
        """Call `handler(node, message)` for each that fits its class and comes from an `expected` node."""

        def receive(msg: Any, **_: Any) -> None:
            node = msg.node_id if isinstance(msg.node_id, str) else ""
            if not expected(node):
                self.drop(kind.kind, f"from a stranger, {node[:60]!r}")
                return
            try:
                message = msgspec.convert(msg.data, kind)
            except (msgspec.ValidationError, ValueError, TypeError, RecursionError) as exc:
                self.drop(kind.kind, f"that cannot be read: {exc}")
                return
            if concurrent:
                supervise.start(handler, node, message, where=kind.kind)
                return
            with supervise.run(kind.kind):
                handler(node, message)

        self._runner.register_message(kind.kind, receive)

    def drop(self, kind: str, why: str) -> None:
        """A message is dropped; the first of a kind is said."""
        self.refused[kind] += 1
        if self.refused[kind] == 1:
            sys.stderr.write(f"warning: ignored a {kind} message {' '.join(why.split())[:200]}\n")
